import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFacts } from '../../data/facts/index.js';
import type { Example } from '../../data/index.js';
import type { Reader } from '../../wire/index.js';
import { tinyLlamaReader } from '../tiny-llama.fixture.js';
import { crossValidated } from './cross-validation.js';
import { promptFeatures } from './features.js';
import { stratifiedFolds } from './folds.js';
import { linearProbe, macroF1, type ProbeOptions } from './linear-probe.js';

const root = new t.random.RandomRoot(5);
let reader: Reader;
beforeAll(async () => {
  reader = await tinyLlamaReader();
});
afterAll(() => reader.model.dispose());

const options: ProbeOptions = {
  layer: null,
  pooling: 'mean',
  folds: 4,
  c: 1,
  batchSize: 16,
  labels: ['cat', 'dog'],
  root,
};

/** Texts that a bag of words tells apart, except for the share of labels that is wrong. */
function animals(n: number): Example[] {
  return Array.from({ length: n }, (_, i) => {
    const label = i % 2 === 0 ? 'cat' : 'dog';
    const context = label === 'cat' ? `the cat sat ${i} times` : `a dog ran ${i} miles`;
    return { id: String(i), context, question: 'Which?', answers: [label], title: '', contextId: String(i) };
  });
}

describe('linearProbe', () => {
  it('tells texts apart that differ in their words, and is chance on labels that mean nothing', async () => {
    const good = await linearProbe(reader, animals(40), options);
    expect(good.accuracy).toBeGreaterThan(0.9);
    expect(good.macroF1).toBeGreaterThan(0.9);
    expect(good).toMatchObject({ classes: 2, coverage: 1 });
    const stream = root.stream('labels');
    const random = animals(80).map((e, i) => ({
      ...e,
      answers: [stream.uniformAt(i) < 0.5 ? 'cat' : 'dog'],
    }));
    const chance = await linearProbe(reader, random, options);
    // 80 coin flips: 0.5 ± 4 standard deviations. A fit that saw the test fold would be far above.
    expect(Math.abs(chance.accuracy - 0.5)).toBeLessThan(0.23);
  });

  it('gives the same predictions for the same seed', async () => {
    expect(await linearProbe(reader, animals(24), options)).toEqual(
      await linearProbe(reader, animals(24), options),
    );
  });

  it('predicts the first token of other answers, and counts rare ones as wrong', async () => {
    const { examples } = loadFacts({ split: 'dev', samples: 80 });
    const result = await linearProbe(reader, examples, {
      ...options,
      labels: null,
      pooling: 'last',
      folds: 3,
    });
    expect(result.coverage).toBeLessThan(1);
    expect(result.accuracy).toBeLessThanOrEqual(result.coverage);
    expect(result.golds.every((gold, i) => examples[i]!.answers[0]!.startsWith(gold))).toBe(true);
    const mean = result.foldAccuracies.reduce((a, b) => a + b, 0) / 3;
    expect(Math.abs(mean - result.accuracy)).toBeLessThan(0.02);
  });

  it('refuses a layer that is not there, and examples that cannot be split', async () => {
    await expect(linearProbe(reader, animals(20), { ...options, layer: 99 })).rejects.toThrow(/probe-layer/);
    await expect(linearProbe(reader, animals(4), options)).rejects.toThrow(/at least two answers/);
  });
});

describe('promptFeatures', () => {
  it('does not let a prompt depend on its batch-mates', () => {
    t.scope(() => {
      const prompts = [3, 9, 1, 6].map((n) =>
        Int32Array.from({ length: n }, (_, i) => 20 + ((i * 7 + n) % 50)),
      );
      for (const pooling of ['last', 'mean'] as const) {
        const together = promptFeatures(reader.model, prompts, { layer: 2, pooling, batchSize: 4 });
        const alone = promptFeatures(reader.model, prompts, { layer: 2, pooling, batchSize: 1 });
        expect(t.max(t.abs(t.sub(together, alone))).item()).toBeLessThan(1e-5);
      }
    });
  });

  it('takes the state that would predict the answer', () => {
    t.scope(() => {
      const prompt = Int32Array.of(30, 31, 32, 33);
      const features = promptFeatures(reader.model, [prompt], { layer: 1, pooling: 'last', batchSize: 1 });
      const ids = t.tensor([[...prompt]], { dtype: 'int64' });
      const states = reader.model.allHidden(reader.model.embed(ids))[1]!;
      expect(features.toFloat32Array()).toEqual(t.select(t.select(states, 0, 0), 0, 3).toFloat32Array());
    });
  });
});

describe('crossValidated', () => {
  it('scales by the training folds alone: an outlier changes nothing for its fold-mates, and all for the others', () => {
    const n = 40;
    const labels = Int32Array.from({ length: n }, (_, i) => i % 2);
    const fold = Int32Array.from({ length: n }, (_, i) => i % 4);
    const noise = root.stream('features');
    const predicted = (outlier: number): number[] =>
      t.scope(() => {
        // One number that is about 0.01 for one class and −0.01 for the other.
        const x = Float64Array.from(labels, (label, i) => 0.02 * label - 0.01 + 0.001 * noise.uniformAt(i));
        if (outlier >= 0) x[outlier] = 1e6;
        const features = t.fromTypedArray(x, [n, 1]);
        return [...crossValidated(features, labels, fold, { folds: 4, classes: 2, c: 1 })];
      });
    const rightIn = (result: readonly number[], wanted: (fold: number) => boolean): number =>
      result.filter((label, i) => i !== 7 && wanted(fold[i]!) && label === labels[i]).length;
    const clean = predicted(-1);
    expect(clean).toEqual([...labels]);
    const disturbed = predicted(7);
    expect(rightIn(disturbed, (f) => f === fold[7])).toBe(9);
    expect(rightIn(disturbed, (f) => f !== fold[7])).toBeLessThan(25);
  });
});

describe('stratifiedFolds', () => {
  it('shares every class among the folds, to within one example (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1, max: 4 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 2, max: 6 }),
        (labels, folds) => {
          const fold = stratifiedFolds(labels, folds, root.stream('folds'));
          const groups = [
            labels.map(() => true),
            ...[-1, 0, 1, 2, 3, 4].map((c) => labels.map((l) => l === c)),
          ];
          for (const group of groups) {
            const sizes = Array.from(
              { length: folds },
              (_, k) => labels.filter((_, i) => group[i] && fold[i] === k).length,
            );
            expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          }
        },
      ),
    );
  });
});

describe('macroF1', () => {
  it('is the unweighted mean over classes', () => {
    // a: precision 2/3, recall 1 → 0.8; b: precision 1, recall 1/2 → 2/3; c: predicted never, 1 gold → 0
    expect(macroF1(['a', 'a', 'a', 'b', 'b'], ['a', 'a', 'b', 'b', 'c'])).toBeCloseTo(
      (0.8 + 2 * ((0.5 * 0.5) / (0.5 + 0.5)) + 0) / 3,
      10,
    );
  });
});
