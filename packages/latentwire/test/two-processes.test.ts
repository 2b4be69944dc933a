/**
 * The two ends of a wire in two processes: messages go over files only, the sender has no reader and the receivers
 * have no encoder, and answers are those of the evaluation that ran beside the training.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { random } from '@latentwire/torch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../src/cli/program.js';
import { parseConfig } from '../src/config/index.js';
import type { Example } from '../src/data/index.js';
import { readPredictionRows, silentLogger } from '../src/telemetry/index.js';
import { loadSplit } from '../src/training/datasets.js';
import { openReceiver, openSender } from '../src/training/index.js';
import { decodeMessage } from '../src/wire/codec/index.js';
import { type CompiledSources, compileSources } from './support/compile-sources.js';
import { temporaryFolder } from './support/temporary-folder.js';

const assets = (name: string): string => fileURLToPath(new URL(`../assets/${name}`, import.meta.url));
const bundled = assets('tiny-llama');
const temporary = temporaryFolder();
const at = (name: string): string => path.join(temporary('exchange'), name);
const away = (name: string): string => path.join(temporary('elsewhere'), name);

let compiled: CompiledSources;
let examples: readonly Example[];

/** `latentwire …` in a process of its own. */
function latentwire(...args: string[]): { status: number | null; json: Record<string, unknown> } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [compiled.file('cli/main'), ...args, '--device', 'cpu', '--json'],
    { encoding: 'utf8', cwd: temporary('exchange') },
  );
  if (stdout === '') throw new Error(stderr);
  return { status, json: JSON.parse(stdout) as Record<string, unknown> };
}

const jsonLines = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const toJsonLines = (rows: readonly object[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

beforeAll(async () => {
  compiled = compileSources('cli/main.ts');
  for (const name of ['encoder', 'reader-a']) cpSync(bundled, at(name), { recursive: true });
  cpSync(assets('tiny-qwen2'), at('reader-b'), { recursive: true });
  const settings = [
    ...['--model', at('reader-a'), '--model', at('reader-b'), '--encoder-id', at('encoder')],
    ...['--dataset', 'facts', '--samples', '64', '--batch-size', '8', '--max-steps', '12', '--epochs', '2'],
    ...[
      '--latent-len',
      '4',
      '--d-z',
      '20',
      '--latent-private-len',
      '1',
      '--wire-bits',
      '4',
      '--wire-group',
      '16',
    ],
    ...['--eval-samples', '12', '--max-new-tokens', '6', '--device', 'cpu', '--save-dir', at('run')],
  ];
  const quiet = { stdout: () => {}, stderr: () => {} };
  expect(await runCli(['train', ...settings], quiet)).toBe(0);
  const config = parseConfig(
    JSON.parse(readFileSync(path.join(at('run'), 'config.json'), 'utf8')),
    'config.json',
  );
  examples = await loadSplit(config, 'dev', new random.RandomRoot(config.run.seed));
  // From here on the readers lie elsewhere: an encoder that looked for them would fail.
  mkdirSync(temporary('elsewhere'));
  for (const name of ['reader-a', 'reader-b']) renameSync(at(name), away(name));
}, 120_000);

afterAll(() => compiled.remove());

describe('latentwire encode and decode', () => {
  it('give in two processes, over a file, the answers of the evaluation, for every reader', () => {
    const contexts = [...new Map(examples.map((e) => [e.contextId, e.context])).entries()];
    writeFileSync(at('texts.jsonl'), toJsonLines(contexts.map(([id, text]) => ({ id, text }))));
    const sent = latentwire(
      'encode',
      '--run',
      at('run'),
      '--jsonl',
      at('texts.jsonl'),
      '--out',
      at('sent.jsonl'),
    );
    expect(sent.json).toMatchObject({ messages: contexts.length, bits: 4, group: 16, truncated: 0 });
    // 14 bytes, and for each of 4 vectors 2 scales and 20 codes of half a byte.
    expect(sent.json.bytes).toBe(contexts.length * (14 + 4 * (2 + 10)));

    renameSync(at('encoder'), away('encoder'));
    const messages = new Map(jsonLines(at('sent.jsonl')).map(({ id, message }) => [id, message]));
    const asked = examples.map(({ id, contextId, question }) => ({
      id,
      question,
      message: messages.get(contextId),
    }));
    writeFileSync(at('asked.jsonl'), toJsonLines(asked));
    const seen = new Set<unknown>();
    for (const name of ['reader-a', 'reader-b']) {
      const answered = latentwire(
        'decode',
        '--run',
        at('run'),
        '--model',
        away(name),
        '--jsonl',
        at('asked.jsonl'),
      );
      expect(answered.json).toMatchObject({ model: name, wire: sent.json.wire });
      const rows = readPredictionRows(path.join(at('run'), 'predictions.jsonl'));
      const evaluated = rows.filter((row) => row.mode === 'latent' && row.model === name);
      expect(evaluated).toHaveLength(12);
      const answers = answered.json.answers as { id: string; answer: string }[];
      expect(new Map(answers.map(({ id, answer }) => [id, answer]))).toEqual(
        new Map(evaluated.map(({ id, prediction }) => [id, prediction])),
      );
      for (const { answer } of answers) seen.add(answer);
    }
    // The answers depend on the messages: a comparison of constants would prove nothing.
    expect(seen.size).toBeGreaterThan(2);
    renameSync(away('encoder'), at('encoder'));
  }, 60_000);

  it('give one answer for one message, and refuse a damaged one and one of another wire', () => {
    const text = examples[0]!.context;
    writeFileSync(at('text.txt'), text);
    const sent = latentwire(
      'encode',
      '--run',
      at('run'),
      '--file',
      at('text.txt'),
      '--out',
      at('message.lw'),
    );
    const bytes = readFileSync(at('message.lw'));
    expect(sent.json).toMatchObject({ bytes: bytes.length, utf8_bytes: Buffer.byteLength(text) });

    const decode = (message: Uint8Array): ReturnType<typeof latentwire> => {
      writeFileSync(at('arrived.lw'), message);
      const ask = ['--model', away('reader-b'), '--question', examples[0]!.question];
      return latentwire('decode', '--run', at('run'), ...ask, '--message', at('arrived.lw'));
    };
    const [row] = readPredictionRows(path.join(at('run'), 'predictions.jsonl')).filter(
      ({ id, mode, model }) => id === examples[0]!.id && mode === 'latent' && model === 'reader-b',
    );
    expect(decode(bytes).json.answers).toEqual([{ answer: row!.prediction, bytes: bytes.length }]);

    const damaged = bytes.map((byte, i) => (i === 30 ? byte ^ 4 : byte));
    expect(decode(damaged)).toMatchObject({ status: 2, json: { error: { code: 'format' } } });
  }, 60_000);
});

describe('a wire whose latents carry the question, more of them for longer texts', () => {
  it('answers from messages as its evaluation did, and asks for the question at the right end', async () => {
    const quiet = { stdout: () => {}, stderr: () => {} };
    const settings = [
      ...['--model', bundled, '--encoder-id', bundled, '--dataset', 'facts', '--samples', '16'],
      ...['--batch-size', '8', '--max-steps', '2', '--encode', 'prompt', '--latent-ratio', '5', '--d-z', '8'],
      ...['--wire-bits', '2', '--wire-group', '0', '--eval-samples', '12', '--eval-modes', 'latent'],
      ...['--max-new-tokens', '5', '--device', 'cpu', '--save-dir', at('prompt')],
    ];
    expect(await runCli(['train', ...settings], quiet)).toBe(0);
    using sender = await openSender(at('prompt'), { logger: silentLogger });
    using receiver = await openReceiver(at('prompt'), { logger: silentLogger });
    const sent = await sender.encode(examples.map(({ context: text, question }) => ({ text, question })));
    expect(new Set(sent.map(({ latents }) => latents)).size).toBeGreaterThan(1);
    for (const { bytes, latents } of sent) expect(bytes.length).toBe(14 + 2 * latents);

    const answers = await receiver.answer(sent.map(({ bytes }) => ({ message: bytes })));
    const rows = readPredictionRows(path.join(at('prompt'), 'predictions.jsonl'));
    const evaluated = new Map(rows.map(({ id, prediction }) => [id, prediction]));
    expect(answers).toEqual(examples.map(({ id }) => evaluated.get(id)));

    await expect(sender.encode([{ text: 'a' }])).rejects.toThrow('expected a question with text 1, got none');
    const [message] = sent;
    await expect(receiver.answer([{ message: message!.bytes, question: 'q' }])).rejects.toThrow(
      'expected no question with message 1, got one',
    );
    using other = await openReceiver(at('run'), { logger: silentLogger, model: away('reader-a') });
    await expect(other.answer([{ message: message!.bytes, question: 'q' }])).rejects.toThrow(
      `expected a message of wire ${other.wire}, got one of wire ${sender.wire}`,
    );
  }, 60_000);
});

describe('a message', () => {
  it('does not depend on the texts that are encoded beside it', async () => {
    using sender = await openSender(at('run'), {
      logger: silentLogger,
      changes: [{ path: 'wire.bits', value: 32, origin: 'test' }],
    });
    const texts = [
      'Short.',
      ...examples.map(({ context }) => context),
      examples.map((e) => e.context).join(' '),
    ];
    const together = await sender.encode(texts.map((text) => ({ text })));
    for (const [i, text] of texts.entries()) {
      const [alone] = await sender.encode([{ text }]);
      const values = decodeMessage(alone!.bytes, sender.wire).latents.values;
      const besides = decodeMessage(together[i]!.bytes, sender.wire).latents.values;
      const largest = values.reduce((max, value, k) => Math.max(max, Math.abs(value - besides[k]!)), 0);
      expect(largest).toBeLessThan(1e-5);
    }
  });
});
