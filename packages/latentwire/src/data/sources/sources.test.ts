import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LatentWireError } from '../../errors.js';
import type { Example } from '../example.js';
import {
  type DatasetName,
  loadDataset,
  locateDataset,
  type Split,
  sharedDataHint,
  sharedDataRoot,
} from '../index.js';
import { Problems } from '../problems.js';
import { csvRows } from '../records/index.js';
import { labelsOf, taskOf } from '../tasks/index.js';

const golden = (name: string) => new URL(`../golden/datasets/${name}`, import.meta.url).pathname;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-sources-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const target = path.join(folder, name);
  writeFileSync(target, content);
  return target;
}

async function errorOf(name: DatasetName, target: string): Promise<LatentWireError> {
  const error = await loadDataset(name, [target]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LatentWireError);
  return error as LatentWireError;
}

const FORMATS: [DatasetName, string[]][] = [
  ['hotpot', ['hotpot.json', 'hotpot.jsonl', 'hotpot.parquet']],
  ['gsm8k', ['gsm8k.jsonl', 'gsm8k.parquet']],
  ['boolq', ['boolq.jsonl', 'boolq.parquet']],
  ['sst2', ['sst2.tsv', 'sst2.parquet']],
  ['agnews', ['agnews.csv', 'agnews.parquet']],
  ['trec', ['trec.label', 'trec.jsonl']],
];

describe.each(FORMATS)('%s', (name, files) => {
  it('is the same dataset in every format it is published in, packed or not', async () => {
    const datasets = await Promise.all(files.map((each) => loadDataset(name, [golden(each)])));
    const packed = await loadDataset(name, [file(`${name}.bin`, gzipSync(readFileSync(golden(files[0]!))))]);
    expect(datasets[0]!.examples.length).toBeGreaterThan(1);
    for (const { examples } of datasets) expect(examples).toEqual(datasets[0]!.examples);
    for (const { digest } of [...datasets, packed]) expect(digest).toBe(datasets[0]!.digest);
  });

  it('has labels of its task alone', async () => {
    const labels = labelsOf(taskOf(name));
    const { examples } = await loadDataset(name, [golden(files[0]!)]);
    if (labels !== null) for (const { answers } of examples) expect(labels).toContain(answers[0]);
  });

  it('survives any damaged byte with a clear error or a readable dataset', async () => {
    for (const each of files) {
      const good = readFileSync(golden(each));
      for (let position = 0; position < good.length; position += 23) {
        const bad = Buffer.from(good);
        bad[position]! ^= 0xff;
        const outcome = await loadDataset(name, [file('flipped', bad)]).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(LatentWireError);
      }
    }
  });
});

describe('examples', () => {
  const first = async (name: DatasetName, each: string): Promise<Example> =>
    (await loadDataset(name, [golden(each)])).examples[0]!;

  it('of hotpot hold the supporting paragraphs, and others only to fill up to two', async () => {
    const { examples } = await loadDataset('hotpot', [golden('hotpot.json')]);
    expect(examples[0]).toMatchObject({
      id: '5a0001',
      answers: ['yes'],
      context:
        'Odra (river): The Odra ends in the Baltic Sea. It is 854 km long.\nWieprza: The Wieprza is short. It ends in the Baltic Sea at Darłowo.',
    });
    expect(examples[1]!.context).toBe(
      'Odra (river): The Odra has no mill.\nGrün mill: Ada Grün built it “in haste”.',
    );
  });

  it('of gsm8k carry the problem and are answered by the worked solution', async () => {
    expect(await first('gsm8k', 'gsm8k.jsonl')).toMatchObject({
      id: 'gsm8k-0',
      context: 'A baker sells 12 loaves at $3 each. How much is that?',
      question: '',
      answers: ['12 loaves at $3 are 12 * 3 = $<<12*3=36>>36.\n#### 36'],
    });
  });

  it('of agnews are cut at 256 characters and keep quotes, commas and line ends', async () => {
    const { examples } = await loadDataset('agnews', [golden('agnews.csv')]);
    expect(examples.map(({ answers }) => answers[0])).toEqual(['business', 'science', 'world', 'sports']);
    expect(examples[0]!.context).toBe('Oil up Prices rose 2\\% to $50, "a record" (Reuters).');
    expect(examples[1]!.context).toBe('Moon, again A probe landed.\nIt is well.');
    expect(examples[2]!.context).toHaveLength(256);
  });

  it('of trec have the class that is written in the file, whatever the hub numbers it', async () => {
    for (const each of ['trec.label', 'trec.jsonl']) {
      const { examples } = await loadDataset('trec', [golden(each)]);
      expect(examples.map(({ answers }) => answers[0])).toEqual([
        'DESC',
        'ENTY',
        'ABBR',
        'HUM',
        'LOC',
        'NUM',
      ]);
      expect(examples[0]!.context).toBe('How did the tram leave Köln ?');
    }
    const odd = file('odd.label', Buffer.from('NUM:date When was\xf0it ?\n', 'latin1'));
    expect((await loadDataset('trec', [odd])).examples[0]!.context).toBe('When was it ?');
  });

  it('of shards are counted through', async () => {
    const { examples, sources } = await loadDataset('gsm8k', [
      golden('gsm8k.jsonl'),
      golden('gsm8k.parquet'),
    ]);
    expect(examples.map(({ id }) => id)).toEqual(['gsm8k-0', 'gsm8k-1', 'gsm8k-2', 'gsm8k-3']);
    expect(sources).toHaveLength(2);
    await expect(loadDataset('hotpot', [golden('hotpot.json'), golden('hotpot.jsonl')])).rejects.toThrow(
      'an id that occurs once, got "5a0001", also at',
    );
  });
});

describe('a wrong row', () => {
  const cases: [DatasetName, string, string][] = [
    ['gsm8k', '{"question": "q", "answer": "no number"}', 'line 1, answer: expected a solution that ends'],
    ['gsm8k', '{"question": "q"}\n\n{"question', 'line 3: expected a JSON object'],
    ['gsm8k', '[3]', '[0]: expected an object, got number 3'],
    ['gsm8k', '', 'the file: expected at least one example'],
    ['boolq', '{"question": "q", "answer": true}', 'line 1, passage: expected a non-empty text, got nothing'],
    [
      'boolq',
      '{"question": "q", "answer": "yes", "passage": "p"}',
      'answer: expected true or false, got "yes"',
    ],
    [
      'sst2',
      'sentence\tlabel\ngood\t1\nbad\t2\n',
      'line 3, label: expected a label from 0 (negative) to 1 (positive), got number 2',
    ],
    ['sst2', 'good\t1\nno label\n', 'line 2: expected a sentence, a tab and a label'],
    ['agnews', '"3","t","d"\n"5","t","d"\n', 'line 2: expected a class of 1 to 4'],
    ['agnews', '"3","a\nb","d"\n"4","open\n', 'line 3: expected a closing quote'],
    ['trec', 'NUM:date When ?\nnothing here\n', 'line 2: expected "COARSE:fine question"'],
    ['trec', 'FOO:bar Who ?\n', 'line 1, class: expected one of ABBR'],
    [
      'hotpot',
      '{"question": "q", "answer": "a", "supporting_facts": [], "context": []}',
      'line 1, context: expected a list',
    ],
    [
      'hotpot',
      '{"question": "q", "answer": "a", "supporting_facts": [[1]], "context": [["t", ["s"]]]}',
      'supporting_facts',
    ],
    ['hotpot', '[{', 'is not valid JSON'],
  ];
  it.each(cases)('%s is named with file and place: %j', async (name, content, message) => {
    const error = await errorOf(name, file('wrong.data', content));
    expect(error.message).toContain(message);
    expect(error.message).toContain('wrong.data');
    expect(error.exitCode).toBe(2);
  });

  it('in a Parquet file of another dataset names the columns', async () => {
    const error = await errorOf('boolq', golden('sst2.parquet'));
    expect(error.message).toContain(
      'expected the columns question, answer, passage, title, got none named question',
    );
  });
});

describe('CSV', () => {
  it('gives back what was written, for any cells', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'ż', '"', ',', '\n', ' ') });
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1 }), (rows) => {
        const text = rows.map((row) => row.map((c) => `"${c.replaceAll('"', '""')}"`).join(',')).join('\r\n');
        const problems = new Problems('x.csv');
        expect(csvRows({ text, file: 'x.csv' }, problems).map(({ cells }) => cells)).toEqual(rows);
        expect(problems.count).toBe(0);
      }),
    );
  });
});

describe('locateDataset', () => {
  it('takes the given file, then the data folder, then the hub with all shards', async () => {
    const env = { LATENTWIRE_DATA: folder };
    const asked: [string, readonly string[]][] = [];
    const fetch = async (repository: string, paths: readonly string[]) => {
      asked.push([repository, paths]);
      return paths.map((each) => `/cache/${each}`);
    };
    const options = { dataset: 'hotpot', split: 'train', env, fetch } as const;
    expect(await locateDataset({ ...options, file: 'mine.json' })).toEqual(['mine.json']);
    expect(await locateDataset(options)).toEqual([
      '/cache/distractor/train-00000-of-00002.parquet',
      '/cache/distractor/train-00001-of-00002.parquet',
    ]);
    expect(asked[0]![0]).toBe('hotpotqa/hotpot_qa');
  });

  it('says what to do when a dataset is nowhere', async () => {
    const options = { dataset: 'trec', split: 'dev', env: { LATENTWIRE_DATA: folder } } as const;
    const hint = expect.stringContaining('pass --dev-file, or set LATENTWIRE_DATA');
    await expect(locateDataset(options)).rejects.toMatchObject({ code: 'input', hint });
    const offline = () => Promise.reject(new LatentWireError('no connection', { code: 'network' }));
    await expect(locateDataset({ ...options, fetch: offline })).rejects.toMatchObject({
      code: 'network',
      hint,
    });
  });
});

/** Questions, and how many of each label. */
const published: [DatasetName, Split, number, Record<string, number>?][] = [
  ['hotpot', 'dev', 198],
  ['hotpot', 'train', 200],
  ['gsm8k', 'train', 7473],
  ['gsm8k', 'dev', 1319],
  ['sst2', 'dev', 872, { positive: 444, negative: 428 }],
  ['agnews', 'dev', 7600, { world: 1900, sports: 1900, business: 1900, science: 1900 }],
  // The published set has 500 (ENTY 94); this copy lacks one line.
  ['trec', 'dev', 499, { DESC: 138, NUM: 113, LOC: 81, HUM: 65, ABBR: 9, ENTY: 93 }],
  ['boolq', 'dev', 2474, { yes: 1237, no: 1237 }],
];
describe.skipIf(sharedDataRoot() === undefined)(`the published files (${sharedDataHint})`, () => {
  it.each(published)('%s %s: %d questions', async (dataset, split, questions, labels) => {
    const { examples } = await loadDataset(dataset, await locateDataset({ dataset, split }));
    expect(examples).toHaveLength(questions);
    const counts: Record<string, number> = {};
    for (const { answers } of examples) counts[answers[0]!] = (counts[answers[0]!] ?? 0) + 1;
    if (labels !== undefined) expect(counts).toEqual(labels);
  });
});
