/**
 * SQuAD as the Hugging Face hub stores it (`rajpurkar/squad`, `rajpurkar/squad_v2`): Parquet with the columns
 * id, title, context, question, answers: struct<text: list<string>, answer_start: list<int32>>.
 * An unanswerable question (v2) has an empty `answers.text`.
 */
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { LatentWireError } from '../errors.js';
import { contextIdOf, type Example } from './example.js';
import { describeValue, Problems } from './problems.js';
import { checkAnswers, isText, type SquadVersion } from './squad-json.js';

const COLUMNS = ['id', 'title', 'context', 'question', 'answers'];

/** True when the bytes carry Parquet's magic number. */
export function isParquet(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && Buffer.from(bytes.buffer, bytes.byteOffset, 4).toString('latin1') === 'PAR1';
}

/**
 * Reads the examples of one Parquet file, in row order.
 * @throws LatentWireError `format` naming the file and the row and column, e.g. `row 12, answers.text`.
 */
export async function parseSquadParquet(
  bytes: Uint8Array,
  file: string,
  version: SquadVersion,
): Promise<Example[]> {
  const rows = await readRows(bytes, file);
  const problems = new Problems(file);
  const examples: Example[] = [];
  const rowOfId = new Map<string, number>();
  const idOfContext = new Map<string, string>();

  for (const [row, { id, title, context, question, answers }] of rows.entries()) {
    const before = problems.count;
    for (const [column, value] of Object.entries({ id, context, question })) {
      if (!isText(value)) problems.add(`row ${row}, ${column}`, 'a non-empty text', describeValue(value));
    }
    const golds = goldTexts(answers);
    if (golds === undefined)
      problems.add(`row ${row}, answers.text`, 'a list of texts', describeValue(answers));
    const checked = golds && checkAnswers(golds, `row ${row}, answers.text`, version, problems);
    if (problems.count > before || checked === undefined) continue;
    const key = id as string;
    const text = context as string;
    const earlier = rowOfId.get(key);
    if (earlier !== undefined) {
      problems.add(
        `row ${row}, id`,
        'an id that occurs once',
        `${describeValue(key)}, also in row ${earlier}`,
      );
      continue;
    }
    rowOfId.set(key, row);
    let contextId = idOfContext.get(text);
    if (contextId === undefined) {
      contextId = contextIdOf(text);
      idOfContext.set(text, contextId);
    }
    const articleTitle = typeof title === 'string' ? title : '';
    examples.push({
      id: key,
      context: text,
      question: question as string,
      answers: checked,
      title: articleTitle,
      contextId,
    });
  }
  if (problems.count === 0 && examples.length === 0) problems.add('rows', 'at least one question', 'none');
  problems.throwIfAny('expected the columns of rajpurkar/squad on the Hugging Face hub');
  return examples;
}

async function readRows(bytes: Uint8Array, file: string): Promise<Record<string, unknown>[]> {
  // hyparquet reads from an ArrayBuffer; a Buffer may be a window of a larger pool, so it is copied out.
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const source = {
    byteLength: buffer.byteLength,
    slice: (start: number, end?: number) => buffer.slice(start, end),
  };
  try {
    const metadata = await parquetMetadataAsync(source);
    const present = new Set(metadata.schema.map((element) => element.name));
    const missing = COLUMNS.filter((column) => column !== 'title' && !present.has(column));
    if (missing.length > 0) {
      throw new LatentWireError(
        `${file}: expected the columns ${COLUMNS.join(', ')}, got none named ${missing.join(', ')}`,
        {
          code: 'format',
          hint: 'expected the columns of rajpurkar/squad on the Hugging Face hub',
        },
      );
    }
    const columns = COLUMNS.filter((column) => present.has(column));
    return await parquetReadObjects({ file: source, metadata, columns, compressors });
  } catch (error) {
    if (error instanceof LatentWireError) throw error;
    throw new LatentWireError(`${file} is a damaged Parquet file (${(error as Error).message})`, {
      code: 'format',
      hint: 'copy or download it again',
      cause: error,
    });
  }
}

function goldTexts(answers: unknown): readonly unknown[] | undefined {
  const text =
    typeof answers === 'object' && answers !== null ? (answers as { text?: unknown }).text : undefined;
  return Array.isArray(text) ? text : undefined;
}
