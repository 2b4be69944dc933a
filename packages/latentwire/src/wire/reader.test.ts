/**
 * Protects what readers are given and asked for: pieces of a prompt have the tokens that they have in the whole text, and
 * targets are the answer's own tokens and the stop token, never a BOS. (A full stop before a line break is one token in some: a
 * piece cannot have it, for latents stand there.)
 */
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { sharedDataHint } from '../data/index.js';
import { SharedTokenizers } from '../models/tokenizer/golden/shared-tokenizers.js';
import { loadTokenizer } from '../models/tokenizer/index.js';
import { PromptFormat } from './prompt-format.js';
import { answerTokens, contextTokens, headTokens, repeatTokens, tailTokens } from './reader.js';

const shared = new SharedTokenizers();
afterAll(() => shared.remove());
const golden = (name: string): string =>
  fileURLToPath(new URL(`../models/tokenizer/golden/${name}`, import.meta.url));

const ANSWERS = ['Paris', '1852', 'the river Seine', 'São Paulo', 'a'];

describe.each([
  ['llama-3.1', shared.folder('llama-3.1')],
  ['mistral-v3', shared.folder('mistral-v3')],
  ['qwen2.5', shared.folder('qwen2.5')],
  ['gpt2', shared.folder('gpt2')],
  ['a SentencePiece model that begins texts with a space', golden('tiny-prefix.model')],
  ['a SentencePiece model that does not', golden('tiny-bare.model')],
])('in the tokens of %s', (_, folder) => {
  const hint = folder === undefined ? ` (${sharedDataHint})` : '';
  it.skipIf(folder === undefined)(
    `pieces are those of the whole text, targets the answer${hint}`,
    async () => {
      const tokenizer = loadTokenizer(folder!);
      const { bosId, eosIds } = tokenizer.special;
      const stop = eosIds[0]!;
      const format = new PromptFormat({ renderChat: null, stopIds: [stop], bosId });
      const reader = { tokenizer, format };
      const targets = await answerTokens(reader, ANSWERS, 32);
      const head = await headTokens(reader);
      const [context] = await contextTokens(reader, ['A tram left']);
      const [tail] = await tailTokens(reader, ['Where?']);
      const whole = async (text: string): Promise<number[]> => [
        ...(await tokenizer.encodeBatch([text], { addSpecialTokens: false }))[0]!,
      ];
      const text = `${format.promptText('').head}${format.contextText('A tram left')}`;
      for (const [i, target] of targets.entries()) {
        const content = [...target.subarray(0, -1)];
        expect(target.at(-1)).toBe(stop);
        expect(content).not.toContain(stop);
        const read = [...head, ...context!, ...tail!];
        const prompt = head[0] === bosId ? read.slice(1) : read;
        expect([...prompt, ...content]).toEqual(
          await whole(`${text}${format.promptText('Where?').tail} ${ANSWERS[i]}`),
        );
        if (bosId === null) continue;
        expect(head[0]).toBe(bosId);
        if (bosId !== stop) expect([...read.slice(1), ...content]).not.toContain(bosId);
      }
      const repeat = await repeatTokens(reader);
      expect([...context!, ...repeat]).toEqual(
        (await whole(`${text}${format.repeatText().tail}`)).slice(head.length - (head[0] === bosId ? 1 : 0)),
      );
    },
  );
});
