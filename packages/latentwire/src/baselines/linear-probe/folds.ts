/** Stratified folds: each has its share of every class. */
import { random } from '@latentwire/torch';

/**
 * Fold of each example. Members of a class are dealt to the folds in random order, each class going on where the one
 * before stopped, so that folds differ by at most one example, in total and per class.
 */
export function stratifiedFolds(
  labels: ArrayLike<number>,
  folds: number,
  stream: random.RandomStream,
): Int32Array {
  const members = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    const list = members.get(label) ?? [];
    list.push(i);
    members.set(label, list);
  }
  const result = new Int32Array(labels.length);
  let dealt = 0;
  for (const [label, list] of [...members].sort(([a], [b]) => a - b)) {
    const order = random.epochOrder(list.length, stream.child(String(label)), 0);
    for (let place = 0; place < list.length; place++) result[list[order.at(place)]!] = dealt++ % folds;
  }
  return result;
}
