import os from 'node:os';
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { applyAssignments } from '../../config/index.js';
import type { Session } from '../session.js';
import { type TinySession, tinySession, withTeachers } from '../tiny-session.fixture.js';
import { memoryGauge } from './memory-gauge.js';
import { Trials } from './trial.js';
import { heaviestStages, longestExamples } from './worst-case.js';

function sessionOf({ wire }: TinySession, settings: Readonly<Record<string, unknown>> = {}): Session {
  const all = { 'wire.latent_len': 3, 'objective.pretrain_share': 0.5, ...settings };
  const config = applyAssignments(
    Object.entries(all).map(([path, value]) => ({ path, value, origin: 'test' })),
  );
  return { config, wire, root: new t.random.RandomRoot(1) } as unknown as Session;
}

describe('a trial of a batch size', () => {
  it('puts the weights back to the byte, takes no gradient with it and leaves no tensor', async () => {
    const tiny = tinySession(7, 12, 2);
    const data = await withTeachers(tiny.data);
    const digests = () => t.tensorDigests(tiny.wire.parameters()).join();
    const before = digests();
    const options = { gauge: memoryGauge('cpu'), check: () => {} };
    // The first trial also makes tables that stay.
    const once = new Trials(sessionOf(tiny), data, options);
    once.measure(2, 'plain');
    once[Symbol.dispose]();
    const live = t.liveTensors();
    const trials = new Trials(sessionOf(tiny), data, options);
    expect(trials.measure(6, 'plain')).toBeGreaterThan(0);
    expect(trials.measure(6, 'launched')).toBeGreaterThan(0);
    expect(trials.time(6, 'plain')!.samplesPerSecond).toBeGreaterThan(0);
    expect(digests()).not.toEqual(before);
    trials[Symbol.dispose]();
    expect(digests()).toEqual(before);
    expect(tiny.wire.parameters().every((p) => p.grad === null)).toBe(true);
    expect(t.liveTensors()).toBe(live);
  });

  it('survives running out of memory in the middle of a step, and lets other errors through', async () => {
    const tiny = tinySession(7, 12);
    const data = await withTeachers(tiny.data);
    let calls = 0;
    let error: Error = new t.TorchError('CUDA out of memory. Tried to allocate 20 MiB');
    const check = (): void => {
      if (++calls === 3) throw error;
    };
    const settings = { 'training.grad_accum': 2 };
    using trials = new Trials(sessionOf(tiny, settings), data, { gauge: memoryGauge('cpu'), check });
    expect(trials.measure(6, 'plain')).toBeNull();
    const live = t.liveTensors();
    calls = 2;
    expect(trials.measure(6, 'plain')).toBeNull();
    expect(trials.measure(3, 'plain')).toBeGreaterThan(0);
    calls = 2;
    error = new Error('other');
    expect(() => trials.measure(3, 'plain')).toThrow('other');
    expect(t.liveTensors()).toBe(live);
  });
});

describe('the gauge of the host', () => {
  it('sees what was in use at most, and the limits of the machine', () => {
    const gauge = memoryGauge('cpu');
    gauge.begin();
    const before = gauge.peak();
    t.scope(() => t.ones([2 ** 25]));
    expect(gauge.peak() - before).toBeGreaterThan(2 ** 26);
    expect(gauge.capacity).toBeGreaterThan(before);
    expect(gauge.capacity).toBeLessThanOrEqual(os.totalmem());
  });
});

describe('the worst case', () => {
  const { data } = tinySession(7, 12);

  it('has the longest text of each kind at the front, and different texts before repeated ones', () => {
    const order = longestExamples(data, 12);
    expect([...order].sort((a, b) => a - b)).toEqual(data.contexts.map((_, i) => i));
    const longest = (of: (i: number) => number): boolean => {
      const most = Math.max(...order.map(of));
      return order.slice(0, 5).some((i) => of(i) === most);
    };
    expect(longest((i) => data.contexts[i]!.length)).toBe(true);
    expect(longest((i) => data.readers[0]!.tails[i]!.length)).toBe(true);
    expect(longest((i) => data.readers[0]!.targets[i]!.length)).toBe(true);
    const shared = { ...data, contexts: data.contexts.map((_, i) => data.contexts[i % 3]!) };
    const first = longestExamples(shared, 3);
    expect(new Set(first.map((i) => i % 3)).size).toBe(3);
  });

  it('is each set of terms with the most latents that it will have', () => {
    const stages = heaviestStages(
      {
        latents: 4,
        startExpansion: 5,
        pretrainShare: 0.4,
        descentLevels: 16,
        handoverShare: 0,
        descentAnswerWeight: 0,
        reconstructionWeight: 0.3,
        alignmentWeight: 0,
        firstToken: { weight: 0, warmup: 0 },
        kToken: { weight: 0, warmup: 0 },
        kd: { weight: 1, warmup: 0.1 },
        manifold: { weight: 0, warmup: 0 },
        roundedFrom: 0,
      },
      [1, 2],
    );
    expect(stages.map(({ name, expansion }) => `${name} ${expansion}`)).toEqual([
      'alignment 5',
      'descent 5',
      'answers 2',
    ]);
  });
});
