/**
 * How likely a model finds given answers: teacher-forced, one forward pass over [row | answer, stop token]. Reported
 * beside free generation and never an input of it. The logit at a place is scored against the very next token, once.
 */
import * as t from '@latentwire/torch';
import { answerStates } from '../objective/index.js';
import { compose, indexTensor, type LatentCounts, type Reader, type Segment } from '../wire/index.js';
import { pick } from './answer-source.js';

export interface Likelihood {
  /** −log p of all target tokens, summed, in nats. */
  readonly nll: number;
  /** Number of target tokens: the answer's and the stop token. */
  readonly tokens: number;
  /** Tokens that the model finds more likely than the first target; 0 = it would be the greedy choice. */
  readonly firstTokenRank: number;
}

/**
 * Targets whose logits are held at once: 2,048 of a vocabulary of 128,000 take 1 GB in fp32. Chunks are cut by the
 * targets alone, so that results do not depend on the machine.
 */
const TARGETS_AT_ONCE = 2048;

/**
 * @param rows rows that end where the answer begins
 * @param targets per row at least one token; see `answerTokens`
 * @param latents of all rows or per row
 * @param prefix soft prefix [n, most latents, d_model] of the rows; null for text
 */
export function answerLikelihoods(
  reader: Reader,
  rows: readonly (readonly Segment[])[],
  targets: readonly Int32Array[],
  latents: LatentCounts,
  prefix: t.Tensor | null,
): Likelihood[] {
  const results: Likelihood[] = [];
  for (const [start, end] of chunks(targets)) {
    t.scope(() =>
      t.noGrad(() => {
        const part = prefix === null ? null : t.narrow(prefix, 0, start, end - start);
        const counts = pick(
          latents,
          Array.from({ length: end - start }, (_, i) => start + i),
        );
        results.push(
          ...chunkLikelihoods(reader, rows.slice(start, end), targets.slice(start, end), counts, part),
        );
      }),
    );
  }
  return results;
}

function chunkLikelihoods(
  { model }: Reader,
  rows: readonly (readonly Segment[])[],
  targets: readonly Int32Array[],
  latents: LatentCounts,
  prefix: t.Tensor | null,
): Likelihood[] {
  const composed = compose(
    rows.map((row, i): Segment[] => [...row, { kind: 'target', ids: targets[i]! }]),
    'right',
    latents,
  );
  const logits = model.logits(answerStates(model, composed, prefix)).to({ dtype: 'float32' }); // [N, V]
  const ids = indexTensor(composed.targetIds, [composed.targetIds.length], model.device);
  const losses = t.crossEntropy(logits, ids, { reduction: 'none' }).toArray();
  const firsts = new Int32Array(targets.length);
  for (let row = 1; row < targets.length; row++) firsts[row] = firsts[row - 1]! + targets[row - 1]!.length;
  const places = indexTensor(firsts, [firsts.length], model.device);
  const firstLogits = t.indexSelect(logits, 0, places); // [n, V]
  const gold = t.gather(firstLogits, 1, t.unsqueeze(t.indexSelect(ids, 0, places), 1)); // [n, 1]
  const ranks = t.sum(t.gt(firstLogits, gold), 1).toArray();
  return targets.map(({ length }, row) => {
    let nll = 0;
    for (let i = 0; i < length; i++) nll += losses[firsts[row]! + i]!;
    return { nll, tokens: length, firstTokenRank: ranks[row]! };
  });
}

/** Runs [start, end) of rows of at most TARGETS_AT_ONCE targets; a longer row stands alone. */
function chunks(targets: readonly Int32Array[]): [number, number][] {
  const result: [number, number][] = [];
  let start = 0;
  let held = 0;
  targets.forEach(({ length }, row) => {
    if (row > start && held + length > TARGETS_AT_ONCE) {
      result.push([start, row]);
      start = row;
      held = 0;
    }
    held += length;
  });
  if (targets.length > start) result.push([start, targets.length]);
  return result;
}
