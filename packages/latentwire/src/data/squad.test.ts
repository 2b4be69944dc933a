import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LatentWireError } from '../errors.js';
import { sharedDataFile, sharedDataHint } from './shared-data.js';
import { loadSquad } from './squad.js';
import type { SquadVersion } from './squad-json.js';

const golden = (name: string) => new URL(`./golden/${name}`, import.meta.url).pathname;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-squad-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const target = path.join(folder, name);
  writeFileSync(target, content);
  return target;
}

interface Tree {
  data: { title: string; paragraphs: { context: string; qas: Record<string, unknown>[] }[] }[];
}

/** Loads the v1.1 fixture after `change`, and returns the error it ends with. */
async function errorAfter(
  change: (tree: Tree) => void,
  version: SquadVersion = '1.1',
): Promise<LatentWireError> {
  const tree = JSON.parse(readFileSync(golden('squad-v1.1.json'), 'utf8')) as Tree;
  change(tree);
  return errorOf(file('changed.json', JSON.stringify(tree)), version);
}

async function errorOf(target: string, version: SquadVersion = '1.1'): Promise<LatentWireError> {
  const error = await loadSquad(target, version).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LatentWireError);
  return error as LatentWireError;
}

describe('SQuAD loader', () => {
  it('reads the same dataset from JSON, gzip and the hub’s Parquet', async () => {
    for (const version of ['1.1', '2.0'] as const) {
      const json = await loadSquad(golden(`squad-v${version}.json`), version);
      const parquet = await loadSquad(golden(`squad-v${version}.parquet`), version);
      const packed = await loadSquad(
        file('packed.bin', gzipSync(readFileSync(golden(`squad-v${version}.json`)))),
        version,
      );
      expect(parquet.examples).toEqual(json.examples);
      expect([parquet.digest, packed.digest]).toEqual([json.digest, json.digest]);
      expect(json.examples).toHaveLength(version === '1.1' ? 4 : 5);
    }
  });

  it('keeps all gold answers in order and marks shared contexts', async () => {
    const { examples } = await loadSquad(golden('squad-v1.1.json'));
    expect(examples[0]).toMatchObject({
      id: 'fixture-0000',
      question: 'When was the lighthouse lit?',
      answers: ['1852', 'in 1852', '1852'],
      title: 'Lighthouse',
    });
    expect(examples[0]!.contextId).toBe(examples[1]!.contextId);
    expect(examples[0]!.contextId).not.toBe(examples[2]!.contextId);
  });

  it('reads unanswerable questions as empty gold lists, in v2 only', async () => {
    const { examples } = await loadSquad(golden('squad-v2.0.json'), '2.0');
    expect(examples[4]!.answers).toEqual([]);
    const error = await errorOf(golden('squad-v2.0.json'));
    expect(error.message).toContain('this is SQuAD v2 data');
    expect((await errorOf(golden('squad-v2.0.parquet'))).message).toContain('row 4, answers.text');
  });

  it('joins shards, and refuses the same shard twice', async () => {
    const tree = JSON.parse(readFileSync(golden('squad-v1.1.json'), 'utf8')) as Tree;
    const shards = tree.data.map((article, i) => file(`shard${i}.json`, JSON.stringify({ data: [article] })));
    const whole = await loadSquad(golden('squad-v1.1.json'));
    expect((await loadSquad(shards)).digest).toBe(whole.digest);
    await expect(loadSquad([shards[0]!, shards[0]!])).rejects.toThrow('ids that occur once');
  });

  it('changes the digest when one character of the content changes', async () => {
    const text = readFileSync(golden('squad-v1.1.json'), 'utf8');
    const changed = await loadSquad(file('one.json', text.replace('oil', 'oiL')));
    const reformatted = await loadSquad(file('two.json', JSON.stringify(JSON.parse(text))));
    const { digest, sources } = await loadSquad(golden('squad-v1.1.json'));
    expect(changed.digest).not.toBe(digest);
    expect(reformatted.digest).toBe(digest);
    expect(sources[0]!.sha256).toBe(createHash('sha256').update(text).digest('hex'));
  });

  it('names the place of every kind of mistake', async () => {
    const qa = (tree: Tree) => tree.data[0]!.paragraphs[0]!.qas[0]!;
    const place = 'data[0].paragraphs[0].qas[0]';
    const cases: [(tree: Tree) => void, string][] = [
      [(tree) => delete qa(tree).answers, `${place}.answers: expected a list, got nothing`],
      [(tree) => (qa(tree).answers = []), `${place}.answers: expected at least one answer`],
      [
        (tree) => (qa(tree).answers = [{ text: '' }]),
        `${place}.answers[0]: expected a non-empty answer text`,
      ],
      [(tree) => (qa(tree).answers = [7]), `${place}.answers[0]: expected an object, got number 7`],
      [(tree) => (qa(tree).question = null), `${place}.question: expected a non-empty text, got null`],
      [(tree) => (qa(tree).question = 'lone \ud800'), `${place}.question: expected a non-empty text`],
      [(tree) => (qa(tree).id = 5), `${place}.id: expected a non-empty text, got number 5`],
      [(tree) => (qa(tree).id = 'fixture-0001'), '"fixture-0001", also at data[0].paragraphs[0].qas[0].id'],
      [(tree) => (tree.data = [] as Tree['data']), 'data: expected at least one question, got none'],
      [(tree) => (tree.data[1] = 3 as never), 'data[1]: expected an object, got number 3'],
    ];
    for (const [change, message] of cases) {
      const error = await errorAfter(change);
      expect(error.message).toContain(message);
      expect(error.message).toContain('changed.json');
      expect(error.exitCode).toBe(2);
    }
  });

  it('lists the first problems and counts the rest', async () => {
    const error = await errorAfter((tree) => {
      for (const article of tree.data)
        for (const p of article.paragraphs)
          for (const q of p.qas) {
            q.question = '';
            q.id = '';
          }
    });
    expect(error.message).toContain('has 8 problems');
    expect(error.message).toContain('and 3 more');
  });

  it('explains unreadable, truncated and mislabelled files', async () => {
    const text = readFileSync(golden('squad-v1.1.json'));
    const parquet = readFileSync(golden('squad-v1.1.parquet'));
    const packed = gzipSync(text);
    const cases: [string, string][] = [
      [path.join(folder, 'absent.json'), 'ENOENT'],
      [folder, 'expected a file'],
      [file('cut.json', text.subarray(0, 700)), 'is not valid JSON'],
      [file('empty.json', ''), 'is not valid JSON'],
      [file('cut.json.gz', packed.subarray(0, 200)), 'damaged gzip file'],
      [file('latin1.json', Buffer.from('{"data": "\xe9"}', 'latin1')), 'expected UTF-8'],
      [file('list.json', '[1]'), 'data: expected a list, got nothing'],
      [file('cut.parquet', parquet.subarray(0, 2000)), 'damaged Parquet file'],
      [file('broken.json', '{\n "data": [\n  "x\n'), 'broken.json:3:5 is not valid JSON'],
    ];
    for (const [target, message] of cases) expect((await errorOf(target)).message).toContain(message);
  });

  it('survives any damaged Parquet byte with a clear error or a readable dataset', async () => {
    const good = readFileSync(golden('squad-v1.1.parquet'));
    for (let position = 0; position < good.length; position += 37) {
      const bad = Buffer.from(good);
      bad[position]! ^= 0xff;
      const outcome = await loadSquad(file('flipped.parquet', bad)).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(LatentWireError);
    }
  });
});

const official: [string, SquadVersion, number, number][] = [
  ['squad/dev-v1.1.json.gz', '1.1', 10_570, 2_067],
  ['squad/dev-v2.0.json.gz', '2.0', 11_873, 1_204],
  ['squad/train-v1.1.json.gz', '1.1', 87_599, 18_891],
];
describe.each(official)('%s', (name, version, questions, contexts) => {
  const target = sharedDataFile(name);
  it.skipIf(target === undefined)(`has ${questions} questions (${sharedDataHint})`, async () => {
    const { examples } = await loadSquad(target!, version);
    expect(examples).toHaveLength(questions);
    expect(new Set(examples.map((example) => example.contextId)).size).toBe(contexts);
  });
});
