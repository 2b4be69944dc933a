/**
 * Logistic regression with an L2 penalty, as statistics packages fit it:
 *
 *     minimise  c · Σ_i −log p(y_i | x_i) + ½‖W‖²        the intercept is not penalised
 *
 * Several classes: softmax over one row of W each. Two classes: one row, the log-odds of the second. The function is
 * strictly convex, so the fit depends on the data alone.
 */
import * as t from '@latentwire/torch';
import { type Evaluation, lbfgs } from './lbfgs.js';

export interface LogisticModel {
  readonly classes: number;
  readonly features: number;
  /** [rows · (features + 1)]: coefficients and intercept of each row; one row for two classes */
  readonly weights: Float64Array;
  readonly converged: boolean;
}

export interface LogisticOptions {
  /** c, the inverse strength of the penalty. */
  readonly c: number;
  readonly maxIterations?: number;
  /** Largest entry of the gradient at the end, per example. */
  readonly tolerance?: number;
}

/**
 * @param x float64 [n, F]
 * @param labels class of each row of x, in 0 … classes − 1
 */
export function fitLogistic(
  x: t.Tensor,
  labels: ArrayLike<number>,
  classes: number,
  options: LogisticOptions,
): LogisticModel {
  const { c, maxIterations = 1000, tolerance = 1e-7 } = options;
  const [n, features] = [x.size(0), x.size(1)];
  const rows = rowsOf(classes);
  return t.scope(() =>
    t.noGrad(() => {
      const data = withOnes(x);
      const wanted = oneHot(labels, classes).to({ device: x.device });
      const evaluate = (weights: Float64Array): Evaluation =>
        t.scope(() => {
          const w = t.fromTypedArray(weights, [rows, features + 1], { device: x.device });
          const logP = t.logSoftmax(scores(data, w, classes)); // [n, classes]
          const loss = t.neg(t.sum(t.mul(logP, wanted))).item();
          const residual = t.sub(t.exp(logP), wanted);
          const used = t.slice(residual, 1, classes - rows);
          const gradient = Float64Array.from(t.matmul(t.transpose(used, 0, 1), data).toArray());
          let penalty = 0;
          for (let i = 0; i < weights.length; i++) {
            const penalised = i % (features + 1) === features ? 0 : weights[i]!;
            penalty += penalised * penalised;
            // Divided by c·n, so that the tolerance means the same for any amount of data.
            gradient[i] = (c * gradient[i]! + penalised) / (c * n);
          }
          return { value: (c * loss + penalty / 2) / (c * n), gradient };
        });
      const start = new Float64Array(rows * (features + 1));
      const { x: weights, converged } = lbfgs(evaluate, start, { maxIterations, tolerance });
      return { classes, features, weights, converged };
    }),
  );
}

/** Most likely class of each row of x, float64 [n, F]. */
export function predictLogistic(model: LogisticModel, x: t.Tensor): number[] {
  const { classes, features, weights } = model;
  return t.scope(() =>
    t.noGrad(() => {
      const w = t.fromTypedArray(weights, [rowsOf(classes), features + 1], { device: x.device });
      return t.argmax(scores(withOnes(x), w, classes), -1).toArray();
    }),
  );
}

const rowsOf = (classes: number): number => (classes === 2 ? 1 : classes);

/** [n, classes]; of two classes the first has score 0. */
function scores(data: t.Tensor, w: t.Tensor, classes: number): t.Tensor {
  const s = t.matmul(data, t.transpose(w, 0, 1));
  return classes === 2 ? t.cat([t.zerosLike(s), s], 1) : s;
}

function withOnes(x: t.Tensor): t.Tensor {
  return t.cat([x, t.ones([x.size(0), 1], { dtype: 'float64', device: x.device })], 1);
}

function oneHot(labels: ArrayLike<number>, classes: number): t.Tensor {
  const values = new Float64Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) values[i * classes + labels[i]!] = 1;
  return t.fromTypedArray(values, [labels.length, classes]);
}
