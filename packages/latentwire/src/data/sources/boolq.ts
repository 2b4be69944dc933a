/**
 * BoolQ (Clark et al. 2019, arXiv 1905.10044): JSON lines { question, title, answer: true | false, passage }. On the hub:
 * `google/boolq`.
 */
import { describeValue } from '../problems.js';
import { BOOLQ_LABELS } from '../tasks/index.js';
import { jsonOrParquet } from './json-or-parquet.js';
import { type Source, textField } from './source.js';

const COLUMNS = {
  required: ['question', 'answer', 'passage'],
  optional: ['title'],
  source: 'google/boolq on the Hugging Face hub',
};

export const boolq: Source = {
  name: 'boolq',
  expected: 'JSON lines {question, answer, passage} of BoolQ, or the Parquet of google/boolq',
  records: (bytes, file, problems) => jsonOrParquet(bytes, file, COLUMNS, problems),
  example(record, problems) {
    const context = textField(record, 'passage', problems);
    const question = textField(record, 'question', problems);
    const { answer, title } = record.fields;
    if (typeof answer !== 'boolean') {
      problems.add(`${record.place}, answer`, 'true or false', describeValue(answer));
      return undefined;
    }
    if (context === undefined || question === undefined) return undefined;
    const stated = { context, question, answers: [BOOLQ_LABELS[answer ? 1 : 0]] };
    return typeof title === 'string' ? { ...stated, title } : stated;
  },
};
