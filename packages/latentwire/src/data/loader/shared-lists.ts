/** Lists of numbers in memory that all threads see: one buffer of values, one of where each list begins. */
export interface SharedLists {
  /** All lists, one after the other; backed by a SharedArrayBuffer. */
  readonly values: Int32Array;
  /** [lists + 1]: list i is values[starts[i] … starts[i + 1]). */
  readonly starts: Float64Array;
}

/** Copies lists into shared memory. */
export function shareLists(lists: readonly ArrayLike<number>[]): SharedLists {
  const starts = new Float64Array(new SharedArrayBuffer(8 * (lists.length + 1)));
  lists.forEach(({ length }, i) => {
    starts[i + 1] = starts[i]! + length;
  });
  const values = new Int32Array(new SharedArrayBuffer(4 * starts[lists.length]!));
  lists.forEach((list, i) => {
    values.set(list, starts[i]!);
  });
  return { values, starts };
}

/** List i, as a view. */
export function sharedList({ values, starts }: SharedLists, i: number): Int32Array {
  return values.subarray(starts[i]!, starts[i + 1]!);
}
