/** The part of a batch that is one process's. */

export interface Shard {
  readonly rank: number;
  readonly size: number;
}

/**
 * Every item is in the part of exactly one rank; the parts keep the order, and their sizes differ by at most one. Whole
 * stretches, so that questions on one text mostly stay together. Without a shard there is one part, all of it.
 */
export function partOf<T>(items: readonly T[], shard: Shard | undefined): readonly T[] {
  if (shard === undefined) return items;
  const { rank, size } = shard;
  const least = Math.floor(items.length / size);
  const longer = items.length % size;
  const start = rank * least + Math.min(rank, longer);
  return items.slice(start, start + least + (rank < longer ? 1 : 0));
}

/** The parts of all ranks. */
export function partsOf<T>(items: readonly T[], shard: Shard | undefined): (readonly T[])[] {
  if (shard === undefined) return [items];
  return Array.from({ length: shard.size }, (_, rank) => partOf(items, { ...shard, rank }));
}
