import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sharedDataFile, sharedDataHint } from '../../data/shared-data.js';
import type { LatentWireError } from '../../errors.js';
import { readGguf, typed, writeGguf } from '../gguf/index.js';
import { loadTokenizer } from '../tokenizer/index.js';
import golden from './golden/chat.json' with { type: 'json' };
import conversations from './golden/conversations.json' with { type: 'json' };
import { ggufChatTemplate, loadChatTemplate } from './load-template.js';
import { strftime } from './strftime.js';
import { ChatTemplate } from './template.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-chat-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

type ConversationName = keyof typeof conversations;
const names = Object.keys(conversations) as ConversationName[];
const smolLm2 = process.env.LATENTWIRE_SMOLLM2_GGUF;
const CHATML =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}";

function modelFolder(name: string, files: Record<string, string>): string {
  const target = path.join(folder, name);
  fs.mkdirSync(target, { recursive: true });
  for (const [file, content] of Object.entries(files)) fs.writeFileSync(path.join(target, file), content);
  return target;
}

function errorOf(action: () => unknown): LatentWireError {
  try {
    action();
  } catch (error) {
    return error as LatentWireError;
  }
  throw new Error('expected an error');
}

describe.each(['llama-3.1', 'qwen2.5'] as const)('the template of %s', (model) => {
  const config = sharedDataFile(`tokenizers/${model}/tokenizer_config.json`);
  it.skipIf(config === undefined).each(names)('renders as transformers does: %s', (name) => {
    const source = modelFolder(model, { 'tokenizer_config.json': fs.readFileSync(config!, 'utf8') });
    const { messages, addGenerationPrompt } = conversations[name];
    expect(loadChatTemplate(source)!.render(messages, { addGenerationPrompt })).toBe(
      golden[model][name].text,
    );
  });
  it.runIf(config === undefined)(sharedDataHint, () => {});
});

describe.skipIf(smolLm2 === undefined)('the template in the SmolLM2 GGUF file', () => {
  it('renders and encodes as transformers does', async () => {
    const template = loadChatTemplate(smolLm2!)!;
    const tokenizer = loadTokenizer(smolLm2!);
    for (const name of names) {
      const { messages, addGenerationPrompt } = conversations[name];
      const text = template.render(messages, { addGenerationPrompt });
      expect(text).toBe(golden.smollm2[name].text);
      const [ids] = await tokenizer.encodeBatch([text], { addSpecialTokens: false });
      expect([...ids!]).toEqual(golden.smollm2[name].ids);
    }
  });
});

describe('where a template is found', () => {
  const messages = [{ role: 'user', content: 'hi' }];

  it('is chat_template.jinja before tokenizer_config.json', () => {
    const config = JSON.stringify({ chat_template: 'config', bos_token: { content: '<s>' } });
    const source = modelFolder('both', {
      'tokenizer_config.json': config,
      'chat_template.jinja': '{{ bos_token }}file',
    });
    expect(loadChatTemplate(source)!.render(messages)).toBe('<s>file');
  });

  it('is the one named default in a list', () => {
    const chat_template = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: 'plain' },
    ];
    const source = modelFolder('list', { 'tokenizer_config.json': JSON.stringify({ chat_template }) });
    expect(loadChatTemplate(source)!.render(messages)).toBe('plain');
    const unnamed = modelFolder('unnamed', {
      'tokenizer_config.json': JSON.stringify({ chat_template: chat_template.slice(0, 1) }),
    });
    expect(() => loadChatTemplate(unnamed)).toThrow(
      /'chat_template': expected one named 'default', got 'tool_use'/,
    );
  });

  it('is the metadata of a GGUF file, with its special tokens', () => {
    const file = path.join(folder, 'chat.gguf');
    writeGguf(file, {
      metadata: {
        'tokenizer.chat_template': typed('string', '{{ bos_token }}|{{ eos_token }}'),
        'tokenizer.ggml.tokens': typed('string', ['a', '<s>', '</s>']),
        'tokenizer.ggml.bos_token_id': typed('uint32', 1),
        'tokenizer.ggml.eos_token_id': typed('uint32', 2),
      },
    });
    expect(loadChatTemplate(file)!.render(messages)).toBe('<s>|</s>');
    expect(ggufChatTemplate(readGguf(file))!.render(messages)).toBe('<s>|</s>');
  });

  it('is nowhere in a base model', () => {
    expect(loadChatTemplate(modelFolder('base', { 'tokenizer_config.json': '{}' }))).toBeNull();
    expect(loadChatTemplate(modelFolder('bare', {}))).toBeNull();
  });
});

describe('rendering', () => {
  const template = (text: string) => new ChatTemplate(text, 'tokenizer_config.json');

  it('ends with the assistant header when asked', () => {
    const chat = template(
      `${CHATML}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,
    );
    const messages = [{ role: 'user', content: 'hi' }];
    expect(chat.render(messages)).toBe('<|im_start|>user\nhi<|im_end|>\n');
    expect(chat.render(messages, { addGenerationPrompt: true })).toMatch(/<\|im_start\|>assistant\n$/);
  });

  it('writes the same date on every day unless told another', () => {
    const chat = template("{{ strftime_now('%d %b %Y') }}");
    expect(chat.render([])).toBe('26 Jul 2024');
    expect(chat.render([], { date: new Date('2025-03-09T23:59:00Z') })).toBe('09 Mar 2025');
  });

  it('passes variables and tools on', () => {
    const chat = template(
      "{{ tools[0].name }} {{ 'thinks' if enable_thinking else 'answers' }} {{ range(2, 8, 3) | join(',') }}",
    );
    expect(chat.render([], { tools: [{ name: 'clock' }], variables: { enable_thinking: false } })).toBe(
      'clock answers 2,5',
    );
  });

  it('trims as Python does, which keeps U+FEFF', () => {
    const chat = template('[{{ messages[0].content | trim }}]');
    expect(chat.render([{ role: 'user', content: ' \ufeffa\ufeff ' }])).toBe('[\ufeffa\ufeff]');
  });

  it('says what a template objects to', () => {
    const chat = template("{{ raise_exception('roles must alternate') }}");
    const error = errorOf(() => chat.render([]));
    expect(error.code).toBe('input');
    expect(error.message).toBe('tokenizer_config.json: chat template: roles must alternate');
  });

  it.each(['{% if x %}', '{{ a', '{% for %}', '{% unknown %}'])('refuses %s as a template', (text) => {
    const error = errorOf(() => template(text));
    expect(error.code).toBe('format');
    expect(error.message).toMatch(/^tokenizer_config\.json: chat template: expected Jinja/);
  });
});

it('formats dates as Python does', () => {
  const date = new Date('2024-02-03T15:04:05Z');
  expect(strftime(date, '%A %a %d %-d %B %b %m %Y %y %H %I %M %S %p %% %Q')).toBe(
    'Saturday Sat 03 3 February Feb 02 2024 24 15 03 04 05 PM % %Q',
  );
});
