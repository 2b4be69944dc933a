/** Data with an effect: does a test reject as often as `power()` says? */

import { normal } from '../distributions/index.js';
import { independentTTest, mcnemarTest, pairedTTest } from '../hypothesis/index.js';
import { power } from '../power/index.js';
import type { Simulation } from './data.js';

export interface PowerScenario {
  readonly test: string;
  readonly effect: string;
  readonly n: number;
  readonly predicted: () => number;
  readonly rejects: (simulation: Simulation) => boolean;
}

const draw = (n: number, f: () => number): Float64Array => Float64Array.from({ length: n }, f);

export function powerScenarios(): PowerScenario[] {
  const scenarios: PowerScenario[] = [];
  for (const n of [10, 30, 100, 300]) {
    for (const d of [0.2, 0.5]) {
      scenarios.push(
        {
          test: 'pairedTTest',
          effect: `d = ${d}`,
          n,
          predicted: () => power({ test: 't-paired', effectSize: d, n }).power,
          rejects: (s) =>
            pairedTTest(
              draw(n, () => d + s.normal()),
              new Float64Array(n),
            ).pValue <= 0.05,
        },
        {
          test: 'independentTTest Student',
          effect: `d = ${d}, ratio 2`,
          n,
          predicted: () => power({ test: 't-independent', effectSize: d, n, ratio: 2 }).power,
          rejects: (s) =>
            independentTTest(
              draw(n, () => d + s.normal()),
              draw(2 * n, () => s.normal()),
              { equalVariance: true },
            ).pValue <= 0.05,
        },
      );
    }
  }
  for (const n of [50, 200, 600]) {
    for (const variant of ['exact', 'midp', 'chi2'] as const) {
      scenarios.push({
        test: `mcnemarTest ${variant}`,
        effect: '0.20 against 0.12',
        n,
        predicted: () => power({ test: 'mcnemar', firstOnly: 0.2, secondOnly: 0.12, n, variant }).power,
        rejects: (s) => {
          let [b, c] = [0, 0];
          for (let i = 0; i < n; i++) {
            const u = s.uniform();
            if (u < 0.2) b++;
            else if (u < 0.32) c++;
          }
          const table = [
            [n - b - c, b],
            [c, 0],
          ] as const;
          return mcnemarTest({ table }, { method: variant }).pValue <= 0.05;
        },
      });
    }
    scenarios.push({
      test: 'pooled z test of proportions',
      effect: '0.6 against 0.7',
      n,
      predicted: () => power({ test: 'proportions', p1: 0.6, p2: 0.7, n }).power,
      rejects: (s) => {
        let [x, y] = [0, 0];
        for (let i = 0; i < n; i++) {
          x += s.bernoulli(0.6);
          y += s.bernoulli(0.7);
        }
        const pooled = (x + y) / (2 * n);
        return (
          Math.abs(x - y) / n / Math.sqrt((2 * pooled * (1 - pooled)) / n) >= normal.upperQuantile(0.025)
        );
      },
    });
  }
  return scenarios;
}
