/**
 * The tokenizer of a GGUF file, rebuilt from its metadata: `gpt2` (byte-level BPE; the split of the text is named
 * by `tokenizer.ggml.pre`) and `llama` (SentencePiece).
 *
 * Sources: GGUF specification (tokenizer keys), llama.cpp's table of pre-tokenizers, tokenizer.json of the models.
 * Where the GGUF reader of transformers 5.23 falls short of the models' own tokenizer.json (no digit split for
 * `smollm`, no NFC for `qwen2`), this follows the tokenizer.json.
 */
import { nearestName } from '../../errors.js';
import type { GgufFile, GgufMetadata } from '../gguf/index.js';
import { RustTokenizer } from './rust-tokenizer.js';
import { PIECE_KINDS, type SentencePiece } from './sentencepiece-model.js';
import { sentencePieceJson } from './sentencepiece-tokenizer.js';
import type { SpecialTokenIds, Tokenizer } from './tokenizer.js';
import {
  type AddedToken,
  checkTokenizerJson,
  type TokenizerComponent,
  type TokenizerJson,
  templateProcessor,
} from './tokenizer-json.js';

interface BytePreTokenizer {
  /** Regular expression (Oniguruma) that cuts the text, or 'gpt2' for the library's built-in one. */
  readonly split: 'gpt2' | { readonly regex: string };
  readonly splitsDigits?: boolean;
  readonly nfc?: boolean;
  /** A word that is a token is not built by merges. */
  readonly ignoresMerges?: boolean;
  readonly addsBos?: boolean;
}

const LLAMA3: BytePreTokenizer = {
  split: {
    regex:
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  },
  ignoresMerges: true,
  addsBos: true,
};
const QWEN2: BytePreTokenizer = {
  split: {
    regex:
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  },
  nfc: true,
};
const GPT2: BytePreTokenizer = { split: 'gpt2' };
const SMOLLM: BytePreTokenizer = { split: 'gpt2', splitsDigits: true };

/** By `tokenizer.ggml.pre`. */
const PRE_TOKENIZERS: Readonly<Record<string, BytePreTokenizer>> = {
  'llama-bpe': LLAMA3,
  llama3: LLAMA3,
  'llama-v3': LLAMA3,
  qwen2: QWEN2,
  'deepseek-r1-qwen': QWEN2,
  'gpt-2': GPT2,
  smollm: SMOLLM,
};

/** @throws LatentWireError 'format' naming file and key when there is no tokenizer this library can rebuild. */
export function ggufTokenizer(file: GgufFile): Tokenizer {
  const { metadata } = file;
  const model = metadata.string('tokenizer.ggml.model');
  const tokens = metadata.strings('tokenizer.ggml.tokens');
  checkDistinct(tokens, metadata);
  const special = specialIds(metadata, tokens.length);
  if (model === 'gpt2') return byteLevel(metadata, tokens, special);
  if (model === 'llama') return sentencePiece(metadata, tokens, special);
  return metadata.fail('tokenizer.ggml.model', "'gpt2' or 'llama'", `'${model}'`);
}

function byteLevel(metadata: GgufMetadata, tokens: readonly string[], special: SpecialTokenIds): Tokenizer {
  const name = metadata.string('tokenizer.ggml.pre');
  const pre = PRE_TOKENIZERS[name] ?? unknownPreTokenizer(metadata, name);
  const split: TokenizerComponent[] = [];
  if (pre.splitsDigits) split.push({ type: 'Digits', individual_digits: true });
  if (pre.split !== 'gpt2') {
    split.push({ type: 'Split', pattern: { Regex: pre.split.regex }, behavior: 'Isolated', invert: false });
  }
  const bytes = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: pre.split === 'gpt2',
  };
  const vocab: Record<string, number> = Object.create(null);
  tokens.forEach((token, id) => {
    vocab[token] = id;
  });
  const json: TokenizerJson = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(tokens, tokenKinds(metadata, tokens.length)),
    normalizer: pre.nfc ? { type: 'NFC' } : null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [...split, bytes] },
    post_processor: postProcessor(metadata, tokens, special, pre.addsBos ?? false),
    decoder: bytes,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoresMerges ?? false,
      vocab,
      merges: mergesOf(metadata),
    },
  };
  return new RustTokenizer(checkTokenizerJson(json, metadata.path), metadata.path, { special });
}

function sentencePiece(
  metadata: GgufMetadata,
  tokens: readonly string[],
  special: SpecialTokenIds,
): Tokenizer {
  const kinds = tokenKinds(metadata, tokens.length);
  const scores = metadata.optionalNumbers('tokenizer.ggml.scores');
  if (scores === undefined || scores.length !== tokens.length || !scores.every(Number.isFinite)) {
    const got = scores === undefined ? 'none' : `${scores.length}`;
    metadata.fail('tokenizer.ggml.scores', `${tokens.length} finite numbers (one per token)`, got);
  }
  const pieces = tokens.map((text, id): SentencePiece => {
    const kind = kinds[id]!;
    // The converter writes the spaces of user-defined pieces plainly.
    const spelled = kind === PIECE_KINDS.userDefined ? text.replaceAll(' ', '\u2581') : text;
    return { text: spelled, score: scores![id]!, kind };
  });
  checkDistinct(
    pieces.map(({ text }) => text),
    metadata,
  );
  const addDummyPrefix = metadata.optionalBoolean('tokenizer.ggml.add_space_prefix') ?? true;
  const unkId = metadata.optionalInteger('tokenizer.ggml.unknown_token_id', 0, tokens.length - 1) ?? 0;
  const byteFallback = kinds.includes(PIECE_KINDS.byte);
  const json = {
    ...sentencePieceJson(pieces, { byteFallback, addDummyPrefix, unkId, legacy: false }),
    post_processor: postProcessor(metadata, tokens, special, true),
  };
  return new RustTokenizer(checkTokenizerJson(json, metadata.path), metadata.path, {
    special,
    doublesLeadingSpace: addDummyPrefix,
  });
}

function specialIds(metadata: GgufMetadata, count: number): SpecialTokenIds {
  const id = (name: string) =>
    metadata.optionalInteger(`tokenizer.ggml.${name}_token_id`, 0, count - 1) ?? null;
  const ends = [id('eos'), id('eot'), id('eom')].filter((value) => value !== null);
  return { bosId: id('bos'), eosIds: [...new Set(ends)], padId: id('padding') };
}

function postProcessor(
  metadata: GgufMetadata,
  tokens: readonly string[],
  { bosId, eosIds }: SpecialTokenIds,
  addsBos: boolean,
): TokenizerComponent {
  const stated = (name: string) => metadata.optionalBoolean(`tokenizer.ggml.add_${name}_token`);
  const token = (id: number | null | undefined) => (id == null ? null : { content: tokens[id]!, id });
  return templateProcessor(
    (stated('bos') ?? addsBos) ? token(bosId) : null,
    (stated('eos') ?? false) ? token(eosIds[0]) : null,
  );
}

/** Kind of every token (PIECE_KINDS); a file that states none has only normal ones. */
function tokenKinds(metadata: GgufMetadata, count: number): readonly number[] {
  const kinds = metadata.optionalNumbers('tokenizer.ggml.token_type');
  if (kinds === undefined) return new Array<number>(count).fill(PIECE_KINDS.normal);
  if (kinds.length !== count) {
    metadata.fail('tokenizer.ggml.token_type', `${count} numbers (one per token)`, String(kinds.length));
  }
  return kinds;
}

function addedTokens(tokens: readonly string[], kinds: readonly number[]): AddedToken[] {
  const added: AddedToken[] = [];
  tokens.forEach((content, id) => {
    const special = kinds[id] === PIECE_KINDS.control;
    if (!special && kinds[id] !== PIECE_KINDS.userDefined) return;
    added.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });
  });
  return added;
}

function mergesOf(metadata: GgufMetadata): [string, string][] {
  return metadata.strings('tokenizer.ggml.merges').map((merge, index) => {
    const cut = merge.indexOf(' ', 1);
    if (cut < 0 || cut === merge.length - 1) {
      metadata.fail(
        'tokenizer.ggml.merges',
        'two tokens with a space between',
        `'${merge}' at index ${index}`,
      );
    }
    return [merge.slice(0, cut), merge.slice(cut + 1)];
  });
}

function checkDistinct(tokens: readonly string[], metadata: GgufMetadata): void {
  const seen = new Map<string, number>();
  tokens.forEach((token, id) => {
    const before = seen.get(token);
    if (token === '' || before !== undefined) {
      const got = token === '' ? `an empty text at ${id}` : `'${token}' at ${before} and ${id}`;
      metadata.fail('tokenizer.ggml.tokens', 'distinct texts', got);
    }
    seen.set(token, id);
  });
}

function unknownPreTokenizer(metadata: GgufMetadata, name: string): never {
  const known = Object.keys(PRE_TOKENIZERS);
  const near = nearestName(name, known);
  const hint = near === undefined ? '' : ` (nearest: '${near}')`;
  return metadata.fail('tokenizer.ggml.pre', `one of ${known.join(', ')}${hint}`, `'${name}'`);
}
