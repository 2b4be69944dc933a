/** A composing module for tests: pads the asked lists, and fails, dies or dawdles where it is told to. */
export function createComposer({ lists, slow }) {
  return ({ step, indices, fault }) => {
    if (fault === 'throw') throw new Error(`no batch ${step}`);
    if (fault === 'exit') process.exit(3);
    if (fault === 'crash')
      queueMicrotask(() => {
        throw new Error('broken thread');
      });
    if (slow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, (step * 7) % 5);
    const rows = indices.map((i) =>
      lists.values.subarray(lists.starts[i], lists.starts[i] + lists.lengths[i]),
    );
    const length = Math.max(0, ...rows.map((row) => row.length));
    const ids = new Int32Array(rows.length * length);
    rows.forEach((row, r) => {
      ids.set(row, r * length);
    });
    return { step, ids, lengths: Int32Array.from(rows, (row) => row.length) };
  };
}
