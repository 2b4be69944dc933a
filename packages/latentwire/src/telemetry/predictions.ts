/**
 * predictions.jsonl: one line per question, model and way of answering, written as the answers come. An interrupted
 * evaluation keeps the rows of its finished batches and goes on behind them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { type FileSystem, ioError, nodeFileSystem } from './file-system.js';
import { JsonLinesWriter, readJsonLines } from './json-lines.js';

export interface PredictionRow {
  /** Question id of the dataset. */
  readonly id: string;
  /** Model name; of the mode `joint`, the names joined by "+". */
  readonly model: string;
  /** How it was answered: `text`, `latent`, … (see `ANSWER_MODES`). */
  readonly mode: string;
  readonly prediction: string;
  /** The same for all questions about one context: clusters for statistics. */
  readonly context_id?: string;
  /** All gold answers. */
  readonly answers: readonly string[];
  /** 0 or 1 */
  readonly em: number;
  /** In [0, 1]. */
  readonly f1: number;
  /** −log p of the first gold answer and the stop token, teacher-forced, in nats. */
  readonly nll?: number;
  /** Tokens that `nll` is the sum of. */
  readonly nll_tokens?: number;
  /** Tokens that the model finds more likely than the first one of the gold answer. */
  readonly first_token_rank?: number;
  readonly [name: string]: unknown;
}

export class PredictionsWriter {
  readonly #lines: JsonLinesWriter;

  /**
   * @param options `resume` keeps the rows that are there, `keep` the first so many of them.
   * @throws LatentWireError `io`
   */
  constructor(
    path: string,
    options: ({ readonly resume: boolean } | { readonly keep: number }) & { readonly fs?: FileSystem },
  ) {
    if ('keep' in options) keepRows(path, options.keep, options.fs ?? nodeFileSystem);
    this.#lines = new JsonLinesWriter(path, {
      truncate: 'keep' in options ? options.keep === 0 : !options.resume,
      ...(options.fs && { fs: options.fs }),
    });
  }

  append(row: PredictionRow): void {
    this.#lines.append(row);
  }

  sync(): void {
    this.#lines.sync();
  }

  close(): void {
    this.#lines.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @throws LatentWireError `format` naming file and line. */
export function readPredictionRows(path: string): PredictionRow[] {
  return readJsonLines(path) as PredictionRow[];
}

/** Cuts the file behind its first `count` lines; a line without its end is completed by the writer. */
function keepRows(path: string, count: number, system: FileSystem): void {
  if (!existsSync(path)) return;
  try {
    const bytes = readFileSync(path);
    let end = 0;
    for (let line = 0; line < count; line++) {
      const newline = bytes.indexOf(0x0a, end);
      if (newline < 0) return;
      end = newline + 1;
    }
    if (end === bytes.length) return;
    const fd = system.open(path, 'r+');
    try {
      system.truncate(fd, end);
      system.fsync(fd);
    } finally {
      system.close(fd);
    }
  } catch (error) {
    throw ioError('cut back', path, error);
  }
}
