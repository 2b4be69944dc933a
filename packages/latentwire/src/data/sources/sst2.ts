/**
 * SST-2 (Socher et al. 2013) as GLUE publishes it: tab-separated `sentence TAB label` with a header line, label 0 negative,
 * 1 positive; the same without the header; or the hub's Parquet (`nyu-mll/glue`, configuration sst2).
 */
import { decodeUtf8 } from '../dataset-file.js';
import { describeValue, type Problems } from '../problems.js';
import { type DataRecord, isParquet, parquetRecords, tsvRows } from '../records/index.js';
import { SST2_LABELS } from '../tasks/index.js';
import { labelField, type Source, textField } from './source.js';

const COLUMNS = { required: ['sentence', 'label'], source: 'nyu-mll/glue (sst2) on the Hugging Face hub' };

export const sst2: Source = {
  name: 'sst2',
  expected: 'GLUE’s SST-2 lines "sentence TAB label" with label 0 or 1, or the Parquet of nyu-mll/glue',
  async records(bytes, file, problems) {
    if (isParquet(bytes)) return parquetRecords(bytes, file, COLUMNS);
    const [first, ...rest] = tsvRows({ text: decodeUtf8(bytes, file), file });
    const header = first?.cells[0] === 'sentence';
    const rows = first === undefined || header ? rest : [first, ...rest];
    return rows.flatMap((row) => labelled(row.cells, row.place, problems));
  },
  example(record, problems) {
    const context = textField(record, 'sentence', problems);
    const label = labelField(record, 'label', SST2_LABELS, problems);
    if (context === undefined || label === undefined) return undefined;
    return { context, question: '', answers: [label] };
  },
};

function labelled(cells: readonly string[], place: string, problems: Problems): DataRecord[] {
  const [sentence, label] = cells;
  if (cells.length !== 2 || !/^\d+$/.test(label!.trim())) {
    problems.add(place, 'a sentence, a tab and a label', describeValue(cells.join('\t')));
    return [];
  }
  return [{ fields: { sentence, label: Number(label) }, place }];
}
