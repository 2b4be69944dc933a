/**
 * Where models keep their chat template: `chat_template.jinja` (newest), `chat_template` in tokenizer_config.json
 * (one template, or a list of named ones) or `tokenizer.chat_template` in a GGUF file.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { LatentWireError } from '../../errors.js';
import { readJson, readTextFile } from '../config/index.js';
import { type GgufFile, readGguf } from '../gguf/index.js';
import { ChatTemplate, type TemplateTokens } from './template.js';

const token = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const TOKEN_NAMES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

const configSchema = z.looseObject({
  chat_template: z
    .union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))])
    .nullish(),
  bos_token: token,
  eos_token: token,
  unk_token: token,
  sep_token: token,
  pad_token: token,
  cls_token: token,
  mask_token: token,
});
type TemplateConfig = z.infer<typeof configSchema>;

/**
 * The chat template of a model folder or `*.gguf` file, or null when the model has none (a base model).
 * @throws LatentWireError 'format' naming file and field when it is damaged.
 */
export function loadChatTemplate(source: string): ChatTemplate | null {
  if (source.endsWith('.gguf') && !isFolder(source)) return ggufChatTemplate(readGguf(source));
  const configFile = path.join(source, 'tokenizer_config.json');
  const config = fs.existsSync(configFile) ? readJson(configFile, configSchema) : {};
  const tokens = tokensOf(config);
  const jinja = path.join(source, 'chat_template.jinja');
  if (fs.existsSync(jinja)) return new ChatTemplate(readTextFile(jinja), jinja, tokens);
  const text = namedTemplate(config, configFile);
  return text === undefined ? null : new ChatTemplate(text, configFile, tokens);
}

/** The chat template of an opened GGUF file, or null. */
export function ggufChatTemplate(file: GgufFile): ChatTemplate | null {
  const { metadata } = file;
  const text = metadata.optionalString('tokenizer.chat_template');
  if (text === undefined) return null;
  const vocabulary = metadata.optionalStrings('tokenizer.ggml.tokens') ?? [];
  const names = { bos_token: 'bos', eos_token: 'eos', unk_token: 'unknown', pad_token: 'padding' };
  const tokens = Object.entries(names).flatMap(([name, key]) => {
    const id = metadata.optionalNumber(`tokenizer.ggml.${key}_token_id`);
    const spelling = id === undefined ? undefined : vocabulary[id];
    return spelling === undefined ? [] : [[name, spelling] as const];
  });
  return new ChatTemplate(text, file.path, Object.fromEntries(tokens));
}

/** Of several templates the one named `default`. */
function namedTemplate({ chat_template: stated }: TemplateConfig, source: string): string | undefined {
  if (!Array.isArray(stated)) return stated ?? undefined;
  const chosen = stated.find(({ name }) => name === 'default');
  if (chosen !== undefined) return chosen.template;
  const names = stated.map(({ name }) => `'${name}'`).join(', ');
  throw new LatentWireError(`${source}: field 'chat_template': expected one named 'default', got ${names}`, {
    code: 'format',
  });
}

function tokensOf(config: TemplateConfig): TemplateTokens {
  const tokens: Record<string, string> = {};
  for (const name of TOKEN_NAMES) {
    const stated = config[name];
    const text = typeof stated === 'string' ? stated : stated?.content;
    if (text !== undefined) tokens[name] = text;
  }
  return tokens;
}

function isFolder(source: string): boolean {
  return fs.statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
