/**
 * Gates that a latent prefix relies on: text enters equally well as ids and as embeddings, padding changes nothing,
 * and gradients reach the real input embeddings and nothing else.
 */
import * as t from '@latentwire/torch';
import { afterAll, describe, expect, it } from 'vitest';
import type { ForwardOptions } from './forward.js';
import { CASES, loadFixture, readGolden } from './golden/fixture.js';
import { namedWeights } from './weights.js';

const IGNORED = -100;
type Side = 'left' | 'right';

/** One batch with both rows padded to `length`; row r keeps its first lengths[r] ids. */
function padded(ids: number[][], lengths: number[], length: number, side: Side, device: t.Device) {
  const rows = ids.map((row, r) => row.slice(0, lengths[r]));
  const pads = rows.map((row) => length - row.length);
  const place = <T>(row: readonly T[], r: number, filler: T): T[] => {
    const fill = new Array<T>(pads[r]!).fill(filler);
    return side === 'left' ? [...fill, ...row] : [...row, ...fill];
  };
  const valid = rows.map((row, r) =>
    place(
      row.map(() => true),
      r,
      false,
    ),
  );
  return {
    rows,
    valid,
    ids: t.tensor(
      rows.map((row, r) => place(row, r, 7)),
      { dtype: 'int64', device },
    ),
    /** the next id where there is one, else ignored */
    labels: t.tensor(
      rows.map((row, r) => place([...row.slice(1), IGNORED], r, IGNORED)),
      { dtype: 'int64', device },
    ),
    options: { valid: t.tensor(valid, { device }), rightPadded: side === 'right' } satisfies ForwardOptions,
  };
}

describe.each(CASES)('%s on %s', (family, device) => {
  const golden = readGolden(family);
  const model = loadFixture(family, { device });
  afterAll(() => model.dispose());
  const length = golden.ids[0]!.length;
  const lengths = [length, golden.short];

  const loss = (embeds: t.Tensor, labels: t.Tensor, options: ForwardOptions = {}): t.Tensor => {
    const logits = model.logits(model.hidden(embeds, options));
    return t.crossEntropy(t.reshape(logits, [-1, logits.size(-1)]), t.reshape(labels, [-1]), {
      ignoreIndex: IGNORED,
    });
  };
  /** Σ loss over the rows alone, weighted by their number of targets: what a padded batch must give. */
  const lossOfRows = (rows: number[][]): number => {
    const targets = rows.reduce((n, row) => n + row.length - 1, 0);
    return rows.reduce((sum, row) => {
      const { ids, labels } = padded([row], [row.length], row.length, 'left', device);
      return sum + (loss(model.embed(ids), labels).item() * (row.length - 1)) / targets;
    }, 0);
  };

  it('gives text as embeddings the loss of text as ids', () => {
    t.scope(() => {
      const { ids, labels } = padded(golden.ids, [length, length], length, 'left', device);
      const byIds = loss(model.embed(ids), labels).item();
      expect(byIds).toBeCloseTo(golden.loss, 5);
      // Vectors that never were ids: rows of the table by a matrix product, with the family's scale.
      const table = t.mul(model.weights.embed, Math.fround(model.config.embeddingScale));
      const oneHot = t.oneHot(ids, model.config.vocabSize).to({ dtype: 'float32' });
      expect(Math.abs(loss(t.matmul(oneHot, table), labels).item() - byIds)).toBeLessThan(1e-6);
      // A prefix of vectors before ids.
      const mixed = t.cat([t.matmul(t.narrow(oneHot, 1, 0, 4), table), model.embed(t.slice(ids, 1, 4))], 1);
      expect(Math.abs(loss(mixed, labels).item() - byIds)).toBeLessThan(1e-6);
    });
  });

  describe.each(['left', 'right'] as const)('padding on the %s', (side) => {
    it('leaves the logits of real tokens as they are without padding', () => {
      t.scope(() => {
        const batch = padded(golden.ids, lengths, length + 3, side, device);
        const logits = model.logits(model.hidden(model.embed(batch.ids), batch.options));
        batch.rows.forEach((row, r) => {
          const alone = model.logits(model.hidden(model.embed(t.tensor([row], { dtype: 'int64', device }))));
          const start = side === 'left' ? length + 3 - row.length : 0;
          const same = t.narrow(t.select(logits, 0, r), 0, start, row.length);
          const difference = t.max(t.abs(t.sub(same, t.select(alone, 0, 0)))).item();
          expect(difference).toBeLessThan(1e-5);
        });
      });
    });

    it('leaves the loss as it is, for any amount of padding', () => {
      t.scope(() => {
        const expected = lossOfRows([golden.ids[0]!, golden.ids[1]!.slice(0, golden.short)]);
        for (const extra of [0, 1, 9]) {
          const { ids, labels, options } = padded(golden.ids, lengths, length + extra, side, device);
          expect(Math.abs(loss(model.embed(ids), labels, options).item() - expected)).toBeLessThan(1e-5);
        }
      });
    });

    it('gives padded positions a gradient of exactly 0', () => {
      t.scope(() => {
        const batch = padded(golden.ids, lengths, length + 2, side, device);
        const embeds = model.embed(batch.ids).detach().setRequiresGrad();
        t.backward(loss(embeds, batch.labels, batch.options));
        const gradient = embeds.grad!.tolist() as number[][][];
        gradient.forEach((row, r) => {
          const largest = row.map((vector) => Math.max(...vector.map(Math.abs)));
          const real = largest.filter((_, i) => batch.valid[r]![i]);
          // All but the last token, which predicts nothing and is seen by none.
          expect(real.slice(0, -1).every((size) => size > 0)).toBe(true);
          expect(largest.filter((_, i) => !batch.valid[r]![i]).every((size) => size === 0)).toBe(true);
        });
      });
    });
  });

  it('sees the whole text and no padding without causality', () => {
    t.scope(() => {
      const batch = padded(golden.ids, lengths, length + 3, 'right', device);
      const states = model.hidden(model.embed(batch.ids), { ...batch.options, causal: false });
      batch.rows.forEach((row, r) => {
        const ids = t.tensor([row], { dtype: 'int64', device });
        const alone = model.hidden(model.embed(ids), { causal: false });
        const same = t.narrow(t.select(states, 0, r), 0, 0, row.length);
        expect(t.max(t.abs(t.sub(same, t.select(alone, 0, 0)))).item()).toBeLessThan(1e-5);
        // A changed last token changes the first state.
        const changed = t.tensor([[...row.slice(0, -1), row.at(-1) === 3 ? 4 : 3]], {
          dtype: 'int64',
          device,
        });
        const other = model.hidden(model.embed(changed), { causal: false });
        const first = t.narrow(t.sub(other, alone), 1, 0, 1);
        if (model.config.slidingWindow === null) expect(t.max(t.abs(first)).item()).toBeGreaterThan(1e-4);
      });
    });
  });

  it('builds no gradient of a frozen weight and keeps no tensor', () => {
    const weights = [...namedWeights(model.weights).values()];
    expect(weights.some((w) => w.requiresGrad)).toBe(false);
    const step = (): void =>
      t.scope(() => {
        const { ids, labels } = padded(golden.ids, [length, length], length, 'left', device);
        const embeds = model.embed(ids).detach().setRequiresGrad();
        t.backward(loss(embeds, labels));
        expect(embeds.grad).not.toBeNull();
      });
    step();
    const before = t.liveTensors();
    for (let i = 0; i < 5; i++) step();
    expect(t.liveTensors()).toBe(before);
    expect(weights.every((w) => w.grad === null)).toBe(true);
  });
});
