import { afterEach, describe, expect, it, vi } from 'vitest';
import * as decoder from '../../models/decoder/index.js';
import type { PreparedData } from '../prepare.js';
import type { Session } from '../session.js';
import { examples, tinyEvaluation } from '../tiny-evaluation.fixture.js';
import { tryEvaluation } from './evaluation-trial.js';

vi.mock('../../models/decoder/index.js', async (original) => {
  const whole = await original<typeof decoder>();
  return { ...whole, releaseGeneration: vi.fn(whole.releaseGeneration) };
});

const release = vi.mocked(decoder.releaseGeneration);
/** Of a training: with targets. */
async function training(): Promise<{ session: Session; data: PreparedData }> {
  const { session, prepare } = tinyEvaluation();
  const data = await prepare(examples());
  const targets = data.examples.map(() => Int32Array.of(3, 1));
  return { session, data: { ...data, readers: data.readers.map((reader) => ({ ...reader, targets })) } };
}

const gauge = { capacity: 10, begin: () => {}, peak: () => 7 };

afterEach(() => release.mockClear());

describe('a trial of the evaluation', () => {
  it('tells its peak, and leaves nothing of generation on the device', async () => {
    const { session, data } = await training();
    let batches = 0;
    const check = (): void => void batches++;
    expect(await tryEvaluation(session, data, { gauge, check })).toBe(7);
    expect(batches).toBe(4);
    expect(release).toHaveBeenCalled();
  });

  it('leaves nothing either when it is stopped', async () => {
    const { session, data } = await training();
    const check = (): void => {
      throw new Error('stopped');
    };
    await expect(tryEvaluation(session, data, { gauge, check })).rejects.toThrow('stopped');
    expect(release).toHaveBeenCalled();
  });
});
