/**
 * Damage in a tokenizer.json that the native library (tokenizers 0.23.2) does not report but aborts the process at,
 * found by mutating 120,000 files. Each is refused here by name before the library sees the document.
 */
import { LatentWireError } from '../../errors.js';
import type { TokenizerJson } from './tokenizer-json.js';

/** @throws LatentWireError 'format' naming file and field. */
export function guardNativeLibrary(json: TokenizerJson, source: string): void {
  guardComponents(json.post_processor, 'post_processor', source);
  guardComponents(json.decoder, 'decoder', source);
  const { type = 'BPE', continuing_subword_prefix: prefix } = json.model;
  if (type !== 'BPE') return;
  if (prefix != null && prefix !== '') {
    refuse(source, 'model.continuing_subword_prefix', 'none (not supported)', JSON.stringify(prefix));
  }
  guardMergeLengths(json, source);
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Looks at a component and at those nested in it. */
function guardComponents(value: unknown, field: string, source: string): void {
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      guardComponents(item, `${field}.${index}`, source);
    });
    return;
  }
  if (!isFields(value)) return;
  if (value.type === 'TemplateProcessing') guardTemplate(value, field, source);
  if (value.type === 'Strip' && Number(value.stop ?? 0) > 0) {
    refuse(source, `${field}.stop`, '0 (not supported)', JSON.stringify(value.stop));
  }
  for (const [name, nested] of Object.entries(value)) guardComponents(nested, `${field}.${name}`, source);
}

/** Every special token of a template must be described under `special_tokens`, and a lone text is sequence A. */
function guardTemplate(template: Fields, field: string, source: string): void {
  const described = isFields(template.special_tokens) ? template.special_tokens : {};
  for (const part of ['single', 'pair']) {
    const items = Array.isArray(template[part]) ? (template[part] as unknown[]) : [];
    items.forEach((item, index) => {
      if (!isFields(item)) return;
      if (part === 'single' && isFields(item.Sequence) && item.Sequence.id !== 'A') {
        refuse(source, `${field}.single.${index}`, 'sequence A', JSON.stringify(item.Sequence.id));
      }
      if (!isFields(item.SpecialToken)) return;
      const id = String(item.SpecialToken.id);
      if (!Object.hasOwn(described, id)) {
        refuse(source, `${field}.${part}.${index}`, `a token of ${field}.special_tokens`, `'${id}'`);
      }
    });
  }
}

/** The library joins each merge in a buffer as long as the longest token. */
function guardMergeLengths(json: TokenizerJson, source: string): void {
  const { vocab, merges } = json.model;
  if (!isFields(vocab) || !Array.isArray(merges)) return;
  let longest = 0;
  for (const token of Object.keys(vocab)) longest = Math.max(longest, Buffer.byteLength(token));
  merges.forEach((merge: unknown, index) => {
    const bytes = Array.isArray(merge)
      ? merge.reduce<number>((sum, part) => sum + (typeof part === 'string' ? Buffer.byteLength(part) : 0), 0)
      : typeof merge === 'string'
        ? Buffer.byteLength(merge) - 1
        : 0;
    if (bytes > longest) {
      refuse(
        source,
        `model.merges.${index}`,
        'tokens of the vocabulary',
        `${JSON.stringify(merge)}, longer than any`,
      );
    }
  });
}

function refuse(source: string, field: string, expected: string, got: string): never {
  throw new LatentWireError(`${source}: field '${field}': expected ${expected}, got ${got}`, {
    code: 'format',
    hint: 'the file is damaged or incomplete; download it again',
  });
}
