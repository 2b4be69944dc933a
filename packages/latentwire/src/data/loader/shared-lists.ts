/** Lists of numbers in memory that all threads see: one buffer of values, and where in it each list lies. */
export interface SharedLists {
  /** The distinct lists, one after the other; backed by a SharedArrayBuffer. */
  readonly values: Int32Array;
  readonly starts: Float64Array;
  /** −1: there is no list at this place. */
  readonly lengths: Int32Array;
}

/** Copies lists into shared memory. An array that stands at several places is stored once. */
export function shareLists(lists: readonly (ArrayLike<number> | null)[]): SharedLists {
  const starts = new Float64Array(new SharedArrayBuffer(8 * lists.length));
  const lengths = new Int32Array(new SharedArrayBuffer(4 * lists.length));
  const startOf = new Map<ArrayLike<number>, number>();
  let total = 0;
  lists.forEach((list, i) => {
    lengths[i] = list === null ? -1 : list.length;
    if (list === null) return;
    if (!startOf.has(list)) {
      startOf.set(list, total);
      total += list.length;
    }
    starts[i] = startOf.get(list)!;
  });
  const values = new Int32Array(new SharedArrayBuffer(4 * total));
  for (const [list, start] of startOf) values.set(list, start);
  return { values, starts, lengths };
}

/** All lists, as views; null where there is none. A list that stands at several places is one view. */
export function sharedViews({ values, starts, lengths }: SharedLists): (Int32Array | null)[] {
  const views = new Map<string, Int32Array>();
  return Array.from(lengths, (length, i) => {
    if (length < 0) return null;
    const start = starts[i]!;
    const key = `${start} ${length}`;
    const view = views.get(key) ?? values.subarray(start, start + length);
    views.set(key, view);
    return view;
  });
}
