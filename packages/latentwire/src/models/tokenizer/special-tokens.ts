/**
 * What tokenizer_config.json says about a tokenizer beyond tokenizer.json: which tokens are BOS, EOS and padding,
 * whether a text gets them, and added tokens that tokenizer.json lacks. The rules are those of transformers.
 */
import { z } from 'zod';
import { LatentWireError } from '../../errors.js';
import type { SpecialTokenIds } from './tokenizer.js';
import { type AddedToken, type TokenizerJson, templateProcessor } from './tokenizer-json.js';

const token = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const flag = z.boolean().nullish();

export const tokenizerConfigSchema = z.looseObject({
  bos_token: token,
  eos_token: token,
  pad_token: token,
  add_bos_token: flag,
  add_eos_token: flag,
  /** SentencePiece models only: a space before every text between special tokens, not only at the start. */
  legacy: flag,
  added_tokens_decoder: z
    .record(
      z.string().regex(/^\d+$/),
      z.looseObject({
        content: z.string().min(1),
        single_word: z.boolean().default(false),
        lstrip: z.boolean().default(false),
        rstrip: z.boolean().default(false),
        normalized: z.boolean().default(true),
        special: z.boolean().default(false),
      }),
    )
    .nullish(),
});
export type TokenizerConfig = z.infer<typeof tokenizerConfigSchema>;

/** The spelling of a special token, stated as a string or as an added token. */
export function tokenText(value: TokenizerConfig['bos_token']): string | undefined {
  return typeof value === 'string' ? value : value?.content;
}

/**
 * Applies `config` to `json`.
 * @param source file name of the config for errors.
 */
export function withTokenizerConfig(
  json: TokenizerJson,
  config: TokenizerConfig,
  source: string,
): { json: TokenizerJson; special: SpecialTokenIds } {
  const completed = { ...json, added_tokens: completeAddedTokens(json, config) };
  const find = (field: 'bos_token' | 'eos_token' | 'pad_token') => {
    const content = tokenText(config[field]);
    return content === undefined ? null : { content, id: tokenIdIn(completed, content, field, source) };
  };
  const [bos, eos, pad] = [find('bos_token'), find('eos_token'), find('pad_token')];
  const special = { bosId: bos?.id ?? null, eosIds: eos === null ? [] : [eos.id], padId: pad?.id ?? null };
  // A stated flag replaces the post-processor of tokenizer.json; an absent one then means false.
  if (config.add_bos_token == null && config.add_eos_token == null) return { json: completed, special };
  const post_processor = templateProcessor(
    config.add_bos_token ? bos : null,
    config.add_eos_token ? eos : null,
  );
  return { json: { ...completed, post_processor }, special };
}

function completeAddedTokens(json: TokenizerJson, config: TokenizerConfig): AddedToken[] {
  const known = new Set(json.added_tokens.map(({ content }) => content));
  const more = Object.entries(config.added_tokens_decoder ?? {})
    .filter(([, { content }]) => !known.has(content))
    .map(([id, added]) => ({ ...added, id: Number(id) }));
  return [...json.added_tokens, ...more].sort((a, b) => a.id - b.id);
}

function tokenIdIn(json: TokenizerJson, content: string, field: string, source: string): number {
  const added = json.added_tokens.find((candidate) => candidate.content === content);
  const vocab = json.model.vocab as Record<string, number> | undefined;
  const id = added?.id ?? (vocab !== undefined && Object.hasOwn(vocab, content) ? vocab[content] : undefined);
  if (id !== undefined) return id;
  throw new LatentWireError(
    `${source}: field '${field}': expected a token of the vocabulary, got '${content}'`,
    {
      code: 'format',
      hint: 'tokenizer.json and tokenizer_config.json belong to different models',
    },
  );
}
