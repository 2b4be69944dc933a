/**
 * Every example predicted by a fit that has not seen it: not its label, and not its numbers either, for means and
 * deviations too are those of the training folds.
 */
import * as t from '@latentwire/torch';
import { fitLogistic, predictLogistic } from './logistic-regression.js';

export interface ValidationOptions {
  readonly folds: number;
  readonly classes: number;
  /** Inverse strength of the L2 penalty. */
  readonly c: number;
}

/**
 * Predicted class of each example.
 * @param features float64 [n, F]
 * @param labels class of each; −1: predicted, and never in a fit
 * @param fold fold of each
 */
export function crossValidated(
  features: t.Tensor,
  labels: Int32Array,
  fold: Int32Array,
  { folds, classes, c }: ValidationOptions,
): Int32Array {
  const result = new Int32Array(labels.length);
  for (let k = 0; k < folds; k++) {
    const test = indices(fold, (f) => f === k);
    const train = indices(fold, (f, i) => f !== k && labels[i]! >= 0);
    if (test.length > 0) predictFold(features, labels, train, test, classes, c, result);
  }
  return result;
}

function predictFold(
  features: t.Tensor,
  labels: Int32Array,
  train: Int32Array,
  test: Int32Array,
  classes: number,
  c: number,
  result: Int32Array,
): void {
  t.scope(() => {
    const rows = (places: Int32Array): t.Tensor =>
      t.indexSelect(
        features,
        0,
        t.fromTypedArray(places, [places.length], { device: features.device }).to({ dtype: 'int64' }),
      );
    const known = rows(train);
    const centre = t.mean(known, [0]);
    const spread = t.std(known, [0], 0);
    // A number that never varies says nothing: it is only centred.
    const scale = t.where(t.gt(spread, 0), spread, t.onesLike(spread));
    const standardised = (x: t.Tensor): t.Tensor => t.div(t.sub(x, centre), scale);
    const model = fitLogistic(
      standardised(known),
      Array.from(train, (i) => labels[i]!),
      classes,
      { c },
    );
    predictLogistic(model, standardised(rows(test))).forEach((label, k) => {
      result[test[k]!] = label;
    });
  });
}

function indices(values: Int32Array, wanted: (value: number, index: number) => boolean): Int32Array {
  return Int32Array.from([...values.keys()].filter((i) => wanted(values[i]!, i)));
}
