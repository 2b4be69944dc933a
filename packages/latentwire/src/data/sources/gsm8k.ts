/**
 * GSM8K (Cobbe et al. 2021, arXiv 2110.14168): JSON lines { question, answer }, the answer a worked solution that ends in
 * "#### n". On the hub: `openai/gsm8k`, configuration main. The problem is the context: the wire carries it.
 */
import { describeValue } from '../problems.js';
import { jsonOrParquet } from './json-or-parquet.js';
import { type Source, textField } from './source.js';

const COLUMNS = { required: ['question', 'answer'], source: 'openai/gsm8k on the Hugging Face hub' };

export const gsm8k: Source = {
  name: 'gsm8k',
  expected:
    'JSON lines {question, answer} of github.com/openai/grade-school-math, or the Parquet of openai/gsm8k',
  records: (bytes, file, problems) => jsonOrParquet(bytes, file, COLUMNS, problems),
  example(record, problems) {
    const context = textField(record, 'question', problems);
    const answer = textField(record, 'answer', problems);
    if (context === undefined || answer === undefined) return undefined;
    if (!/####\s*-?[\d.,]*\d/.test(answer)) {
      problems.add(`${record.place}, answer`, 'a solution that ends in "#### number"', describeValue(answer));
      return undefined;
    }
    return { context, question: '', answers: [answer] };
  },
};
