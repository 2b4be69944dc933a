/** Protects the agreement of power, sample size and detectable effect with each other. Values are in golden/references.test.ts. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minimumDetectableEffect, power, requiredSamples, requiredSeeds, type TestSpec } from './index.js';

const spread = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1)) * 2);

describe('sample sizes are the smallest that reach the power', () => {
  const SPECS: TestSpec[] = [
    { test: 't-paired', effectSize: 0.33 },
    { test: 't-paired', effectSize: -0.4, alternative: 'less' },
    { test: 't-independent', effectSize: 0.45, ratio: 2 },
    { test: 't-independent', effectSize: 3 },
    { test: 'proportions', p1: 0.6, p2: 0.75 },
    { test: 'proportions', p1: 0.3, p2: 0.2, alternative: 'greater', ratio: 0.5 },
    { test: 'mcnemar', firstOnly: 0.2, secondOnly: 0.08, variant: 'midp' },
    { test: 'mcnemar', firstOnly: 0.05, secondOnly: 0.2, variant: 'chi2', alternative: 'less' },
    { test: 'bootstrap-pilot', pilot: spread(40), effect: 0.5, simulations: 800 },
  ];

  it.each(SPECS)('$test', (spec) => {
    const result = requiredSamples({ ...spec, power: 0.85 });
    const n = result.n[0]!;
    expect(result.power).toBeGreaterThanOrEqual(0.85);
    expect(power({ ...spec, n }).power).toBe(result.power);
    expect(power({ ...spec, n: n - 1 }).power).toBeLessThan(0.85);
    expect(result.total).toBe(result.n.reduce((sum, size) => sum + size, 0));
  });

  it('large sizes are found as quickly as small ones', () => {
    expect(requiredSamples({ test: 't-paired', effectSize: 0.001 }).n[0]).toBe(7_848_863); // normal theory with both tails 7848860.5, t quantiles add z²/2 = 1.9
    const rare = requiredSamples({ test: 'mcnemar', firstOnly: 0.011, secondOnly: 0.009 });
    expect(rare.n[0]).toBeGreaterThan(30_000);
  });
});

describe('detectable effects invert power', () => {
  it('t tests', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 3000 }),
        fc.double({ min: 0.3, max: 0.99, noNaN: true }),
        fc.constantFrom('two-sided' as const, 'greater' as const),
        (n, target, alternative) => {
          const { effect } = minimumDetectableEffect({ test: 't-paired', n, power: target, alternative });
          expect(power({ test: 't-paired', effectSize: effect, n, alternative }).power).toBeCloseTo(
            target,
            10,
          );
        },
      ),
      { numRuns: 25 },
    );
    expect(
      minimumDetectableEffect({ test: 't-independent', n: 50, alternative: 'less' }).effect,
    ).toBeLessThan(0);
  });

  it('counts and pilots', () => {
    const proportions = minimumDetectableEffect({ test: 'proportions', p1: 0.5, n: 200 });
    expect(power({ test: 'proportions', p1: 0.5, p2: proportions.effect, n: 200 }).power).toBeCloseTo(0.8, 6);
    const below = minimumDetectableEffect({ test: 'proportions', p1: 0.5, n: 200, alternative: 'greater' });
    expect(below.effect).toBeLessThan(0.5);
    const pairs = minimumDetectableEffect({ test: 'mcnemar', discordance: 0.3, n: 200 });
    const [firstOnly, secondOnly] = [0.15 + pairs.effect / 2, 0.15 - pairs.effect / 2];
    expect(power({ test: 'mcnemar', firstOnly, secondOnly, n: 200 }).power).toBeCloseTo(0.8, 6);
    const pilot = spread(60);
    const fromPilot = minimumDetectableEffect({ test: 'bootstrap-pilot', pilot, n: 100 });
    const sd = Math.sqrt(pilot.reduce((sum, x) => sum + x * x, 0) / 59);
    const normal = minimumDetectableEffect({ test: 't-paired', n: 100 }).effect * sd;
    expect(Math.abs(fromPilot.effect / normal - 1)).toBeLessThan(0.06);
  });
});

describe('power', () => {
  it('rises with n, effect and alpha, and is alpha without effect', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 500 }),
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.double({ min: 0.001, max: 0.2, noNaN: true }),
        (n, effectSize, alpha) => {
          const at = (change: object): number =>
            power({ test: 't-paired', effectSize, n, alpha, ...change } as Parameters<typeof power>[0]).power;
          const plain = at({});
          expect(at({ n: n + 7 })).toBeGreaterThanOrEqual(plain - 1e-12);
          expect(at({ effectSize: effectSize + 0.2 })).toBeGreaterThanOrEqual(plain - 1e-12);
          expect(at({ alpha: alpha * 1.3 })).toBeGreaterThanOrEqual(plain - 1e-12);
          expect(at({ effectSize: 0 })).toBeCloseTo(alpha, 10);
          expect(at({ effectSize: -effectSize })).toBeCloseTo(plain, 10);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of exact tests on counts stays at or below alpha without effect', () => {
    for (const n of [10, 40, 150]) {
      expect(power({ test: 'mcnemar', firstOnly: 0.1, secondOnly: 0.1, n }).power).toBeLessThanOrEqual(0.05);
    }
    expect(power({ test: 'mcnemar', firstOnly: 0, secondOnly: 0, n: 50 }).power).toBe(0);
    expect(power({ test: 'mcnemar', firstOnly: 1, secondOnly: 0, n: 50 }).power).toBe(1);
  });

  it('of a pilot counts clusters', () => {
    const base = spread(30);
    const pilot = base.flatMap((x) => [x, x, x]);
    const clusters = base.flatMap((_, g) => [g, g, g]);
    const clustered = power({ test: 'bootstrap-pilot', pilot, clusters, effect: 0.4, n: 60 });
    const single = power({ test: 'bootstrap-pilot', pilot: base, effect: 0.4, n: 60 });
    expect(clustered.power).toBeCloseTo(single.power, 10);
    expect(power({ test: 'bootstrap-pilot', pilot: spread(8), n: 20 }).warnings[0]!.code).toBe(
      'small-sample',
    );
  });
});

describe('requiredSeeds', () => {
  it('grows with the spread of the pilot and gives the range the pilot allows', () => {
    const narrow = requiredSeeds([0.5, 0.51, 0.52], { effect: 0.02 });
    const wide = requiredSeeds([0.45, 0.51, 0.57], { effect: 0.02 });
    expect(wide.seeds).toBeGreaterThan(narrow.seeds);
    expect(narrow.range[0]).toBeLessThanOrEqual(narrow.seeds);
    expect(narrow.range[1]).toBeGreaterThan(narrow.seeds);
    expect(narrow.warnings[0]!.code).toBe('small-sample');
    expect(narrow.standardDeviation).toBeCloseTo(0.01, 12);
    expect(requiredSeeds([0.5, 0.51, 0.52], { effect: 0.02, paired: true }).seeds).toBeLessThan(narrow.seeds);
    expect(requiredSeeds([0.5, 0.5], { effect: 0.02 }).seeds).toBe(2);
  });
});

describe('wrong input', () => {
  it.each([
    [
      () => power({ test: 't-pair' as 't-paired', effectSize: 1, n: 5 }),
      "spec.test: expected one of 't-independent'",
    ],
    [
      () => power({ test: 't-paired', effectSize: Number.NaN, n: 5 }),
      'spec.effectSize: expected a finite number',
    ],
    [
      () => power({ test: 't-paired', effectSize: 1, n: 1 }),
      'spec.n: expected an integer of at least 2, got 1',
    ],
    [
      () => power({ test: 't-paired', effectSize: 1, n: 5, alpha: 0 }),
      'spec.alpha: expected a number strictly',
    ],
    [
      () => power({ test: 'proportions', p1: 0.5, p2: 1.2, n: 5 }),
      'spec.p2: expected a number from 0 to 1, got 1.2',
    ],
    [
      () => power({ test: 'mcnemar', firstOnly: 0.7, secondOnly: 0.6, n: 5 }),
      'firstOnly + secondOnly of at most 1',
    ],
    [
      () => power({ test: 'bootstrap-pilot', pilot: [1], n: 5 }),
      'spec.pilot: expected at least 2 values, got 1',
    ],
    [
      () => requiredSamples({ test: 't-paired', effectSize: 0 }),
      'spec.effectSize: expected an effect different from zero',
    ],
    [
      () => requiredSamples({ test: 't-paired', effectSize: 1, power: 0.04 }),
      'spec.power: expected more than alpha',
    ],
    [() => requiredSamples({ test: 't-paired', effectSize: -1, alternative: 'greater' }), 'some n up to'],
    [
      () => minimumDetectableEffect({ test: 'mcnemar', n: 5, discordance: 0.1 }),
      'spec.n: expected enough items',
    ],
    [() => requiredSeeds([1], { effect: 1 }), 'pilot: expected at least 2 values, got 1'],
    [() => requiredSeeds([1, 2], { effect: 0 }), 'options.effect: expected a positive number, got 0'],
  ])('%s', (run, message) => {
    expect(run).toThrow(message);
  });
});
