/** Greedy generation: tokens of transformers, cache against full recomputation, batches against single rows. */
import * as t from '@latentwire/torch';
import { afterAll, describe, expect, it } from 'vitest';
import { generate } from './generate.js';
import { CASES, loadFixture, readGolden } from './golden/fixture.js';
import { KVCache } from './kv-cache.js';
import type { LanguageModel } from './language-model.js';

const idsOf = (rows: number[][], device: t.Device): t.Tensor => t.tensor(rows, { dtype: 'int64', device });

/** Logits [B, V] of the last position by a forward pass over everything, without a cache. */
function recomputed(model: LanguageModel, rows: number[][]): Float32Array {
  return t.scope(() => {
    const hidden = model.hidden(model.embed(idsOf(rows, model.device)));
    return model.logits(t.select(hidden, 1, -1)).toFloat32Array();
  });
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}

/** Rows padded on the left to one length, with their mask. */
function leftPadded(rows: number[][], padId: number, device: t.Device): { ids: t.Tensor; valid: t.Tensor } {
  const length = Math.max(...rows.map((row) => row.length));
  const pads = rows.map((row) => length - row.length);
  return {
    ids: idsOf(
      rows.map((row, r) => [...new Array<number>(pads[r]!).fill(padId), ...row]),
      device,
    ),
    valid: t.tensor(
      rows.map((_, r) => Array.from({ length }, (_, i) => i >= pads[r]!)),
      { device },
    ),
  };
}

describe.each(CASES)('%s on %s', (family, device) => {
  const golden = readGolden(family);
  const model = loadFixture(family, { device });
  afterAll(() => model.dispose());
  const newTokens = golden.greedy[0]!.length;

  it('chooses the tokens that transformers chooses', () => {
    t.scope(() => {
      const full = generate(model, model.embed(idsOf(golden.ids, model.device)), {
        maxNewTokens: newTokens,
        stopIds: [],
      });
      expect(full).toEqual(golden.greedy);
      const rows = [golden.ids[0]!, golden.ids[1]!.slice(0, golden.short)];
      const { ids, valid } = leftPadded(rows, 0, device);
      const padded = generate(model, model.embed(ids), { maxNewTokens: newTokens, stopIds: [], valid });
      expect(padded).toEqual(golden.greedyPadded);
    });
  });

  it('has with a cache, token by token, the logits of a full forward pass', () => {
    t.noGrad(() =>
      t.scope(() => {
        using cache = new KVCache(model.config, 2, 12 + newTokens, { dtype: model.dtype, device });
        const rows = golden.ids.map((row) => [...row]);
        let input = model.embed(idsOf(rows, model.device));
        for (let step = 0; step < newTokens; step++) {
          const logits = model.logits(t.select(model.hidden(input, { cache }), 1, -1));
          expect(largestDifference(logits.toFloat32Array(), recomputed(model, rows))).toBeLessThan(1e-5);
          const next = t.argmax(logits, -1);
          next.toArray().forEach((id, r) => {
            rows[r]!.push(id);
          });
          input = model.embed(t.unsqueeze(next, 1));
        }
        expect(rows.map((row) => row.slice(12))).toEqual(golden.greedy);
      }),
    );
  });

  it('fills the cache in pieces of any length', () => {
    t.noGrad(() =>
      t.scope(() => {
        using cache = new KVCache(model.config, 2, 12, { dtype: model.dtype, device });
        const whole = model.hidden(model.embed(idsOf(golden.ids, model.device)));
        const pieces = [
          [0, 3],
          [3, 4],
          [4, 11],
          [11, 12],
        ].map(([from, to]) =>
          model.hidden(
            model.embed(
              idsOf(
                golden.ids.map((row) => row.slice(from, to)),
                device,
              ),
            ),
            { cache },
          ),
        );
        const joined = t.cat(pieces, 1);
        expect(largestDifference(joined.toFloat32Array(), whole.toFloat32Array())).toBeLessThan(1e-5);
      }),
    );
  });

  it('generates for a left-padded batch what it generates for each row alone', () => {
    t.scope(() => {
      const [first, second] = golden.ids as [number[], number[]];
      const rows = [first, second.slice(0, 7), second.slice(3, 4), first.slice(2, 11)];
      const { ids, valid } = leftPadded(rows, 5, device);
      const options = { maxNewTokens: newTokens, stopIds: [] };
      const together = generate(model, model.embed(ids), { ...options, valid });
      const alone = rows.map((row) => generate(model, model.embed(idsOf([row], device)), options)[0]);
      expect(together).toEqual(alone);
    });
  });
});

describe('stopping', () => {
  const golden = readGolden('mistral');
  const model = loadFixture('mistral');
  afterAll(() => model.dispose());
  const [first, second] = golden.greedy as [number[], number[]];
  const run = (maxNewTokens: number, stopIds: number[]): number[][] =>
    t.scope(() => generate(model, model.embed(idsOf(golden.ids, model.device)), { maxNewTokens, stopIds }));

  it('ends a row before its stop token and leaves the other rows as they were', () => {
    const stop = first.find((id) => !second.includes(id))!;
    expect(run(8, [stop])).toEqual([first.slice(0, first.indexOf(stop)), second]);
  });

  it('ends a row at whichever stop token comes first', () => {
    const until = (row: number[]): number[] => {
      const at = row.findIndex((id) => [first[4], second[2]].includes(id));
      return at < 0 ? row : row.slice(0, at);
    };
    expect(run(8, [first[4]!, second[2]!])).toEqual([until(first), until(second)]);
  });

  it('stops all rows early when every row has stopped', () => {
    expect(run(1000, [first[0]!, second[0]!])).toEqual([[], []]);
  });

  it('keeps to the limit of new tokens', () => {
    expect(run(3, [])).toEqual([first.slice(0, 3), second.slice(0, 3)]);
    expect(run(0, [])).toEqual([[], []]);
  });

  it('leaves no tensor behind', () => {
    run(2, []);
    const before = t.liveTensors();
    for (let i = 0; i < 5; i++) run(8, [first[5]!]);
    expect(t.liveTensors()).toBe(before);
  });
});
