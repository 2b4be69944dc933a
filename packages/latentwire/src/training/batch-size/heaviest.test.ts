import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ShapeMultiples } from '../../wire/index.js';
import type { PreparedData } from '../prepare.js';
import { composeStep } from '../step-batches.js';
import { tinyConfig, tinySession } from '../tiny-session.fixture.js';
import { heaviestBatches, typicalBatch } from './heaviest.js';
import { batchPolicy } from './policy.js';
import { type LoadShape, longestWindow, type StepLoad, stepLoad } from './step-load.js';
import { firstMicroBatches, stepOrder } from './step-order.js';

const EXAMPLES = 60;
const thrice = <T>(list: readonly T[]): T[] => list.map((_, i) => list[i - (i % 3)]!);
const { wire, data: each } = tinySession(3, EXAMPLES, 2);
/** Every text with three questions. */
const data: PreparedData = {
  ...each,
  contexts: thrice(each.contexts),
  readers: each.readers.map((reader) => ({
    ...reader,
    repeat: { ...reader.repeat!, targets: thrice(reader.repeat!.targets) },
  })),
};
const everything = { examples: Number.POSITIVE_INFINITY, batches: Number.POSITIVE_INFINITY };
const terms = { alignment: 0, firstToken: 0, kToken: 0, kd: 0, manifold: 0 };
const STAGES = [
  { expansion: 1, weights: { ...terms, answer: 1, reconstruction: 0 } },
  { expansion: 1, weights: { ...terms, answer: 1, reconstruction: 0.3 } },
  { expansion: 2, weights: { ...terms, answer: 0, reconstruction: 1 } },
  { expansion: 2, weights: { ...terms, answer: 0, alignment: 1, reconstruction: 0 } },
];

function shapeWith(changes: Partial<LoadShape> = {}): LoadShape {
  return {
    ...{ stage: STAGES[1]!, readers: [0, 1], continues: false, readOnce: true, readingTokens: 4 },
    ...{ keepsLogits: { answers: true, reading: false }, multiples: {} },
    ...changes,
  };
}

/** All micro-batches of a run. */
function batchesOf(size: number, { epochs = 4, steps = null as number | null, processes = 1 } = {}) {
  const policy = batchPolicy({ grad_accum: 1, effective_batch: null }, size, processes);
  const config = { training: { epochs, max_steps: steps }, data: { questions_together: true } };
  const order = stepOrder({ config, root: new t.random.RandomRoot(5) }, data, policy);
  return firstMicroBatches(order, policy, everything);
}

describe('the load of a micro-batch', () => {
  it('is what its composed batches come to, padding and all', () => {
    const multiples: ShapeMultiples[] = [
      {},
      { texts: 8, positions: 8, targets: 8 },
      { texts: 4, positions: 2, rows: 4 },
    ];
    const indices = fc.uniqueArray(fc.integer({ min: 0, max: EXAMPLES - 1 }), {
      minLength: 1,
      maxLength: 20,
    });
    const shape = fc.record({
      stage: fc.constantFrom(...STAGES),
      readers: fc.constantFrom([0], [0, 1]),
      continues: fc.boolean(),
      readOnce: fc.boolean(),
      readingTokens: fc.constantFrom(null, 2, 5),
      keepsLogits: fc.record({ answers: fc.boolean(), reading: fc.boolean() }),
      multiples: fc.constantFrom(...multiples),
    });
    fc.assert(
      fc.property(indices, shape, (batch, of) => {
        const { batches } = composeStep(data, wire.layout, [batch], {
          ...{ stage: of.stage, k: 2, active: of.readers, readOnce: of.readOnce, multiples: of.multiples },
          continues: () => of.continues,
          readingWindow: (_, length) => longestWindow(length, of.readingTokens),
        });
        const { texts, readers } = batches[0]!;
        const { layers, hiddenSize, vocabSize } = tinyConfig;
        const expected = { encoded: texts.batch * texts.length, read: 0, logits: 0 };
        for (const { answers, reading } of readers) {
          for (const rows of [answers?.composed, reading]) {
            if (rows) expected.read += rows.batch * rows.length * layers * hiddenSize;
          }
          if (of.keepsLogits.answers)
            expected.logits += (answers?.composed.targetIds.length ?? 0) * vocabSize;
          if (of.keepsLogits.reading) expected.logits += (reading?.targetIds.length ?? 0) * vocabSize;
        }
        expect(stepLoad(data, wire.layout, of)(batch)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('counts a text of several questions once, as it is encoded and repeated', () => {
    const load = stepLoad(data, wire.layout, shapeWith({ stage: STAGES[2]! }));
    expect(load([0, 1, 2])).toEqual(load([0]));
    const apart = stepLoad(data, wire.layout, shapeWith({ stage: STAGES[2]!, readOnce: false }));
    expect(apart([0, 1, 2])).toMatchObject({ encoded: load([0]).encoded, read: 3 * load([0]).read });
  });
});

describe('the heaviest micro-batches of a run', () => {
  it('are some of its own, few, and as heavy as any of them in every respect', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.constantFrom(...STAGES), (size, stage) => {
        const batches = batchesOf(size);
        const load = stepLoad(data, wire.layout, shapeWith({ stage }));
        const chosen = heaviestBatches(batches, load);
        expect(chosen.length).toBeGreaterThan(0);
        expect(chosen.length).toBeLessThanOrEqual(4);
        for (const batch of chosen) expect(batches).toContain(batch);
        const most = (list: readonly (readonly number[])[], of: keyof StepLoad): number =>
          Math.max(...list.map((batch) => load(batch)[of]));
        for (const of of ['encoded', 'read', 'logits'] as const) {
          expect(most(chosen, of)).toBeGreaterThanOrEqual(0.98 * most(batches, of));
        }
        expect(heaviestBatches(batchesOf(size), load)).toEqual(chosen);
      }),
      { numRuns: 60 },
    );
  });

  it('are lighter than the longest examples of all put together', () => {
    const load = stepLoad(data, wire.layout, shapeWith());
    const lengthOf = (i: number): number => data.contexts[i]!.length;
    const oneOfEachText = data.contexts.map((_, i) => i).filter((i) => i % 3 === 0);
    const longest = oneOfEachText.sort((a, b) => lengthOf(b) - lengthOf(a)).slice(0, 6);
    for (const batch of heaviestBatches(batchesOf(6), load)) {
      expect(load(batch).encoded).toBeLessThan(load(longest).encoded);
    }
  });

  it('have one for each load, and one that has much of all', () => {
    const loads = [
      [9, 1, 1],
      [1, 9, 1],
      [1, 1, 9],
      [8, 8, 8],
      [2, 2, 2],
    ];
    const load = ([at]: readonly number[]): StepLoad => {
      const [encoded, read, logits] = loads[at!] as [number, number, number];
      return { encoded, read, logits };
    };
    const batches = loads.map((_, at) => [at]);
    expect(heaviestBatches(batches, load)).toEqual([[3], [0], [1], [2]]);
    expect(heaviestBatches(batches.slice(3), load)).toEqual([[3]]);
    expect(typicalBatch([[3], [4], [0]], load)).toEqual([0]);
  });

  it('are all examples where there are fewer than a batch has', () => {
    const batches = batchesOf(500);
    const load = stepLoad(data, wire.layout, shapeWith());
    for (const batch of [...heaviestBatches(batches, load), typicalBatch(batches, load)]) {
      expect([...batch].sort((a, b) => a - b)).toEqual(data.contexts.map((_, i) => i));
    }
  });
});

describe('the micro-batches that are looked at', () => {
  it('are those of the steps that the run has, each process its part', () => {
    expect(batchesOf(7, { epochs: 2 }).map(({ length }) => length)).toHaveLength(2 * Math.ceil(EXAMPLES / 7));
    expect(batchesOf(7, { steps: 3 })).toHaveLength(3);
    const parts = batchesOf(7, { epochs: 1, processes: 3 });
    expect(parts.flat().sort((a, b) => a - b)).toEqual(data.contexts.map((_, i) => i));
    for (const { length } of parts) expect(length).toBeLessThanOrEqual(7);
  });

  it('are no more than so many examples or batches of a long run, always the same', () => {
    const policy = batchPolicy({ grad_accum: 1, effective_batch: null }, 4);
    const config = { training: { epochs: 10 ** 6, max_steps: null }, data: { questions_together: true } };
    const order = () => stepOrder({ config, root: new t.random.RandomRoot(5) }, data, policy);
    const some = firstMicroBatches(order(), policy, { ...everything, examples: 1000 });
    expect(some.flat()).toHaveLength(1000);
    expect(firstMicroBatches(order(), policy, { ...everything, batches: 250 })).toEqual(some);
  });
});
