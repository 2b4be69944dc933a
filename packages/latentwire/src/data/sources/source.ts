/**
 * Reading a published dataset: files into records, records into examples. One source per dataset says how; checks that
 * are the same for all (unique ids, at least one example, all mistakes named with file and place) are here.
 */
import { readDatasetFile } from '../dataset-file.js';
import { contextIdOf, type Dataset, type DatasetSource, digestExamples, type Example } from '../example.js';
import { describeValue, Problems } from '../problems.js';
import type { DataRecord } from '../records/index.js';
import { isText } from '../squad-json.js';

/** An example as a record states it; without an id it is named by dataset and row. */
export interface StatedExample {
  readonly id?: string;
  readonly context: string;
  readonly question: string;
  readonly answers: readonly string[];
  readonly title?: string;
}

/** How one dataset is read. */
export interface Source {
  readonly name: string;
  /** Where the format is described; the hint of an error. */
  readonly expected: string;
  records(bytes: Uint8Array, file: string, problems: Problems): Promise<readonly DataRecord[]>;
  /** The example of a record; undefined when something was noted in `problems`. */
  example(record: DataRecord, problems: Problems): StatedExample | undefined;
}

/**
 * Reads and checks all files of a split; several files are shards, joined in the given order.
 * @throws LatentWireError `input` (unreadable file) or `format` (file and place of what is wrong)
 */
export async function readSource(source: Source, files: readonly string[]): Promise<Dataset> {
  const examples: Example[] = [];
  const sources: DatasetSource[] = [];
  const placeOfId = new Map<string, string>();
  const contextIds = new Map<string, string>();
  for (const file of files) {
    const { source: read, bytes } = readDatasetFile(file);
    const problems = new Problems(file);
    const before = examples.length;
    for (const record of await source.records(bytes, file, problems)) {
      const stated = source.example(record, problems);
      if (stated === undefined) continue;
      const { id = `${source.name}-${examples.length}`, context, question, answers, title = '' } = stated;
      const earlier = placeOfId.get(id);
      if (earlier !== undefined) {
        problems.add(record.place, 'an id that occurs once', `${describeValue(id)}, also at ${earlier}`);
        continue;
      }
      placeOfId.set(id, `${file}, ${record.place}`);
      let contextId = contextIds.get(context);
      if (contextId === undefined) {
        contextId = contextIdOf(context);
        contextIds.set(context, contextId);
      }
      examples.push({ id, context, question, answers, title, contextId });
    }
    if (problems.count === 0 && examples.length === before) {
      problems.add('the file', 'at least one example', 'none');
    }
    problems.throwIfAny(`expected ${source.expected}`);
    sources.push(read);
  }
  return { examples, digest: digestExamples(examples), sources };
}

/** A non-empty text field of a record; what is wrong is noted. */
export function textField(record: DataRecord, name: string, problems: Problems): string | undefined {
  const value = record.fields[name];
  if (isText(value) && value.trim() !== '') return value;
  problems.add(`${record.place}, ${name}`, 'a non-empty text', describeValue(value));
  return undefined;
}

/** The label at an integer field. */
export function labelField(
  record: DataRecord,
  name: string,
  labels: readonly string[],
  problems: Problems,
): string | undefined {
  const value = record.fields[name];
  // Parquet's 64-bit integers come as BigInt.
  const label = typeof value === 'bigint' || typeof value === 'number' ? labels[Number(value)] : undefined;
  if (label === undefined) {
    const range = `a label from 0 (${labels[0]}) to ${labels.length - 1} (${labels.at(-1)})`;
    problems.add(`${record.place}, ${name}`, range, describeValue(value));
  }
  return label;
}
