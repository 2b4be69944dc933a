/** logs/metrics.json: the structured result of a run. Absent means not measured; nothing is ever filled in. */
import { readFileSync } from 'node:fs';
import { LatentWireError } from '../errors.js';
import { writeJsonAtomic } from './atomic-file.js';
import type { FileSystem } from './file-system.js';

/** Scores of one way of answering; em, f1 in [0, 1]. */
export interface AnswerMetrics {
  readonly em: number;
  readonly f1: number;
  /** Negative log-likelihood per answer token, nats. */
  readonly nll_token?: number;
  readonly [name: string]: unknown;
}

/** Scores per model id. */
export type PerModel = Readonly<Record<string, AnswerMetrics>>;

/** The four ways of answering that the first wire compares, in the order figures and tables show them. */
export const ANSWER_MODES = ['text', 'token_budget', 'no_context', 'latent'] as const;
export type AnswerMode = (typeof ANSWER_MODES)[number];

/**
 * text: the whole context as text; token_budget: its first M tokens; no_context: the question alone; latent:
 * the wire.
 */
export type RunMetrics = { readonly [mode in AnswerMode]?: PerModel } & {
  readonly dataset?: string;
  /** Questions evaluated. */
  readonly samples?: number;
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
