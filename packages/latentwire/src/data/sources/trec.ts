/**
 * TREC question classification (Li and Roth 2002): lines "COARSE:fine question", published in ISO 8859-1
 * (train_5500.label, TREC_10.label); or the hub's JSON lines (`SetFit/TREC-QC`). Classes are read by name: the number of
 * a class differs between the hub's copies, and reading numbers in the wrong order is what mislabelled the original.
 */
import { describeValue, type Problems } from '../problems.js';
import { type DataRecord, isParquet, jsonLineRecords, parquetRecords } from '../records/index.js';
import { TREC_LABELS } from '../tasks/index.js';
import { type Source, textField } from './source.js';

const COLUMNS = {
  required: ['text', 'label_coarse_original'],
  source: 'SetFit/TREC-QC on the Hugging Face hub',
};

export const trec: Source = {
  name: 'trec',
  expected: 'lines "COARSE:fine question" of the UIUC question set, or the files of SetFit/TREC-QC',
  async records(bytes, file, problems) {
    if (isParquet(bytes)) return parquetRecords(bytes, file, COLUMNS);
    const text = decodeEither(bytes);
    if (text.trimStart().startsWith('{')) return jsonLineRecords({ text, file }, problems);
    return text.split('\n').flatMap((line, index) => classified(line.trim(), `line ${index + 1}`, problems));
  },
  example(record, problems) {
    const context = textField(record, 'text', problems);
    const label = TREC_LABELS.find((name) => name === record.fields.label_coarse_original);
    if (label === undefined) {
      const { label_coarse_original: got } = record.fields;
      problems.add(`${record.place}, class`, `one of ${TREC_LABELS.join(', ')}`, describeValue(got));
      return undefined;
    }
    return context === undefined ? undefined : { context, question: '', answers: [label] };
  },
};

function classified(line: string, place: string, problems: Problems): DataRecord[] {
  if (line === '') return [];
  const match = /^(?<coarse>[A-Z]+):\S+\s+(?<text>.*)$/.exec(line);
  if (match === null) {
    problems.add(place, '"COARSE:fine question"', describeValue(line));
    return [];
  }
  return [{ fields: { label_coarse_original: match.groups!.coarse, text: match.groups!.text }, place }];
}

/** UTF-8 if it is, else ISO 8859-1, in which the one byte 0xF0 of the official file stands for a space. */
function decodeEither(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString('latin1').replaceAll('\u00f0', ' ');
  }
}
