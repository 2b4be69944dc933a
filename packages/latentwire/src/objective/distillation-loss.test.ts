import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distillationLoss, LEAST_REST, topBuckets } from './distillation-loss.js';

const V = 7;
const logitsOf = (values: readonly number[]): t.Tensor =>
  t.fromTypedArray(Float32Array.from(values), [values.length / V, V]);

/** What a teacher of these logits would have stored, unrounded. */
function teacherOf(logits: t.Tensor, topK: number, tau: number) {
  const scaled = t.div(logits, tau);
  const { indices } = t.topk(scaled, topK);
  return {
    ...{ tau, topK },
    ids: Int32Array.from(indices.toArray()),
    logProbs: topBuckets(scaled, indices).toFloat32Array(),
  };
}

const row = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 2 * V, maxLength: 2 * V });

describe('distillationLoss', () => {
  it('is the whole divergence when every token but one has its own bucket (property)', () => {
    fc.assert(
      fc.property(row, row, fc.constantFrom(0.5, 1, 2, 4), (a, b, tau) => {
        t.scope(() => {
          const [teacher, student] = [logitsOf(a), logitsOf(b)];
          const got = distillationLoss(student, teacherOf(teacher, V - 1, tau)).toArray();
          const logP = t.logSoftmax(t.div(teacher, tau));
          const logQ = t.logSoftmax(t.div(student, tau));
          const terms = t.klDiv(logQ, logP, { reduction: 'none', logTarget: true });
          const expected = t.mul(t.sum(terms, -1), tau * tau).toArray();
          // The bucket of the rest cannot be told from LEAST_REST when the student gives it less.
          const rest = t.exp(topBuckets(t.div(student, tau), t.topk(t.div(teacher, tau), V - 1).indices));
          got.forEach((value, i) => {
            if (rest.toArray()[i * V + V - 1]! < 100 * LEAST_REST) return;
            expect(Math.abs(value - expected[i]!)).toBeLessThan(2e-3 * (1 + expected[i]!));
          });
        });
      }),
      { numRuns: 60 },
    );
  });

  it('is never more than the whole divergence, and 0 for equal distributions (property)', () => {
    fc.assert(
      fc.property(row, row, fc.integer({ min: 1, max: V - 2 }), (a, b, topK) => {
        t.scope(() => {
          const [teacher, student] = [logitsOf(a), logitsOf(b)];
          const whole = t.klDiv(t.logSoftmax(student), t.logSoftmax(teacher), {
            reduction: 'none',
            logTarget: true,
          });
          const bound = t.sum(whole, -1).toArray();
          distillationLoss(student, teacherOf(teacher, topK, 1))
            .toArray()
            .forEach((value, i) => {
              expect(value).toBeGreaterThan(-1e-5);
              expect(value).toBeLessThan(bound[i]! + 1e-4 * (1 + bound[i]!));
            });
          for (const value of distillationLoss(teacher, teacherOf(teacher, topK, 2)).toArray()) {
            expect(Math.abs(value)).toBeLessThan(1e-5);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it('pulls the student towards the teacher, and leaves it alone where they agree', () => {
    t.scope(() => {
      const teacher = logitsOf([2, 1, 0, -1, -2, -3, -4, 0, 0, 3, 0, 1, 0, 0]);
      const stored = teacherOf(teacher, 3, 2);
      const student = logitsOf(new Array(2 * V).fill(0)).setRequiresGrad();
      t.backward(t.sum(distillationLoss(student, stored)));
      const gradient = student.grad!.toArray();
      expect(gradient[0]).toBeLessThan(0); // the teacher's favourite becomes more likely
      expect(gradient[6]).toBeGreaterThan(0);
      const same = teacher.detach().setRequiresGrad();
      t.backward(t.sum(distillationLoss(same, stored)));
      for (const value of same.grad!.toArray()) expect(Math.abs(value)).toBeLessThan(1e-6);
    });
  });

  it('has the gradient of its differences', () => {
    t.scope(() => {
      const teacher = teacherOf(logitsOf([2, 1, 0, -1, -2, 1, 0.5, 0, 0, 3, 0, 1, 0, 0]), 3, 1.5);
      const values = [0.3, -1, 2, 0, 0.1, -0.5, 1, 1, 0.2, 0, -2, 0.7, 0.4, 0];
      const student = logitsOf(values).setRequiresGrad();
      t.backward(t.sum(distillationLoss(student, teacher)));
      const gradient = student.grad!.toArray();
      const at = (i: number, step: number): number =>
        t.sum(distillationLoss(logitsOf(values.map((v, j) => (j === i ? v + step : v))), teacher)).item();
      values.forEach((_, i) => {
        expect(Math.abs((at(i, 0.01) - at(i, -0.01)) / 0.02 - gradient[i]!)).toBeLessThan(2e-3);
      });
    });
  });

  it('stays finite for a student that is certain of a token, right or wrong', () => {
    t.scope(() => {
      const teacher = teacherOf(logitsOf([9, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0]), 2, 1);
      const student = logitsOf([80, 0, 0, 0, 0, 0, 0, 80, 0, 0, 0, 0, 0, 0]).setRequiresGrad();
      const loss = distillationLoss(student, teacher);
      t.backward(t.sum(loss));
      expect(loss.toArray().every(Number.isFinite)).toBe(true);
      expect(student.grad!.toArray().every(Number.isFinite)).toBe(true);
    });
  });
});
