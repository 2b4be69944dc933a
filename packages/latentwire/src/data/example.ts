/**
 * One question-answering example and a loaded dataset. Every loader produces these, so a dataset read from
 * JSON and the same dataset read from Parquet are equal, down to the content digest.
 */
import { createHash } from 'node:crypto';

export interface Example {
  /** Unique within the dataset. */
  readonly id: string;
  readonly context: string;
  readonly question: string;
  /** All gold answers in file order; empty exactly when the question cannot be answered (SQuAD v2). */
  readonly answers: readonly string[];
  /** Title of the article; '' when the file has none. */
  readonly title: string;
  /** The same for every question about the same context: groups for caches and for clustered statistics. */
  readonly contextId: string;
}

/** A file that a dataset was read from. */
export interface DatasetSource {
  readonly path: string;
  readonly bytes: number;
  /** sha256 of the file as it lies on disk (compressed when it is compressed), hex. */
  readonly sha256: string;
}

export interface Dataset {
  readonly examples: readonly Example[];
  /** sha256 of the examples in order, hex: independent of file format, compression and white space. */
  readonly digest: string;
  readonly sources: readonly DatasetSource[];
}

/** Identity of a context: the first 128 bits of its sha256, hex. */
export function contextIdOf(context: string): string {
  return createHash('sha256').update(context, 'utf8').digest('hex').slice(0, 32);
}

/** Content digest of examples in order (see `Dataset.digest`). */
export function digestExamples(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { id, title, contextId, question, answers } of examples) {
    // contextId stands for the context, which would otherwise be hashed once per question.
    hash.update(`${JSON.stringify([id, title, contextId, question, answers])}\n`, 'utf8');
  }
  return hash.digest('hex');
}
