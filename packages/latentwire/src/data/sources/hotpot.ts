/**
 * HotpotQA (Yang et al. 2018, arXiv 1809.09600): a JSON list (or JSON lines) of { _id, question, answer,
 * supporting_facts: [[title, sentence], …], context: [[title, [sentences]], …] }; or the hub's Parquet
 * (`hotpotqa/hotpot_qa`, configuration distractor), where the lists are columns of structures.
 *
 * The context of an example is its supporting paragraphs, in file order, each led by its title: what the answer needs,
 * without the distractors that were added for retrieval. Where retrieval missed one (full wiki), other paragraphs of the
 * file fill up to two, so that nothing of the gold labels tells such questions apart.
 */
import { describeValue, type Problems } from '../problems.js';
import type { DataRecord } from '../records/index.js';
import { jsonOrParquet } from './json-or-parquet.js';
import { type Source, textField } from './source.js';

const COLUMNS = {
  required: ['question', 'answer', 'supporting_facts', 'context'],
  optional: ['id'],
  source: 'hotpotqa/hotpot_qa on the Hugging Face hub',
};
const FEWEST_PARAGRAPHS = 2;

interface Paragraph {
  readonly title: string;
  readonly sentences: readonly string[];
}

export const hotpot: Source = {
  name: 'hotpot',
  expected: 'the JSON of hotpotqa.github.io (distractor setting), or the Parquet of hotpotqa/hotpot_qa',
  records: (bytes, file, problems) => jsonOrParquet(bytes, file, COLUMNS, problems),
  example(record, problems) {
    const question = textField(record, 'question', problems);
    const answer = textField(record, 'answer', problems);
    const paragraphs = paragraphsOf(record, problems);
    const titles = supportingTitles(record, problems);
    if (question === undefined || answer === undefined || paragraphs === undefined || titles === undefined) {
      return undefined;
    }
    const context = supportingText(paragraphs, titles);
    const id = record.fields._id ?? record.fields.id;
    const stated = { context, question, answers: [answer] };
    return typeof id === 'string' && id !== '' ? { ...stated, id } : stated;
  },
};

function supportingText(paragraphs: readonly Paragraph[], titles: ReadonlySet<string>): string {
  const chosen = new Set(paragraphs.filter(({ title }) => titles.has(title)));
  for (const paragraph of paragraphs) {
    if (chosen.size >= FEWEST_PARAGRAPHS) break;
    chosen.add(paragraph);
  }
  return paragraphs
    .filter((paragraph) => chosen.has(paragraph))
    .map(({ title, sentences }) => `${title}: ${sentences.join('').trim()}`)
    .join('\n');
}

function paragraphsOf(record: DataRecord, problems: Problems): readonly Paragraph[] | undefined {
  const value = record.fields.context;
  const pairs = pairsOf(value, 'title', 'sentences');
  const paragraphs = pairs?.flatMap(([title, sentences]) =>
    typeof title === 'string' && isTexts(sentences) ? [{ title, sentences }] : [],
  );
  if (pairs !== undefined && paragraphs!.length === pairs.length && pairs.length > 0) return paragraphs;
  problems.add(`${record.place}, context`, 'a list of [title, sentences]', describeValue(value));
  return undefined;
}

function supportingTitles(record: DataRecord, problems: Problems): ReadonlySet<string> | undefined {
  const value = record.fields.supporting_facts;
  const pairs = pairsOf(value, 'title', 'sent_id');
  const titles = pairs?.map(([title]) => title);
  if (titles !== undefined && isTexts(titles)) return new Set(titles);
  problems.add(`${record.place}, supporting_facts`, 'a list of [title, sentence]', describeValue(value));
  return undefined;
}

/** Pairs from the official list of lists, or from the hub's structure of two lists. */
function pairsOf(value: unknown, first: string, second: string): readonly [unknown, unknown][] | undefined {
  if (Array.isArray(value)) {
    return value.every((pair) => Array.isArray(pair) && pair.length === 2) ? value : undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { [first]: a, [second]: b } = value as Record<string, unknown>;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return undefined;
  return a.map((item, i) => [item, b[i]]);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
