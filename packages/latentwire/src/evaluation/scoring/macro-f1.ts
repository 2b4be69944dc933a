/** Macro F1 of a classification: the unweighted mean of the F1 of each label. */
import { normalizeAnswer } from './normalize.js';

/**
 * F1 of label c is 2·TP / (2·TP + FP + FN); 0 when it never occurs and is never predicted wrongly. Predictions that are
 * no label count as missed golds alone. (scikit-learn's `f1_score(average='macro', labels=labels, zero_division=0)`.)
 * @param pairs prediction and gold of each question, in any case and punctuation
 */
export function macroF1(
  labels: readonly string[],
  pairs: readonly { readonly prediction: string; readonly gold: string }[],
): number {
  const counts = new Map(labels.map((label) => [normalizeAnswer(label), { hit: 0, given: 0, gold: 0 }]));
  for (const pair of pairs) {
    const prediction = normalizeAnswer(pair.prediction);
    const gold = normalizeAnswer(pair.gold);
    const ofGold = counts.get(gold);
    const ofPrediction = counts.get(prediction);
    if (ofGold !== undefined) ofGold.gold++;
    if (ofPrediction !== undefined) ofPrediction.given++;
    if (ofGold !== undefined && prediction === gold) ofGold.hit++;
  }
  let sum = 0;
  for (const { hit, given, gold } of counts.values())
    sum += given + gold === 0 ? 0 : (2 * hit) / (given + gold);
  return sum / labels.length;
}
