/**
 * How one frozen model is asked a question: the text around the context, the anchor before the answer, BOS and stop
 * tokens. Every path — latents, full text, truncated text, no context — goes through this one contract:
 *
 *     [BOS] head | context (tokens, latents or nothing) | tail with the question and the anchor | answer, stop token
 *
 * Instruct models get their chat template with the context's place marked and the text split there; base models get
 * plain lines. The answer is encoded so that it continues the anchor as the model's own text would.
 */
import { EXTRACTIVE, type PromptTemplate } from '../data/index.js';

/** Renders one user message with the assistant header after it; null for models without a chat template. */
export type RenderChat = (userMessage: string) => string;

export interface PromptText {
  /** Before the context. */
  readonly head: string;
  /** After the context: question and anchor. */
  readonly tail: string;
}

export interface PromptFormatOptions {
  /** null = plain text prompt. */
  readonly renderChat: RenderChat | null;
  /** Ends an answer: the end-of-turn token of a chat template, else EOS. The first one is trained. */
  readonly stopIds: readonly number[];
  /** Prepended once when the rendered text does not already start with it; null = none. */
  readonly bosId: number | null;
  /** Words of the task around context and question; by default those of questions about a context. */
  readonly template?: PromptTemplate;
}

// A character that no dataset contains and every tokenizer and template passes through.
const CONTEXT_MARK = '\uE000';
const REPEAT = 'Repeat the context.';

export class PromptFormat {
  readonly #template: PromptTemplate;

  constructor(private readonly options: PromptFormatOptions) {
    this.#template = options.template ?? EXTRACTIVE;
  }

  /** Tokens that end an answer; the first is appended to training targets. */
  get stopIds(): readonly number[] {
    return this.options.stopIds;
  }

  /** Whether a question is put with the chat template of the model. */
  get isChat(): boolean {
    return this.options.renderChat !== null;
  }

  get bosId(): number | null {
    return this.options.bosId;
  }

  /**
   * Text before and after the context for a question. The head is the same for every question.
   * @param question null when the latents carry it: nothing but the anchor follows them
   */
  promptText(question: string | null): PromptText {
    const { before, questionLabel, anchor, instruction } = this.#template;
    const q = question === null || questionLabel === null ? null : `${questionLabel} ${question.trim()}`;
    if (this.options.renderChat === null) {
      return { head: before, tail: `\n${q === null ? '' : `${q}\n`}${anchor}` };
    }
    return this.#split(`${before}${CONTEXT_MARK}\n\n${q === null ? '' : `${q}\n\n`}${instruction}`);
  }

  /** Text around the context when the model is to repeat it (reconstruction). The head is that of a question. */
  repeatText(): PromptText {
    const { before } = this.#template;
    if (this.options.renderChat === null) return { head: before, tail: `\n${REPEAT}\n` };
    return this.#split(`${before}${CONTEXT_MARK}\n\n${REPEAT}`);
  }

  #split(message: string): PromptText {
    const rendered = this.options.renderChat!(message);
    const at = rendered.indexOf(CONTEXT_MARK);
    return { head: rendered.slice(0, at), tail: rendered.slice(at + 1) };
  }

  /** The context as it stands between head and tail: the space before it belongs to its first token. */
  contextText(context: string): string {
    return ` ${context.trim()}`;
  }

  /** The text that the model should produce after the tail. */
  answerText(answer: string): string {
    return this.options.renderChat === null ? ` ${answer.trim()}` : answer.trim();
  }
}
