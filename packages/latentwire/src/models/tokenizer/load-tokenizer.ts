/**
 * Tokenizers from files: a model folder (tokenizer.json, else a SentencePiece model, with tokenizer_config.json
 * beside it), one such file by itself, or a GGUF file.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { LatentWireError } from '../../errors.js';
import { parseJson, readJson, readTextFile } from '../config/index.js';
import { readGguf } from '../gguf/index.js';
import { ggufTokenizer } from './gguf-tokenizer.js';
import { RustTokenizer } from './rust-tokenizer.js';
import { PIECE_KINDS, parseSentencePieceModel } from './sentencepiece-model.js';
import { sentencePieceJson } from './sentencepiece-tokenizer.js';
import { type TokenizerConfig, tokenizerConfigSchema, withTokenizerConfig } from './special-tokens.js';
import type { Tokenizer } from './tokenizer.js';
import { checkTokenizerJson, templateProcessor } from './tokenizer-json.js';

/**
 * @param source a model folder, a tokenizer.json, a SentencePiece `*.model` (or `*.model.v3`) or a `*.gguf` file.
 * @throws LatentWireError 'input' when there is no tokenizer there, 'format' naming file and field when it is damaged.
 */
export function loadTokenizer(source: string): Tokenizer {
  if (isFolder(source)) return loadFolder(source);
  const name = path.basename(source);
  if (name.endsWith('.gguf')) return ggufTokenizer(readGguf(source));
  const config = readConfig(path.dirname(source));
  return name.endsWith('.json') ? fromTokenizerJson(source, config) : fromSentencePiece(source, config);
}

interface ConfigFile {
  readonly path: string;
  /** Undefined when the folder has none. */
  readonly content: TokenizerConfig | undefined;
}

function loadFolder(folder: string): Tokenizer {
  const config = readConfig(folder);
  const json = path.join(folder, 'tokenizer.json');
  if (fs.existsSync(json)) return fromTokenizerJson(json, config);
  const model = path.join(folder, 'tokenizer.model');
  if (fs.existsSync(model)) return fromSentencePiece(model, config);
  throw new LatentWireError(`${folder}: expected tokenizer.json or tokenizer.model, got neither`, {
    code: 'input',
    hint: 'name the folder of a complete model, or a .gguf file',
  });
}

function readConfig(folder: string): ConfigFile {
  const file = path.join(folder, 'tokenizer_config.json');
  return { path: file, content: fs.existsSync(file) ? readJson(file, tokenizerConfigSchema) : undefined };
}

function fromTokenizerJson(file: string, config: ConfigFile): Tokenizer {
  const json = checkTokenizerJson(parseJson(readTextFile(file), file), file);
  const applied = withTokenizerConfig(json, config.content ?? {}, config.path);
  return new RustTokenizer(applied.json, file, { special: applied.special });
}

function fromSentencePiece(file: string, config: ConfigFile): Tokenizer {
  const model = parseSentencePieceModel(readBytes(file), file);
  const legacy = config.content?.legacy ?? false;
  const base = sentencePieceJson(model.pieces, { ...model, legacy });
  const options = { doublesLeadingSpace: model.addDummyPrefix && !legacy };
  if (config.content !== undefined) {
    // transformers adds a BOS to SentencePiece texts unless told otherwise.
    const stated = { add_bos_token: true, ...config.content };
    const { json, special } = withTokenizerConfig(base, stated, config.path);
    return new RustTokenizer(checkTokenizerJson(json, file), file, { special, ...options });
  }
  const token = (id: number | null) =>
    id !== null && model.pieces[id]!.kind === PIECE_KINDS.control
      ? { content: model.pieces[id]!.text, id }
      : null;
  const json = { ...base, post_processor: templateProcessor(token(model.bosId), null) };
  const special = {
    bosId: model.bosId,
    eosIds: model.eosId === null ? [] : [model.eosId],
    padId: model.padId,
  };
  return new RustTokenizer(checkTokenizerJson(json, file), file, { special, ...options });
}

function readBytes(file: string): Uint8Array {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new LatentWireError(
      `${file}: expected a readable SentencePiece model, got ${code ?? String(cause)}`,
      {
        code: code === 'ENOENT' ? 'input' : 'io',
        cause,
      },
    );
  }
}

function isFolder(source: string): boolean {
  return fs.statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
