/**
 * SQuAD as the Hugging Face hub stores it (`rajpurkar/squad`, `rajpurkar/squad_v2`): Parquet with the columns
 * id, title, context, question, answers: struct<text: list<string>, answer_start: list<int32>>.
 * An unanswerable question (v2) has an empty `answers.text`.
 */
import { contextIdOf, type Example } from './example.js';
import { describeValue, Problems } from './problems.js';
import { parquetRecords } from './records/index.js';
import { checkAnswers, isText, type SquadVersion } from './squad-json.js';

const COLUMNS = {
  required: ['id', 'context', 'question', 'answers'],
  optional: ['title'],
  source: 'rajpurkar/squad on the Hugging Face hub',
};

/**
 * Reads the examples of one Parquet file, in row order.
 * @throws LatentWireError `format` naming the file and the row and column, e.g. `row 12, answers.text`.
 */
export async function parseSquadParquet(
  bytes: Uint8Array,
  file: string,
  version: SquadVersion,
): Promise<Example[]> {
  const records = await parquetRecords(bytes, file, COLUMNS);
  const problems = new Problems(file);
  const examples: Example[] = [];
  const rowOfId = new Map<string, number>();
  const idOfContext = new Map<string, string>();

  for (const [row, { fields }] of records.entries()) {
    const { id, title, context, question, answers } = fields;
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
  problems.throwIfAny(`expected the columns of ${COLUMNS.source}`);
  return examples;
}

function goldTexts(answers: unknown): readonly unknown[] | undefined {
  const text =
    typeof answers === 'object' && answers !== null ? (answers as { text?: unknown }).text : undefined;
  return Array.isArray(text) ? text : undefined;
}
