/**
 * Puts all questions to all sources and writes predictions.jsonl batch by batch. The batches of every source are fixed
 * beforehand, so the file has one possible content; an interrupted evaluation goes on at the first batch that is not
 * wholly in it, and ends with the bytes that an uninterrupted one would have written.
 */
import type { Example, Task } from '../data/index.js';
import { releaseGeneration } from '../models/decoder/index.js';
import {
  type FileSystem,
  type PredictionRow,
  PredictionsWriter,
  readPredictionRows,
} from '../telemetry/index.js';
import { answerTokens } from '../wire/index.js';
import { answerBatch } from './answer-batch.js';
import { type AnswerSource, sourceBatches } from './answer-source.js';
import { jointAnswers, jointName } from './joint-rescoring.js';
import { scorerOf } from './scoring/index.js';

export interface AnswerAllOptions {
  readonly examples: readonly Example[];
  /** In the order of the file. */
  readonly sources: readonly AnswerSource[];
  /** Adds the mode `joint` over the sources of this mode, one per model; at least two. */
  readonly jointOf?: 'latent';
  readonly task: Task;
  /** Longest generated answer, in tokens. */
  readonly maxNewTokens: number;
  readonly batchSize: number;
  /** predictions.jsonl */
  readonly path: string;
  /** Keep the rows of an earlier, interrupted call with the same questions and sources. */
  readonly resume: boolean;
  /** Asked before every batch. */
  readonly shouldStop?: () => boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly fs?: FileSystem;
}

export type AnswerAllResult =
  | { readonly state: 'complete'; readonly rows: readonly PredictionRow[] }
  /** `done` of `total` rows are in the file, and synced. */
  | { readonly state: 'interrupted'; readonly done: number; readonly total: number };

/** Some questions for one model and way of answering. */
interface Batch {
  readonly mode: string;
  readonly model: string;
  readonly indices: readonly number[];
  /** @param rows all rows of the batches before */
  answer(rows: readonly PredictionRow[]): Promise<readonly PredictionRow[]>;
}

/**
 * @throws LatentWireError `io` when a row cannot be written: the file then ends with the row before, and a second call
 * goes on from there.
 */
export async function answerAll(options: AnswerAllOptions): Promise<AnswerAllResult> {
  const batches = [
    ...options.sources.flatMap((source) => ofSource(source, options)),
    ...jointBatches(options),
  ];
  const total = batches.reduce((n, { indices }) => n + indices.length, 0);
  const rows = options.resume ? finishedRows(options, batches) : [];
  using writer = new PredictionsWriter(options.path, {
    keep: rows.length,
    ...(options.fs && { fs: options.fs }),
  });
  let before = 0;
  for (const batch of batches) {
    before += batch.indices.length;
    if (before <= rows.length) continue;
    if (options.shouldStop?.() === true) {
      writer.sync();
      return { state: 'interrupted', done: rows.length, total };
    }
    for (const row of await batch.answer(rows)) {
      writer.append(row);
      rows.push(row);
    }
    options.onProgress?.(rows.length, total);
  }
  writer.sync();
  releaseGeneration();
  return { state: 'complete', rows };
}

function ofSource(source: AnswerSource, options: AnswerAllOptions): Batch[] {
  const { examples, task } = options;
  const score = scorerOf(task.scoring);
  return sourceBatches(source, options.batchSize).map((indices) => ({
    mode: source.mode,
    model: source.reader.name,
    indices,
    answer: async () => {
      const questions = indices.map((i) => examples[i]!);
      const { predictions, likelihoods } = await answerBatch(source, {
        indices,
        maxNewTokens: options.maxNewTokens,
        multiline: task.multiline,
        targets: await goldTargets(source, questions),
      });
      return questions.map(({ id, contextId: context_id, answers }, k): PredictionRow => {
        const prediction = predictions[k]!;
        const { exactMatch: em, f1 } = score(prediction, answers);
        const gold = likelihoods![k]!;
        return {
          ...{ id, context_id, mode: source.mode, model: source.reader.name, prediction, answers, em, f1 },
          ...{ nll: gold.nll, nll_tokens: gold.tokens, first_token_rank: gold.firstTokenRank },
        };
      });
    },
  }));
}

function jointBatches(options: AnswerAllOptions): Batch[] {
  const { examples, task, batchSize, jointOf } = options;
  if (jointOf === undefined) return [];
  const sources = options.sources.filter(({ mode }) => mode === jointOf);
  if (sources.length < 2) return [];
  const model = jointName(sources);
  const score = scorerOf(task.scoring);
  const batches: Batch[] = [];
  for (let start = 0; start < examples.length; start += batchSize) {
    const indices = examples.slice(start, start + batchSize).map((_, k) => start + k);
    batches.push({
      mode: 'joint',
      model,
      indices,
      answer: async (rows) => {
        const given = givenAnswers(rows, sources);
        const chosen = await jointAnswers(
          sources,
          indices,
          (source, i) => given[source]!.get(examples[i]!.id)!,
        );
        return indices.map((i, k): PredictionRow => {
          const { id, contextId: context_id, answers } = examples[i]!;
          const { prediction, scores } = chosen[k]!;
          const { exactMatch: em, f1 } = score(prediction, answers);
          return {
            ...{ id, context_id, mode: 'joint', model, prediction, answers, em, f1 },
            candidate_scores: scores,
          };
        });
      },
    });
  }
  return batches;
}

/** Answers of each source by question id. */
function givenAnswers(
  rows: readonly PredictionRow[],
  sources: readonly AnswerSource[],
): ReadonlyMap<string, string>[] {
  return sources.map(
    ({ mode, reader }) =>
      new Map(
        rows
          .filter((row) => row.mode === mode && row.model === reader.name)
          .map(({ id, prediction }) => [id, prediction]),
      ),
  );
}

/** The first gold answer of each question; where there is none, the empty answer. */
function goldTargets(source: AnswerSource, questions: readonly Example[]): Promise<Int32Array[]> {
  const golds = questions.map(({ answers }) => answers[0] ?? '');
  return answerTokens(source.reader, golds, Number.MAX_SAFE_INTEGER);
}

/** Rows of an earlier call, up to the last whole batch that is as this call would write it. */
function finishedRows(options: AnswerAllOptions, batches: readonly Batch[]): PredictionRow[] {
  const written = readPredictionRows(options.path);
  let kept = 0;
  for (const { mode, model, indices } of batches) {
    const same = indices.every((index, k) => {
      const row = written[kept + k];
      return row?.mode === mode && row.model === model && row.id === options.examples[index]!.id;
    });
    if (!same) break;
    kept += indices.length;
  }
  return written.slice(0, kept);
}
