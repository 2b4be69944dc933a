import { readFileSync } from 'node:fs';
import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lbfgs } from './lbfgs.js';
import { fitLogistic, predictLogistic } from './logistic-regression.js';

interface Case {
  readonly name: string;
  readonly c: number;
  readonly classes: number;
  readonly x: number[][];
  readonly y: number[];
  readonly weights: number[][];
  readonly predictions: number[];
}

const { cases } = JSON.parse(readFileSync(new URL('./golden/logistic.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

const float64 = (rows: number[][]): t.Tensor =>
  t.fromTypedArray(Float64Array.from(rows.flat()), [rows.length, rows[0]!.length]);

const standardised = (x: t.Tensor): t.Tensor => t.div(t.sub(x, t.mean(x, [0])), t.std(x, [0], 0));

describe('fitLogistic', () => {
  it.each(cases)('gives the weights and predictions of scikit-learn: $name', (golden) => {
    t.scope(() => {
      const x = standardised(float64(golden.x));
      const options = { c: golden.c, tolerance: 1e-9 };
      const model = fitLogistic(x, golden.y, golden.classes, options);
      const expected = golden.weights.flat();
      expect(model.weights).toHaveLength(expected.length);
      expected.forEach((weight, i) => {
        expect(Math.abs(model.weights[i]! - weight)).toBeLessThan(1e-5);
      });
      expect(predictLogistic(model, x)).toEqual(golden.predictions);
    });
  });

  it('keeps no tensor', () => {
    t.scope(() => {
      const { x, y, classes } = cases[2]!;
      const data = float64(x);
      const before = t.liveTensors();
      predictLogistic(fitLogistic(data, y, classes, { c: 1 }), data);
      expect(t.liveTensors()).toBe(before);
    });
  });
});

describe('lbfgs', () => {
  it('finds the minimum of any well-conditioned quadratic (property)', () => {
    const entry = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(entry, entry), { minLength: 1, maxLength: 12 }), (pairs) => {
        const evaluate = (x: Float64Array) => ({
          value: pairs.reduce((sum, [centre, log], i) => sum + 2 ** log * (x[i]! - centre) ** 2, 0),
          gradient: Float64Array.from(pairs, ([centre, log], i) => 2 * 2 ** log * (x[i]! - centre)),
        });
        const found = lbfgs(evaluate, new Float64Array(pairs.length), { tolerance: 1e-9 });
        expect(found.converged).toBe(true);
        pairs.forEach(([centre], i) => {
          expect(found.x[i]).toBeCloseTo(centre, 6);
        });
      }),
    );
  });

  it('follows the curved valley of Rosenbrock', () => {
    const evaluate = ([a = 0, b = 0]: Float64Array) => ({
      value: (1 - a) ** 2 + 100 * (b - a * a) ** 2,
      gradient: Float64Array.of(-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)),
    });
    const { x, converged } = lbfgs(evaluate, Float64Array.of(-1.2, 1), { tolerance: 1e-8 });
    expect(converged).toBe(true);
    expect([...x].map((value) => Number(value.toFixed(6)))).toEqual([1, 1]);
  });

  it('says so when it may not go on', () => {
    const linear = () => ({ value: 0, gradient: Float64Array.of(1) });
    expect(lbfgs(linear, Float64Array.of(0)).converged).toBe(false);
    const steep = ([a = 0]: Float64Array) => ({ value: a ** 4, gradient: Float64Array.of(4 * a ** 3) });
    const one = lbfgs(steep, Float64Array.of(5), { maxIterations: 1 });
    expect([one.iterations, one.converged]).toEqual([1, false]);
  });
});
