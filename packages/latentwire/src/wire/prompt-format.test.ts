import { describe, expect, it } from 'vitest';
import { taskOf } from '../data/index.js';
import { PromptFormat } from './prompt-format.js';

const plain = new PromptFormat({ renderChat: null, stopIds: [2], bosId: 1 });
const chat = new PromptFormat({
  renderChat: (message) => `<user>${message}<end><assistant>`,
  stopIds: [7, 2],
  bosId: null,
});

describe('PromptFormat', () => {
  it('keeps the head free of the question, so that it is the same for all questions', () => {
    for (const format of [plain, chat]) {
      expect(format.promptText('Who?').head).toBe(format.promptText('Where, and since when?').head);
      expect(format.repeatText().head).toBe(format.promptText('Who?').head);
    }
  });

  it('splits the rendered chat at the place of the context', () => {
    const { head, tail } = chat.promptText(' Who? ');
    expect(head).toBe('<user>Context:');
    expect(tail).toMatch(/^\n\nQuestion: Who\?\n\n.*<end><assistant>$/s);
  });

  it('puts the space before a context into the context, where byte-level tokenizers want it', () => {
    expect(plain.promptText('Who?').head.endsWith(' ')).toBe(false);
    expect(plain.contextText('\nA text. ')).toBe(' A text.');
  });

  it('continues the anchor with the answer as the model would', () => {
    expect(plain.promptText('Who?').tail).toBe('\nQuestion: Who?\nAnswer:');
    expect(plain.answerText(' Ada ')).toBe(' Ada');
    expect(chat.answerText(' Ada ')).toBe('Ada');
  });

  it('takes the words of the task, and no question where the task is the same for every context', () => {
    const { template } = taskOf('sst2');
    const options = { stopIds: [2], bosId: null, template };
    const sentiment = new PromptFormat({ renderChat: null, ...options });
    expect(sentiment.promptText('')).toEqual({
      head: "Classify sentiment as 'positive' or 'negative':",
      tail: '\nSentiment:',
    });
    const asked = new PromptFormat({ renderChat: (message) => `<${message}>`, ...options });
    expect(asked.promptText('').tail).toBe('\n\nAnswer with one word, positive or negative.>');
    expect(asked.repeatText().head).toBe(asked.promptText('').head);
  });

  it('leaves nothing but the anchor after latents that carry the question', () => {
    expect(plain.promptText(null).tail).toBe('\nAnswer:');
    expect(chat.promptText(null).tail).not.toMatch(/Question/);
    expect(chat.promptText(null).head).toBe(chat.promptText('Who?').head);
  });
});
