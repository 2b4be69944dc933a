/**
 * The tokenizer.json format of Hugging Face: its type, and the checks that name the field at fault before the
 * text reaches the Rust library (whose errors name none).
 *
 * Source: serialisation of the `tokenizers` library, version 1.0.
 */
import { z } from 'zod';
import { LatentWireError } from '../../errors.js';
import { checkJson } from '../config/index.js';

const MAX_ID = 1 << 24;

const addedToken = z.looseObject({
  id: z.int().min(0).max(MAX_ID),
  content: z.string().min(1),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(true),
  special: z.boolean().default(false),
});
export type AddedToken = z.infer<typeof addedToken>;

const component = z.looseObject({ type: z.string() }).nullish();

const document = z.looseObject({
  added_tokens: z.array(addedToken).default([]),
  normalizer: component,
  pre_tokenizer: component,
  post_processor: component,
  decoder: component,
  // `type` is absent in the oldest files.
  model: z.looseObject({ type: z.string().optional() }),
});

/** Not z.record: that copies the object and drops the key `__proto__`, which is a token like any other. */
function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const bpeModel = z.looseObject({
  vocab: z.custom<Record<string, unknown>>(isPlainObject, { error: 'expected an object of token ids' }),
  merges: z.array(z.unknown()),
  continuing_subword_prefix: z.string().nullish(),
  unk_token: z.string().nullish(),
});

/** A whole tokenizer.json; components beyond the added tokens and the model are passed on as they are. */
export type TokenizerJson = z.infer<typeof document>;
/** A normalizer, pre-tokenizer, post-processor or decoder: `{type: …}` with the fields of its type. */
export type TokenizerComponent = NonNullable<TokenizerJson['normalizer']>;

/**
 * @param source file name for errors.
 * @returns the document with truncation and padding off: they belong to one training run, not to the tokenizer.
 * @throws LatentWireError 'format' naming file and field.
 */
export function checkTokenizerJson(value: unknown, source: string): TokenizerJson {
  const json = checkJson(document, value, source);
  checkAddedTokens(json.added_tokens, source);
  const { type } = json.model;
  if (type === undefined || type === 'BPE') checkBpe(json.model, source);
  return { ...json, truncation: null, padding: null };
}

/** A post-processor that adds BOS before and EOS after a text, either or both or none. */
export function templateProcessor(bos: TokenWithId | null, eos: TokenWithId | null): TokenizerComponent {
  const special = (token: TokenWithId) => ({ SpecialToken: { id: token.content, type_id: 0 } });
  const parts = [
    ...(bos ? [special(bos)] : []),
    { Sequence: { id: 'A', type_id: 0 } },
    ...(eos ? [special(eos)] : []),
  ];
  const tokens = [bos, eos].filter((token) => token !== null);
  return {
    type: 'TemplateProcessing',
    single: parts,
    // Pairs are never encoded; the format wants a template for them.
    pair: [...parts, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: Object.fromEntries(
      tokens.map(({ content, id }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}

export interface TokenWithId {
  readonly content: string;
  readonly id: number;
}

function checkAddedTokens(tokens: readonly AddedToken[], source: string): void {
  const byId = new Map<number, string>();
  tokens.forEach(({ id, content }, index) => {
    const before = byId.get(id);
    if (before !== undefined && before !== content) {
      fail(source, `added_tokens.${index}.id`, 'an id of its own', `${id}, which is '${before}'`);
    }
    byId.set(id, content);
  });
}

function checkBpe(value: TokenizerJson['model'], source: string): void {
  const model = checkJson(bpeModel, value, `${source}: model`);
  const seen = new Map<number, string>();
  for (const [token, id] of Object.entries(model.vocab)) {
    const field = `model.vocab.${JSON.stringify(token)}`;
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > MAX_ID) {
      fail(source, field, `an id in 0..${MAX_ID}`, JSON.stringify(id));
    }
    const other = seen.get(id);
    if (other !== undefined) fail(source, field, 'an id of its own', `${id}, which is '${other}'`);
    seen.set(id, token);
  }
  if (model.unk_token != null && !Object.hasOwn(model.vocab, model.unk_token)) {
    fail(source, 'model.unk_token', 'a token of the vocabulary', `'${model.unk_token}'`);
  }
}

/**
 * Looks for the merge that makes the library refuse a BPE model, to name it. (A third of a second for a large
 * vocabulary, so only after the refusal.)
 * @throws LatentWireError 'format' when a merge is malformed or speaks of tokens outside the vocabulary.
 */
export function checkMerges(json: TokenizerJson, source: string): void {
  const parsed = bpeModel.safeParse(json.model);
  if (!parsed.success) return;
  const { vocab, merges, continuing_subword_prefix } = parsed.data;
  const prefix = continuing_subword_prefix ?? '';
  for (const [index, merge] of merges.entries()) {
    const pair = mergePair(merge);
    if (pair === undefined) fail(source, `model.merges.${index}`, 'two tokens', JSON.stringify(merge));
    const [left, right] = pair;
    const merged = left + (right.startsWith(prefix) ? right.slice(prefix.length) : right);
    for (const token of [left, right, merged]) {
      if (!Object.hasOwn(vocab, token)) {
        fail(source, `model.merges.${index}`, 'tokens of the vocabulary', `'${token}', which is not in it`);
      }
    }
  }
}

/** A merge is written `"a b"` (old files) or `["a", "b"]`. */
function mergePair(merge: unknown): [string, string] | undefined {
  const parts = typeof merge === 'string' ? merge.split(' ') : merge;
  if (!Array.isArray(parts) || parts.length !== 2) return undefined;
  const [left, right] = parts;
  return typeof left === 'string' && typeof right === 'string' ? [left, right] : undefined;
}

function fail(source: string, field: string, expected: string, got: string): never {
  throw new LatentWireError(`${source}: field '${field}': expected ${expected}, got ${got}`, {
    code: 'format',
    hint: 'the file is damaged or incomplete; download it again',
  });
}
