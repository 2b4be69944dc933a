/** predictions.jsonl: one line per question, model and way of answering, written as the answers come. */
import type { FileSystem } from './file-system.js';
import { JsonLinesWriter, readJsonLines } from './json-lines.js';

export interface PredictionRow {
  /** Question id of the dataset. */
  readonly id: string;
  /** Model id. */
  readonly model: string;
  /** How it was answered: `text`, `latent`, … (see `ANSWER_MODES`). */
  readonly mode: string;
  readonly prediction: string;
  readonly answers: readonly string[];
  readonly em: number;
  readonly f1: number;
  readonly [name: string]: unknown;
}

export class PredictionsWriter {
  readonly #lines: JsonLinesWriter;

  /**
   * @param resume keep the rows that are there (an evaluation that goes on); otherwise start empty.
   * @throws LatentWireError `io`
   */
  constructor(path: string, options: { readonly resume: boolean; readonly fs?: FileSystem }) {
    this.#lines = new JsonLinesWriter(path, {
      truncate: !options.resume,
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
}

/** @throws LatentWireError `format` naming file and line. */
export function readPredictionRows(path: string): PredictionRow[] {
  return readJsonLines(path) as PredictionRow[];
}
