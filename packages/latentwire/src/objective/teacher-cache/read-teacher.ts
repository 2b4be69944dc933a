/** The frozen model reads texts: its distributions at the first places of each answer. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../../models/decoder/index.js';
import { compose } from '../../wire/index.js';
import { answerStates } from '../answer-loss.js';
import { topBuckets } from '../distillation-loss.js';
import type { TeacherPlan, TeacherValues } from './teacher-targets.js';

/** One example as the teacher sees it. */
export interface TeacherRow {
  /** The whole prompt with the context as text. */
  readonly prompt: Int32Array;
  /** The answer and the stop token. */
  readonly target: Int32Array;
}

/** Rows of one forward pass. Part of a shard's identity: another batch may round differently. */
export const TEACHER_BATCH = 32;

/**
 * Distributions of `rows`, a pure function of the rows: they are batched by length in a fixed way. Values are rounded
 * to float16 whether or not they are stored, so that a fresh and a cached run see the same.
 * @returns null when `shouldStop` said so; it is asked before each batch
 */
export async function readTeacher(
  model: LanguageModel,
  rows: readonly TeacherRow[],
  plan: TeacherPlan,
  shouldStop: () => boolean,
): Promise<TeacherValues | null> {
  const { positions, topK } = plan;
  const counts = Int32Array.from(rows, ({ target }) => Math.min(positions, target.length));
  const ids = new Int32Array(rows.length * positions * topK);
  const logProbs = new Float32Array(rows.length * positions * (topK + 1));
  const length = (row: number): number => rows[row]!.prompt.length + counts[row]!;
  const order = rows.map((_, row) => row).sort((a, b) => length(b) - length(a) || a - b);
  for (let start = 0; start < order.length; start += TEACHER_BATCH) {
    // Signals are delivered between turns of the event loop.
    await nextTurn();
    if (shouldStop()) return null;
    const members = order.slice(start, start + TEACHER_BATCH);
    const buckets = forward(
      model,
      members.map((row) => rows[row]!),
      plan,
    );
    let at = 0;
    for (const row of members) {
      const n = counts[row]!;
      ids.set(buckets.ids.subarray(at * topK, (at + n) * topK), row * positions * topK);
      logProbs.set(
        buckets.logProbs.subarray(at * (topK + 1), (at + n) * (topK + 1)),
        row * positions * (topK + 1),
      );
      at += n;
    }
  }
  return { counts, ids, logProbs };
}

/** [R · k] and [R · (k + 1)] of the R places of a batch, row by row. */
function forward(
  model: LanguageModel,
  rows: readonly TeacherRow[],
  { positions, topK, tau }: TeacherPlan,
): { ids: Int32Array; logProbs: Float32Array } {
  return t.scope(() =>
    t.noGrad(() => {
      const composed = compose(
        rows.map(({ prompt, target }) => [
          { kind: 'tokens', ids: prompt },
          { kind: 'target', ids: target.subarray(0, positions) },
        ]),
        'right',
        0,
      );
      const raw = model.logits(answerStates(model, composed, null)).to({ dtype: 'float32' });
      const logits = t.div(raw, tau);
      const { indices } = t.topk(logits, topK);
      const rounded = topBuckets(logits, indices).to({ dtype: 'float16' });
      return {
        ids: Int32Array.from(indices.toArray()),
        logProbs: rounded.toFloat32Array(),
      };
    }),
  );
}
