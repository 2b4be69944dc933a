/**
 * logs/metrics.json: the structured result of a run. Absent means not measured; nothing is ever filled in. The layout is
 * documented in docs/METRICS.md.
 */
import { readFileSync } from 'node:fs';
import { LatentWireError } from '../errors.js';
import { writeJsonAtomic } from './atomic-file.js';
import type { FileSystem } from './file-system.js';

/**
 * The ways of answering, in the order tables show them.
 *
 * - text                 the whole context as text
 * - token_budget[_…]     M tokens of it: the first, the last, or random ones in their order
 * - no_context           the question alone
 * - latent               the wire
 * - shuffled             the wire, with the latents of another context (control)
 * - random_projection    M vectors of an untrained wire
 * - pooled_embeddings    M averages of the model's own token embeddings
 * - joint                of the answers that several models give from one message, the one all find most likely
 */
export const ANSWER_MODES = [
  'text',
  'token_budget',
  'token_budget_last',
  'token_budget_random',
  'no_context',
  'latent',
  'shuffled',
  'random_projection',
  'pooled_embeddings',
  'joint',
] as const;
export type AnswerMode = (typeof ANSWER_MODES)[number];

/** Mean bytes per question of what is sent, and of the same contexts as text. */
export interface MessageBytes {
  readonly message: number;
  /** The context as UTF-8. */
  readonly utf8: number;
  /** Each context alone by zlib (RFC 1950) at level 9. */
  readonly zlib: number;
  /** The same without zlib's wrapper (RFC 1951). */
  readonly deflate: number;
  /** Each context alone by Brotli (RFC 7932) at quality 11. */
  readonly brotli: number;
}

/** How many times smaller than the text; ratios of means. */
export interface CompressionRatios {
  /** Context tokens of this model per position that stands for the context. */
  readonly tokens: number;
  /** UTF-8 bytes per message byte, and so on. */
  readonly utf8?: number;
  readonly zlib?: number;
  readonly deflate?: number;
  readonly brotli?: number;
}

/** Scores of one way of answering; shares in [0, 1]. */
export interface AnswerMetrics {
  /** Exact match; for sets with labels this is the accuracy. */
  readonly em: number;
  /** Mean over questions; for sets with labels equal to the accuracy. */
  readonly f1: number;
  /** Sets with labels: unweighted mean of the F1 of each label. */
  readonly macro_f1?: number;
  /** −log p per token of the first gold answer and the stop token after it, in nats; teacher-forced. */
  readonly nll_token?: number;
  /** Questions whose first gold token is the most likely one, or among the five most likely. */
  readonly first_token_top1?: number;
  readonly first_token_top5?: number;
  /** Mean positions that stand for the context in the model's input. */
  readonly context_positions?: number;
  readonly bytes?: MessageBytes;
  readonly ratios?: CompressionRatios;
  readonly [name: string]: unknown;
}

/** Scores per model name; of `joint`, per group of models ("A+B"). */
export type PerModel = Readonly<Record<string, AnswerMetrics>>;

/** How several models compare on the same questions, per way of answering. */
export interface AgreementMetrics {
  /** Share of questions on which all models give the same answer after normalisation. */
  readonly agreement: number;
  /** Mean over questions of the best F1 of any model. */
  readonly oracle_f1: number;
  readonly oracle_em: number;
}

/** Median milliseconds of one batch, over `runs` runs. */
export interface LatencyMetrics {
  /** Text to soft prefix; absent for ways without vectors. */
  readonly encoder_ms?: number;
  /** Prompt to first token. */
  readonly prefill_ms: number;
  /** Each further token. */
  readonly decode_ms_per_token: number;
}

export interface LatencyBlock {
  readonly device: string;
  readonly batch_size: number;
  readonly warmup: number;
  readonly runs: number;
  readonly new_tokens: number;
  readonly modes: { readonly [mode in AnswerMode]?: Readonly<Record<string, LatencyMetrics>> };
}

export type RunMetrics = { readonly [mode in AnswerMode]?: PerModel } & {
  readonly dataset?: string;
  /** Questions evaluated. */
  readonly samples?: number;
  /** Per way of answering, when several models answered. */
  readonly agreement?: { readonly [mode in AnswerMode]?: AgreementMetrics };
  readonly latency?: LatencyBlock;
  readonly [name: string]: unknown;
};

/** Replaces metrics.json. @throws LatentWireError `io`; the previous file stays. */
export function writeMetrics(file: string, metrics: RunMetrics, system?: FileSystem): void {
  writeJsonAtomic(file, metrics, system);
}

/** The metrics of a run, or undefined when none were written. @throws LatentWireError `format` */
export function readMetrics(file: string): RunMetrics | undefined {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LatentWireError(`cannot read ${file}: ${(error as Error).message}`, {
      code: 'io',
      cause: error,
    });
  }
  try {
    return JSON.parse(source) as RunMetrics;
  } catch (error) {
    throw new LatentWireError(`${file} is not valid JSON: ${(error as Error).message}`, {
      code: 'format',
      cause: error,
    });
  }
}
