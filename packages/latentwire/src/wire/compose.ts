/**
 * Rows of segments (tokens, latents) -> one padded batch of input embeddings. The only place where padding side,
 * prefix slots and target positions are decided; training, evaluation and baselines all call it.
 */
import * as t from '@latentwire/torch';
import { countOf, type LatentCounts } from './layout.js';

/** A part of a row: token ids, the place of the row's M latents, or supervised token ids. */
export type Segment =
  | { readonly kind: 'tokens'; readonly ids: ArrayLike<number> }
  | { readonly kind: 'latents' }
  /** Tokens whose prediction is scored: the logits one position earlier are the ones asked for. */
  | { readonly kind: 'target'; readonly ids: ArrayLike<number> };

export interface ComposedBatch {
  readonly batch: number;
  readonly length: number;
  /** [B·T] token ids; 0 at latent and padded places */
  readonly ids: Int32Array;
  /** [B·T] 1 = real; null when nothing is padded */
  readonly valid: Uint8Array | null;
  readonly padding: 'left' | 'right';
  /** flat places of all latents, row by row; empty without latents */
  readonly latentPlaces: Int32Array;
  /** [B] latents per row: the prefix vectors of a row that are real */
  readonly latentCounts: Int32Array;
  /** [N] flat places whose hidden state predicts a target; those after the last real one are padding */
  readonly targetPlaces: Int32Array;
  /** [N] target ids */
  readonly targetIds: Int32Array;
  /** [N] row of each target, ascending; `NO_ROW` for padding */
  readonly targetRows: Int32Array;
}

/** Row of a target that is none. */
export const NO_ROW = -1;

/** Sizes are rounded up to a multiple, so that batches share shapes and with them a captured step. Default 1. */
export interface ShapeMultiples {
  /** tokens of an encoded text */
  readonly texts?: number;
  /** positions of a reader's row; see `roundUpCoarsely` */
  readonly positions?: number;
  /** supervised places of a batch; see `roundUpCoarsely` */
  readonly targets?: number;
  /** texts of a batch, where their number differs from batch to batch */
  readonly rows?: number;
}

export const roundUp = (size: number, multiple = 1): number => Math.ceil(size / multiple) * multiple;

/**
 * Up to a multiple of `multiple` of which an octave has at most `steps`: few sizes however large they get, and padding in
 * proportion. With 2 steps: 1, 2, 3, 4, 6, 8, 12, 16, … times `multiple`. A multiple of 1 leaves the size as it is. With 8 steps
 * the pieces of a GPU's allocator fitted each other less: a training took a fifth more memory than its trial (docs/LOG.md).
 */
export function roundUpCoarsely(size: number, multiple = 1, steps = 2): number {
  const units = Math.ceil(size / multiple);
  if (multiple === 1 || units <= 1) return units * multiple;
  const octave = 2 ** Math.floor(Math.log2(units - 1));
  return roundUp(units, Math.max(1, octave / steps)) * multiple;
}

/**
 * The last target of a row is predicted, never read, so it takes no position.
 * @param latents M, the latent vectors that a `latents` segment stands for, in all rows or per row.
 */
export function compose(
  rows: readonly (readonly Segment[])[],
  padding: 'left' | 'right',
  latents: LatentCounts,
  multiples: ShapeMultiples = {},
): ComposedBatch {
  const lengths = rows.map((row, r) => rowLength(row, countOf(latents, r)) - (endsInTarget(row) ? 1 : 0));
  const length = roundUpCoarsely(Math.max(0, ...lengths), multiples.positions, 4);
  const ids = new Int32Array(rows.length * length);
  const valid = new Uint8Array(rows.length * length);
  const latentPlaces: number[] = [];
  const latentCounts = new Int32Array(rows.length);
  const targetPlaces: number[] = [];
  const targetIds: number[] = [];
  const targetRows: number[] = [];
  rows.forEach((row, r) => {
    let at = r * length + (padding === 'left' ? length - lengths[r]! : 0);
    valid.fill(1, at, at + lengths[r]!);
    const end = at + lengths[r]!;
    for (const segment of row) {
      const n = segment.kind === 'latents' ? countOf(latents, r) : segment.ids.length;
      if (segment.kind === 'latents') {
        for (let i = 0; i < n; i++) latentPlaces.push(at + i);
        latentCounts[r]! += n;
      } else {
        for (let i = 0; i < n; i++) {
          const id = segment.ids[i]!;
          if (at + i < end) ids[at + i] = id;
          if (segment.kind === 'target') {
            targetPlaces.push(at + i - 1);
            targetIds.push(id);
            targetRows.push(r);
          }
        }
      }
      at += n;
    }
  });
  const targets = roundUpCoarsely(targetIds.length, multiples.targets);
  const padTargets = (values: number[], fill: number): Int32Array =>
    Int32Array.from({ length: targets }, (_, i) => values[i] ?? fill);
  return {
    batch: rows.length,
    length,
    ids,
    valid: lengths.every((n) => n === length) ? null : valid,
    padding,
    latentPlaces: Int32Array.from(latentPlaces),
    latentCounts,
    targetPlaces: padTargets(targetPlaces, 0),
    targetIds: padTargets(targetIds, 0),
    targetRows: padTargets(targetRows, NO_ROW),
  };
}

function endsInTarget(row: readonly Segment[]): boolean {
  const last = row.findLast((s) => s.kind === 'latents' || s.ids.length > 0);
  return last?.kind === 'target';
}

/** Positions that a row takes, with `latents` vectors for each `latents` segment. */
export function rowLength(row: readonly Segment[], latents: number): number {
  return row.reduce((sum, s) => sum + (s.kind === 'latents' ? latents : s.ids.length), 0);
}

/** int32 host data -> int64 tensor on the device (a quarter of the copy of JavaScript's own 64-bit integers). */
export function indexTensor(data: Int32Array, shape: readonly number[], device: t.Device): t.Tensor {
  return t.fromTypedArray(data, shape, { device }).to({ dtype: 'int64' });
}

/**
 * Input embeddings [B, T, D] of a composed batch and its padding mask.
 * @param embed token ids [B, T] -> [B, T, D]
 * @param prefix latents in embedding space [B, max M, D], of which a row's first M are used; gradients flow into those.
 * null without latent segments.
 */
export function batchEmbeddings(
  composed: ComposedBatch,
  embed: (ids: t.Tensor) => t.Tensor,
  prefix: t.Tensor | null,
  device: t.Device,
): { embeds: t.Tensor; valid: t.Tensor | null } {
  const { batch, length } = composed;
  let embeds = embed(indexTensor(composed.ids, [batch, length], device));
  if (prefix !== null) {
    const width = embeds.size(-1);
    const places = indexTensor(composed.latentPlaces, [composed.latentPlaces.length], device);
    const flat = t.view(embeds, [batch * length, width]);
    const values = realVectors(prefix, composed.latentCounts).to({ dtype: embeds.dtype });
    embeds = t.view(t.indexPut(flat, [places], values), [batch, length, width]);
  }
  const valid =
    composed.valid === null
      ? null
      : t.fromTypedArray(composed.valid, [batch, length], { device }).to({ dtype: 'bool' });
  return { embeds, valid };
}

/** The first counts[b] vectors of each row of prefix [B, M, D], one after the other: [Σ counts, D]. */
function realVectors(prefix: t.Tensor, counts: Int32Array): t.Tensor {
  const [slots, width] = [prefix.size(1), prefix.size(2)];
  const flat = t.reshape(prefix, [-1, width]);
  if (counts.every((n) => n === slots)) return flat;
  const places: number[] = [];
  counts.forEach((n, row) => {
    for (let i = 0; i < n; i++) places.push(row * slots + i);
  });
  return t.indexSelect(flat, 0, indexTensor(Int32Array.from(places), [places.length], prefix.device));
}

/** Flat places that predict the targets, int64 [N], to ask a model for those alone. */
export function targetPlaces(composed: ComposedBatch, device: t.Device): t.Tensor {
  return indexTensor(composed.targetPlaces, [composed.targetPlaces.length], device);
}
