/**
 * Scores a wire, its controls and the baselines for every reader, and writes predictions.jsonl. It may be interrupted
 * between two batches; the next call goes on there, and the metrics are those of an evaluation in one go.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import {
  type BaselineRows,
  baselineRows,
  type GenerativeBaseline,
  shuffledPartners,
} from '../baselines/index.js';
import { canonicalJson, type RunConfig } from '../config/index.js';
import { digestExamples } from '../data/index.js';
import { LatentWireError, nearestName } from '../errors.js';
import {
  type AnswerSource,
  answerAll,
  latentSource,
  measureLatency,
  summarise,
  textSizes,
} from '../evaluation/index.js';
import {
  ANSWER_MODES,
  type AnswerMode,
  type FileSystem,
  type Logger,
  type RunMetrics,
  type RunPaths,
  writeJsonAtomic,
} from '../telemetry/index.js';
import { messageBytes, quantisation } from '../wire/codec/index.js';
import { contextTokens, encoderText, type Reader } from '../wire/index.js';
import { taskOfRun } from './datasets.js';
import type { PreparedData, PreparedReader } from './prepare.js';
import type { Session } from './session.js';

export interface EvaluateRunOptions {
  readonly paths: RunPaths;
  readonly logger: Logger;
  /** Asked before every batch; true: stop there and keep what is done. */
  readonly shouldStop?: () => boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly fs?: FileSystem;
}

export type EvaluateRunResult =
  | { readonly state: 'complete'; readonly metrics: RunMetrics }
  | { readonly state: 'interrupted'; readonly done: number; readonly total: number };

/** What is measured when `eval_modes` names nothing. */
const DEFAULT_MODES: readonly AnswerMode[] = [
  'text',
  'token_budget',
  'no_context',
  'latent',
  'shuffled',
  'joint',
];

type BudgetMode = 'first' | 'last' | 'random';

const BASELINES: Readonly<Partial<Record<AnswerMode, readonly [GenerativeBaseline, BudgetMode]>>> = {
  text: ['text_only', 'first'],
  token_budget: ['token_budget', 'first'],
  token_budget_last: ['token_budget', 'last'],
  token_budget_random: ['token_budget', 'random'],
  no_context: ['no_context', 'first'],
  random_projection: ['random_projection', 'first'],
  pooled_embeddings: ['pooled_embeddings', 'first'],
};

/**
 * The modes that the configuration asks for, in the order of tables.
 * @param setting `evaluation.eval_modes`; items may hold several names with commas between them
 * @throws LatentWireError `input` naming the nearest mode
 */
export function evaluationModes(setting: readonly string[]): readonly AnswerMode[] {
  const names = setting.flatMap((item) => item.split(',')).map((name) => name.trim());
  if (names.length === 0) return DEFAULT_MODES;
  for (const name of names) {
    if ((ANSWER_MODES as readonly string[]).includes(name)) continue;
    const near = nearestName(name, ANSWER_MODES);
    throw new LatentWireError(
      `expected --eval-modes to name ways of answering (${ANSWER_MODES.join(', ')}), got ${JSON.stringify(name)}`,
      { code: 'input', ...(near !== undefined && { hint: `did you mean ${near}?` }) },
    );
  }
  return ANSWER_MODES.filter((mode) => names.includes(mode));
}

/** @param data Evaluation examples, prepared without targets. */
export async function evaluateRun(
  session: Session,
  data: PreparedData,
  options: EvaluateRunOptions,
): Promise<EvaluateRunResult> {
  const { config } = session;
  const { paths, logger, fs } = options;
  const modes = evaluationModes(config.evaluation.eval_modes);
  const task = taskOfRun(config);
  const sources: AnswerSource[] = [];
  for (const [index, prepared] of data.readers.entries()) {
    for (const mode of modes) {
      if (mode !== 'joint') sources.push(await answerSource(mode, session, data, prepared, index));
    }
  }
  const identity = identityOf(session, data, modes);
  const progress = new EvaluationProgress(path.join(paths.logs, 'evaluation.json'), identity, fs);
  const resume = progress.begin();
  const result = await answerAll({
    examples: data.examples,
    sources,
    ...(modes.includes('joint') && { jointOf: 'latent' }),
    task,
    maxNewTokens: config.evaluation.max_new_tokens,
    batchSize: config.evaluation.eval_batch_size,
    path: paths.predictions,
    resume,
    ...(options.shouldStop && { shouldStop: options.shouldStop }),
    ...(options.onProgress && { onProgress: options.onProgress }),
    ...(fs && { fs }),
  });
  if (result.state === 'interrupted') {
    logger.info('evaluation interrupted', { done: result.done, of: result.total });
    return result;
  }
  const tokens = await readerContextTokens(session.readers, data);
  const measured = summarise({
    rows: result.rows,
    sources,
    task,
    textSizes: textSizes(data.examples.map((e) => encoderText(e, config.encoder.encode))),
    contextTokens: tokens,
  });
  const latents = meanLatents(session, data);
  const encoderTokens = mean(data.contexts.map((ids) => ids.length));
  const metrics: RunMetrics = {
    dataset: config.data.dataset,
    samples: data.examples.length,
    ...measured,
    latent_len: latents,
    d_z: config.wire.d_z,
    context_tokens: encoderTokens,
    token_compression: encoderTokens / latents,
    truncated_contexts: data.truncatedContexts,
    ...(config.evaluation.measure_latency && {
      latency: measureLatency(sources, { batchSize: config.evaluation.eval_batch_size }),
    }),
  };
  logScores(logger, metrics);
  progress.complete();
  return { state: 'complete', metrics };
}

/** What is asked in one way, of one reader. */
export async function answerSource(
  mode: Exclude<AnswerMode, 'joint'>,
  session: Session,
  data: PreparedData,
  prepared: PreparedReader,
  readerIndex: number,
): Promise<AnswerSource> {
  const { config, wire, root } = session;
  const { reader, head, tails } = prepared;
  const positions = Math.round(meanLatents(session, data));
  if (mode === 'latent' || mode === 'shuffled') {
    const partners =
      mode === 'shuffled' ? shuffledPartners(data.examples, root.stream('shuffled-latents')) : undefined;
    const { group, d_z } = config.wire;
    const bits = sentBits(config);
    const format = quantisation(bits, group);
    const inputs = {
      ...{
        wire: bits === config.wire.bits ? wire : wire.sentAs(format),
        reader,
        readerIndex,
        contexts: data.contexts,
        head,
        tails,
      },
      expansion: config.evaluation.expansion,
      messageBytes: (vectors: number) => messageBytes(format, vectors, d_z),
    };
    return latentSource(mode, inputs, partners);
  }
  const [kind, budgetMode] = BASELINES[mode]!;
  const rows = await baselineRows(kind, {
    ...{ reader, examples: data.examples, positions, budgetMode, root },
    latentWidth: config.wire.d_z,
  });
  return { mode, reader, ...rows, messageBytes: await textBytes(mode, reader, data, rows) };
}

/** Bits per number of the messages that are scored. */
function sentBits({ evaluation, wire }: Pick<RunConfig, 'evaluation' | 'wire'>): number {
  return evaluation.bits ?? wire.bits;
}

/** Mean positions that latents take in a reader's input. */
function meanLatents({ config, wire }: Session, data: PreparedData): number {
  const { layout } = wire;
  const lengths = data.contexts.map((ids) => ids.length);
  return mean([...layout.seen(layout.shared(lengths, config.evaluation.expansion))]);
}

/** UTF-8 bytes of the context that a text baseline sends, per row; null for vectors. */
async function textBytes(
  mode: AnswerMode,
  reader: Reader,
  data: PreparedData,
  rows: BaselineRows,
): Promise<readonly number[] | null> {
  if (rows.prefix !== null) return null;
  const bytes = (text: string): number => Buffer.byteLength(text.trim(), 'utf8');
  if (mode === 'text') return data.examples.map((e) => bytes(e.context));
  if (mode === 'no_context') return data.examples.map(() => 0);
  // [head, tokens of the context, tail]
  const kept = await Promise.all(
    rows.rows.map((row) => (row[1]?.kind === 'tokens' ? reader.tokenizer.decode(row[1].ids) : '')),
  );
  return kept.map(bytes);
}

/** Mean tokens of the contexts in each reader's own tokenizer. */
async function readerContextTokens(
  readers: readonly Reader[],
  data: PreparedData,
): Promise<Map<string, number>> {
  const result = new Map<string, number>();
  for (const reader of readers) {
    const ids = await contextTokens(
      reader,
      data.examples.map((e) => e.context),
    );
    result.set(reader.name, mean(ids.map(({ length }) => length)));
  }
  return result;
}

/** What predictions are a function of: an evaluation of another identity starts anew. */
function identityOf(session: Session, data: PreparedData, modes: readonly AnswerMode[]): string {
  const { config, wire, readers, device } = session;
  const weights = [...wire.stateDict()];
  const digests = t.tensorDigests(weights.map(([, tensor]) => tensor));
  const settings = { model: config.model, encoder: config.encoder, wire: config.wire, run: config.run.seed };
  const { eval_batch_size, expansion, max_new_tokens } = config.evaluation;
  const document = {
    ...{ settings, eval_batch_size, expansion, max_new_tokens, modes, device, bits: sentBits(config) },
    readers: readers.map(({ name }) => name),
    examples: digestExamples(data.examples),
    weights: weights.map(([name], i) => [name, t.digestText(digests[i]!)]),
  };
  return createHash('sha256').update(canonicalJson(document)).digest('hex');
}

/** logs/evaluation.json: which evaluation predictions.jsonl belongs to, and whether it is under way. */
class EvaluationProgress {
  constructor(
    private readonly file: string,
    private readonly identity: string,
    private readonly fs: FileSystem | undefined,
  ) {}

  /** Marks the evaluation as under way. @returns whether the rows that are there are of this one, interrupted */
  begin(): boolean {
    const resume = this.#isMine();
    // Written before the first row, so that rows of another evaluation can never be taken for its own.
    if (!resume) writeJsonAtomic(this.file, { identity: this.identity, state: 'running' }, this.fs);
    return resume;
  }

  complete(): void {
    writeJsonAtomic(this.file, { identity: this.identity, state: 'complete' }, this.fs);
  }

  #isMine(): boolean {
    if (!existsSync(this.file)) return false;
    try {
      const { identity, state } = JSON.parse(readFileSync(this.file, 'utf8')) as Record<string, unknown>;
      return identity === this.identity && state === 'running';
    } catch {
      return false;
    }
  }
}

function logScores(logger: Logger, metrics: RunMetrics): void {
  for (const mode of ANSWER_MODES) {
    for (const [model, { em, f1 }] of Object.entries(metrics[mode] ?? {})) {
      logger.info(`evaluated ${mode}`, { model, f1: round(f1), em: round(em), n: metrics.samples });
    }
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function round(x: number): number {
  return Math.round(x * 1e4) / 1e4;
}
