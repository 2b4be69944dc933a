/**
 * AG News (Zhang, Zhao and LeCun 2015, arXiv 1509.01626): CSV "class","title","description" with class 1–4, no header
 * (some copies have one, some join title and description); or the hub's Parquet (`fancyzhx/ag_news`: text, label 0–3).
 * An article is cut to its first 256 characters, as the original does.
 */
import { decodeUtf8 } from '../dataset-file.js';
import { describeValue, type Problems } from '../problems.js';
import { csvRows, type DataRecord, type DelimitedRow, isParquet, parquetRecords } from '../records/index.js';
import { AGNEWS_LABELS } from '../tasks/index.js';
import { labelField, type Source, textField } from './source.js';

const COLUMNS = { required: ['text', 'label'], source: 'fancyzhx/ag_news on the Hugging Face hub' };
const ARTICLE_CHARACTERS = 256;

export const agnews: Source = {
  name: 'agnews',
  expected: 'AG’s CSV "class 1–4","title","description", or the Parquet of fancyzhx/ag_news',
  async records(bytes, file, problems) {
    if (isParquet(bytes)) return parquetRecords(bytes, file, COLUMNS);
    const rows = csvRows({ text: decodeUtf8(bytes, file), file }, problems);
    const header = /^(?:class|label)/i.test(rows[0]?.cells[0] ?? '');
    return rows.slice(header ? 1 : 0).flatMap((row) => article(row, problems));
  },
  example(record, problems) {
    const text = textField(record, 'text', problems);
    const label = labelField(record, 'label', AGNEWS_LABELS, problems);
    if (text === undefined || label === undefined) return undefined;
    return { context: firstCharacters(text, ARTICLE_CHARACTERS), question: '', answers: [label] };
  },
};

function article({ cells, place }: DelimitedRow, problems: Problems): DataRecord[] {
  const [topic, ...texts] = cells;
  if (!/^[1-4]$/.test(topic!.trim()) || texts.length < 1 || texts.length > 2) {
    problems.add(place, 'a class of 1 to 4, a title and a description', describeValue(cells.join(',')));
    return [];
  }
  return [{ fields: { label: Number(topic) - 1, text: texts.map((part) => part.trim()).join(' ') }, place }];
}

/** Counted in code points, so that no character is cut in two. */
function firstCharacters(text: string, count: number): string {
  return text.length <= count ? text : Array.from(text).slice(0, count).join('');
}
