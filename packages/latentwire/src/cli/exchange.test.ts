import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { base64Bytes, readRows, writeRows } from './exchange-input.js';
import { runCli } from './program.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-exchange-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string | Uint8Array): string => {
  const place = path.join(folder, name);
  writeFileSync(place, content);
  return place;
};

async function failure(...args: string[]): Promise<{ code: number; message: string }> {
  const stdout: string[] = [];
  const output = { stdout: (text: string) => void stdout.push(text), stderr: () => {} };
  const code = await runCli([...args, '--json'], output);
  return { code, message: (JSON.parse(stdout.join('')) as { error: { message: string } }).error.message };
}

describe('latentwire encode and decode, given the wrong things', () => {
  it('want one source of text, and one of messages', async () => {
    const none = await failure('encode', '--run', 'r', '--out', 'o');
    expect(none).toEqual({ code: 2, message: 'expected one of --text, --file, --stdin, --jsonl, got none' });
    const two = await failure('decode', '--run', 'r', '--message', 'a', '--jsonl', 'b');
    expect(two).toEqual({ code: 2, message: 'expected one of --message, --jsonl, got --message, --jsonl' });
  });

  it('name the file that cannot be read, and text that is not UTF-8', async () => {
    const missing = path.join(folder, 'missing');
    expect((await failure('encode', '--run', 'r', '--out', 'o', '--file', missing)).message).toContain(
      missing,
    );
    expect((await failure('decode', '--run', 'r', '--message', missing)).message).toContain(missing);
    const latin1 = file('latin1.txt', Uint8Array.of(0x4f, 0xe9));
    expect((await failure('encode', '--run', 'r', '--out', 'o', '--file', latin1)).message).toContain(
      'UTF-8',
    );
  });

  it('name the run that is not there, before any model is loaded', async () => {
    const run = path.join(folder, 'no-run');
    const sent = await failure('encode', '--run', run, '--out', 'o', '--text', 'a');
    expect(sent).toEqual({ code: 2, message: `expected a run named no-run in ${folder}, found none` });
  });

  it('name the line of a batch that is wrong', () => {
    const rows = (text: string): unknown =>
      readRows(file('rows.jsonl', text), { text: 'text', question: 'optional', id: 'optional' }, {});
    expect(rows('{"text":"a","id":7}\n\n{"text":"b","question":"q"}\n')).toEqual([
      { text: 'a', id: '7' },
      { text: 'b', question: 'q' },
    ]);
    expect(() => rows('{"text":"a"}\nnot json')).toThrow('line 2: expected a JSON object, got not json');
    expect(() => rows('{"id":"x"}')).toThrow('line 1: expected a text as text, got none');
    expect(() => rows('{"text":5}')).toThrow('line 1: expected a text as text, got 5');
    expect(() => rows('\n')).toThrow('expected at least one line, got none');
  });

  it('give every row of a batch the question of the command line, unless it has its own', () => {
    const place = file('messages.jsonl', '{"message":"TFc="}\n{"message":"TFc=","question":"own"}\n');
    const rows = readRows(place, { message: 'text', question: 'optional' }, { question: 'given' });
    expect(rows.map(({ question }) => question)).toEqual(['given', 'own']);
  });

  it('refuse messages that are not base64', () => {
    expect([...base64Bytes('TFcS', 0, 'f')]).toEqual([0x4c, 0x57, 0x12]);
    expect([...base64Bytes('TFc', 0, 'f')]).toEqual([0x4c, 0x57]);
    expect(() => base64Bytes('TF*S', 2, 'f')).toThrow('f: expected message 3 in base64, got TF*S');
  });

  it('write one line per row', () => {
    const place = path.join(folder, 'written.jsonl');
    writeRows(place, [{ id: 'a', answer: 'b\nc' }, { answer: 'd' }]);
    expect(readFileSync(place, 'utf8')).toBe('{"id":"a","answer":"b\\nc"}\n{"answer":"d"}\n');
  });
});
