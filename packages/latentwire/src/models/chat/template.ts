/**
 * Chat templates: the Jinja programs that models carry, which turn a conversation into the text the model was
 * trained on. Rendered as `apply_chat_template` of transformers does, with one change: the date that some templates
 * write is an argument with a fixed default, so that equal messages give equal prompts on every day.
 */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { LatentWireError } from '../../errors.js';
import { strftime } from './strftime.js';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  /** Further fields some templates read (`name`, `tool_calls`, `reasoning_content`, …). */
  readonly [field: string]: unknown;
}

export interface RenderChatOptions {
  /** End with the header of an assistant turn, for the model to continue. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** JSON schemas of tools, for templates that list them. */
  readonly tools?: readonly unknown[];
  /** What `strftime_now` calls now, in UTC. Default 26 July 2024, the date Llama 3.1's own template falls back to. */
  readonly date?: Date;
  /** Further variables (`enable_thinking: false`, …). */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Special tokens by their names in templates: `bos_token`, `eos_token`, … */
export type TemplateTokens = Readonly<Record<string, string>>;

const DEFAULT_DATE = new Date('2024-07-26T00:00:00Z');

export class ChatTemplate {
  readonly #program: ReturnType<typeof parse>;

  /**
   * @param text the template.
   * @param source file name for errors.
   * @throws LatentWireError 'format' when the text is no template.
   */
  constructor(
    readonly text: string,
    readonly source: string,
    readonly tokens: TemplateTokens = {},
  ) {
    try {
      this.#program = parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }));
    } catch (cause) {
      throw new LatentWireError(
        `${source}: chat template: expected Jinja, got: ${(cause as Error).message}`,
        {
          code: 'format',
          hint: 'the file is damaged, or the template needs a newer Jinja library',
          cause,
        },
      );
    }
  }

  /**
   * The conversation as text; encode it with `addSpecialTokens: false`, the template writes them itself.
   * @throws LatentWireError 'input' when the template refuses the messages (for example two user turns in a row).
   */
  render(messages: readonly ChatMessage[], options: RenderChatOptions = {}): string {
    const standIn = standInFor(messages);
    const environment = new Environment();
    const variables = {
      ...globals(options.date ?? DEFAULT_DATE),
      ...this.tokens,
      ...options.variables,
      messages: standIn === undefined ? messages : replaceIn(messages, BYTE_ORDER_MARK, standIn),
      tools: options.tools ?? null,
      documents: null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
    };
    let rendered: string;
    try {
      for (const [name, value] of Object.entries(variables)) environment.set(name, value);
      rendered = String(new Interpreter(environment).run(this.#program).value);
    } catch (cause) {
      throw new LatentWireError(`${this.source}: chat template: ${(cause as Error).message}`, {
        code: 'input',
        hint: 'the template does not accept these messages; check roles and their order',
        cause,
      });
    }
    return standIn === undefined ? rendered : rendered.replaceAll(standIn, BYTE_ORDER_MARK);
  }
}

/** The names Jinja and transformers define for every template. */
function globals(date: Date): Record<string, unknown> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    raise_exception: (message: unknown) => {
      throw new Error(String(message));
    },
    strftime_now: (format: string) => strftime(date, format),
  };
}

function range(first: number, end?: number, step = 1): number[] {
  const [start, stop] = end === undefined ? [0, first] : [first, end];
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step);
}

/** JavaScript's trim takes U+FEFF for a space, Python's strip does not: it is hidden while a template runs. */
const BYTE_ORDER_MARK = '\uFEFF';

/** A private-use character that the messages do not contain, or undefined when none is needed. */
function standInFor(messages: readonly ChatMessage[]): string | undefined {
  const text = JSON.stringify(messages);
  if (!text.includes(BYTE_ORDER_MARK)) return undefined;
  for (let code = 0xf8ff; code >= 0xe000; code--) {
    const candidate = String.fromCharCode(code);
    if (!text.includes(candidate)) return candidate;
  }
  return undefined;
}

function replaceIn(value: unknown, from: string, to: string): unknown {
  if (typeof value === 'string') return value.replaceAll(from, to);
  if (Array.isArray(value)) return value.map((item) => replaceIn(item, from, to));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceIn(item, from, to)]));
}
