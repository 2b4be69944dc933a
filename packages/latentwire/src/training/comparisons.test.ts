import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Logger } from '../telemetry/index.js';
import { addComparisons } from './comparisons.js';
import { type PreparedData, prepareData } from './prepare.js';
import { examples, tinyEvaluation } from './tiny-evaluation.fixture.js';

let folder: string;
let messages: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'comparisons-'));
  messages = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const logger = {
  info: (message: string, fields?: object) => messages.push(`${message} ${JSON.stringify(fields ?? {})}`),
  warn: (message: string) => messages.push(message),
} as unknown as Logger;

async function compared(
  settings: Record<string, unknown>,
  shouldStop = () => false,
): Promise<PreparedData | null> {
  const { session } = tinyEvaluation({ 'objective.teacher_cache': join(folder, 'teacher'), ...settings });
  const data = await prepareData(examples(), {
    encoderTokenizer: session.encoderTokenizer,
    readers: session.readers,
    maxContextTokens: 64,
    maxAnswerTokens: 8,
    reconstruction: false,
  });
  return addComparisons(session, data, { logger, shouldStop });
}

describe('addComparisons', () => {
  it('reads each text once per model, and takes it from the disk the next time', async () => {
    const asked = { 'objective.kd_weight': 1, 'objective.k': 3, 'objective.kd_tau': 1.5 };
    const fresh = await compared(asked);
    expect(fresh!.readers.map(({ teacher }) => teacher!.plan)).toEqual([
      { positions: 3, topK: 31, tau: 1.5 },
      { positions: 3, topK: 31, tau: 1.5 },
    ]);
    expect(readdirSync(join(folder, 'teacher'))).toHaveLength(2); // two models
    expect(messages.filter((m) => m.includes('"computed":7'))).toHaveLength(2);
    const again = await compared(asked);
    expect(messages.filter((m) => m.includes('"computed":0'))).toHaveLength(2);
    expect(again!.readers.map(({ teacher }) => teacher!.arrays)).toEqual(
      fresh!.readers.map(({ teacher }) => teacher!.arrays),
    );
  });

  it('leaves out positions at which the teacher is wrong, unless all are asked for', async () => {
    const [right, all] = [
      await compared({ 'objective.kd_weight': 1 }),
      await compared({ 'objective.kd_weight': 1, 'objective.kd_positions': 'all' }),
    ];
    const total = (data: PreparedData | null): number =>
      data!.readers[0]!.teacher!.arrays.counts.reduce((a, b) => a + b, 0);
    expect(total(right)).toBeLessThan(total(all));
  });

  it.each([
    ['disabled', { 'objective.disable_kd': true, 'objective.kd_weight': 1 }],
    ['of weight 0', { 'objective.kd_weight': 0 }],
  ])('runs no teacher and writes nothing when distillation is %s', async (_, settings) => {
    const data = await compared(settings);
    expect(data!.readers.every(({ teacher }) => teacher === null)).toBe(true);
    expect(existsSync(join(folder, 'teacher'))).toBe(false);
  });

  it('takes statistics of the embeddings only for the manifold term', async () => {
    const off = { 'objective.disable_kd': true };
    expect((await compared(off))!.readers[0]!.statistics).toBeNull();
    const on = await compared({ ...off, 'objective.manifold_weight': 0.1 });
    for (const { statistics } of on!.readers) {
      expect(statistics!.mean.shape).toEqual([16]);
      statistics!.mean.dispose();
      statistics!.std.dispose();
    }
  });

  it('stops when it is told to', async () => {
    expect(await compared({ 'objective.kd_weight': 1 }, () => true)).toBeNull();
  });
});
