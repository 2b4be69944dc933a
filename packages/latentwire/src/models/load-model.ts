/**
 * From a reference (hub id, folder, .gguf file) to a frozen model with tokenizer and chat template. The one entrance
 * for models: training, evaluation, `inspect` and `tokenize` all come through here.
 */
import { basename } from 'node:path';
import type * as t from '@latentwire/torch';
import { LatentWireError } from '../errors.js';
import { type ChatMessage, loadChatTemplate } from './chat/index.js';
import { type ModelConfig, readGgufConfig, readHuggingFaceConfig } from './config/index.js';
import { LanguageModel } from './decoder/index.js';
import { readGguf } from './gguf/index.js';
import { type ResolvedModel, resolveModel } from './hub/index.js';
import { loadTokenizer as readTokenizer, type Tokenizer } from './tokenizer/index.js';
import {
  GgufWeightSource,
  loadWeights,
  SafetensorsWeightSource,
  type WeightSource,
} from './weights/index.js';

/** A 4-method logger, as the telemetry makes them; models log nothing but progress. */
export interface LoadLogger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface LoadModelOptions {
  readonly device: t.Device;
  readonly dtype: t.FloatDType;
  readonly logger: LoadLogger;
}

export interface LoadedModel {
  /** Short name from the reference, for tables and keys. */
  readonly name: string;
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  /** Renders messages with the assistant's header after them; null when the model has no chat template. */
  readonly renderChat: RenderMessages | null;
  /** Tokens that end an answer; the first is the one that a trained answer ends with. */
  readonly stopIds: readonly number[];
  /** BOS that the tokenizer puts before a text, or null. */
  readonly bosId: number | null;
}

export type RenderMessages = (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string;

/** @throws LatentWireError naming file and field of what is wrong */
export async function loadModel(reference: string, options: LoadModelOptions): Promise<LoadedModel> {
  const source = await resolve(reference, options.logger);
  const started = performance.now();
  const tokenizer = readTokenizer(source.path);
  const { config, weights } = openWeights(source);
  let model: LanguageModel;
  try {
    model = new LanguageModel(config, loadWeights(config, weights, options));
  } finally {
    weights.close();
  }
  const renderChat = readChatTemplate(source.path);
  const loaded = {
    name: modelName(reference),
    model,
    tokenizer,
    renderChat,
    stopIds: await stopTokens(config, tokenizer, renderChat),
    bosId: await addedBos(tokenizer),
  };
  options.logger.info('loaded model', {
    model: reference,
    family: config.family,
    dtype: options.dtype,
    device: options.device,
    seconds: Math.round(performance.now() - started) / 1000,
  });
  return loaded;
}

/** The tokenizer alone, without weights. */
export async function loadTokenizer(
  reference: string,
  options: { readonly logger: LoadLogger },
): Promise<Tokenizer> {
  return readTokenizer((await resolve(reference, options.logger, 'tokenizer')).path);
}

async function resolve(
  reference: string,
  logger: LoadLogger,
  parts: 'all' | 'tokenizer' = 'all',
): Promise<ResolvedModel> {
  let reported = 0;
  return resolveModel(reference, {
    parts,
    onWarning: (message) => logger.info(message),
    onProgress: ({ file, bytesDone, bytesTotal }) => {
      // One line per 5 seconds: downloads last minutes, logs are read later.
      const now = performance.now();
      if (bytesDone !== bytesTotal && now - reported < 5000) return;
      reported = now;
      logger.info('downloading', { file, bytes: bytesDone, of: bytesTotal });
    },
  });
}

function openWeights(source: ResolvedModel): { config: ModelConfig; weights: WeightSource } {
  if (source.kind === 'gguf') {
    const file = readGguf(source.path);
    const config = readGgufConfig(file);
    return { config, weights: new GgufWeightSource(file, config) };
  }
  return { config: readHuggingFaceConfig(source.path), weights: SafetensorsWeightSource.open(source.path) };
}

/** BOS when the tokenizer itself puts it before a text. */
async function addedBos(tokenizer: Tokenizer): Promise<number | null> {
  const [ids] = await tokenizer.encodeBatch(['a'], { addSpecialTokens: true });
  return ids![0] === tokenizer.special.bosId ? tokenizer.special.bosId : null;
}

// A character of the private use area: no template treats it specially.
const MARK = '\uE000';

/** What ends an answer: the token that the chat template writes after one, then all EOS ids that are stated. */
async function stopTokens(
  config: ModelConfig,
  tokenizer: Tokenizer,
  renderChat: RenderMessages | null,
): Promise<number[]> {
  const stops = new Set<number>();
  if (renderChat !== null) {
    const turn = renderChat(
      [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: MARK },
      ],
      false,
    );
    const [after] = await tokenizer.encodeBatch([turn.slice(turn.indexOf(MARK) + 1)], {
      addSpecialTokens: false,
    });
    if (after!.length > 0) stops.add(after![0]!);
  }
  for (const id of [...config.eosIds, ...tokenizer.special.eosIds]) stops.add(id);
  if (stops.size === 0) {
    throw new LatentWireError('expected the model to state an EOS token, got none', {
      code: 'format',
      hint: 'add eos_token_id to its config.json',
    });
  }
  return [...stops];
}

function readChatTemplate(path: string): RenderMessages | null {
  const template = loadChatTemplate(path);
  return template && ((messages, addGenerationPrompt) => template.render(messages, { addGenerationPrompt }));
}

/** Short name of a reference, for tables and keys: the last part, without .gguf. */
export function modelName(reference: string): string {
  return basename(reference).replace(/\.gguf$/, '');
}
