import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { tinySession } from '../training/tiny-session.fixture.js';
import { latentRow, type Segment } from '../wire/index.js';
import { latentSource, sourceBatches } from './answer-source.js';
import { answerLikelihoods } from './likelihood.js';

const { wire, reader, data } = tinySession(3, 9);
const { head, tails, targets } = data.readers[0]!;
const source = latentSource('latent', {
  ...{ wire, reader, readerIndex: 0, contexts: data.contexts, head, tails },
  messageBytes: (vectors) => vectors,
});

/** −log p of each target by one full forward pass over one row, and the rank of the first. */
function byHand(row: readonly Segment[], target: Int32Array, prefix: t.Tensor | null): number[] {
  return t.scope(() =>
    t.noGrad(() => {
      const parts = [...row, { kind: 'tokens', ids: target } as const].map((segment) =>
        segment.kind === 'latents'
          ? prefix!
          : reader.model.embed(t.tensor([Array.from(segment.ids)], { dtype: 'int64' })),
      );
      const logits = reader.model.logits(reader.model.hidden(t.cat(parts, 1)));
      const values = t.logSoftmax(t.squeeze(logits, 0)).toArray();
      const vocabulary = logits.size(-1);
      const start = logits.size(1) - target.length;
      return Array.from(target, (id, k) => -values[(start + k - 1) * vocabulary + id]!);
    }),
  );
}

describe('answer likelihoods', () => {
  it('are those of the very next token, for latents and for text, whatever shares the batch', () => {
    const all = data.examples.map((_, i) => i);
    t.scope(() =>
      t.noGrad(() => {
        const latent = answerLikelihoods(reader, source.rows, targets, source.latents, source.prefix!(all));
        const textRows = data.contexts.map((ids, i): Segment[] => [
          { kind: 'tokens', ids: head },
          { kind: 'tokens', ids },
          { kind: 'tokens', ids: tails[i]! },
        ]);
        const text = answerLikelihoods(reader, textRows, targets, 0, null);
        for (const i of all) {
          const own = byHand(latentRow(head, tails[i]!), targets[i]!, source.prefix!([i]));
          expect(latent[i]!.nll).toBeCloseTo(sum(own), 4);
          expect(latent[i]!.tokens).toBe(targets[i]!.length);
          expect(text[i]!.nll).toBeCloseTo(sum(byHand(textRows[i]!, targets[i]!, null)), 4);
          // The rank among 32 tokens, from the probabilities of each as first target.
          const each = Array.from(
            { length: 32 },
            (_, id) => byHand(textRows[i]!, Int32Array.of(id), null)[0]!,
          );
          expect(text[i]!.firstTokenRank).toBe(each.filter((nll) => nll < each[targets[i]![0]!]!).length);
        }
      }),
    );
  });

  it('do not change when long answers are cut into chunks', () => {
    const rows = data.contexts.slice(0, 3).map((ids): Segment[] => [{ kind: 'tokens', ids }]);
    const long = [40, 2030, 60].map((length, i) =>
      Int32Array.from({ length }, (_, k) => 2 + ((k * 7 + i) % 30)),
    );
    const together = answerLikelihoods(reader, rows, long, 0, null);
    const alone = rows.map((row, i) => answerLikelihoods(reader, [row], [long[i]!], 0, null)[0]!);
    together.forEach(({ nll, tokens, firstTokenRank }, i) => {
      expect(nll / tokens).toBeCloseTo(alone[i]!.nll / tokens, 4);
      expect(firstTokenRank).toBe(alone[i]!.firstTokenRank);
    });
  });
});

describe('batches of a source', () => {
  it('hold every row once, the longest first', () => {
    const batches = sourceBatches(source, 4);
    expect(batches.map((batch) => batch.length)).toEqual([4, 4, 1]);
    expect(batches.flat().sort((a, b) => a - b)).toEqual(data.examples.map((_, i) => i));
    const lengths = batches.flat().map((i) => tails[i]!.length);
    expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
  });
});

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
