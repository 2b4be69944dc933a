import { describe, expect, it } from 'vitest';
import { composeStep } from './step-batches.js';
import { everyTermOptions, tinySession } from './tiny-session.fixture.js';

describe('questions on one text', () => {
  it('have it encoded once, and answer from the same latents each in its own row', () => {
    const { wire, data } = tinySession(7, 8);
    const contexts = data.contexts.map((_, i) => data.contexts[i - (i % 4)]!);
    const { answer } = everyTermOptions.stage.weights;
    const none = { alignment: 0, firstToken: 0, kToken: 0, kd: 0, manifold: 0, reconstruction: 0 };
    const { batches } = composeStep({ ...data, contexts }, wire.layout, [[0, 5, 1, 2, 4, 3, 6]], {
      stage: { expansion: 1, weights: { ...none, answer } },
      ...{ k: 2, active: [0], continues: () => false, multiples: {} },
      readingWindow: (_, length) => [0, length],
    });
    const [batch] = batches;
    expect(batch!.texts.batch).toBe(2);
    expect([...batch!.context!]).toEqual([0, 1, 0, 0, 1, 0, 1]);
    expect(batch!.readers[0]!.answers!.composed.batch).toBe(7);
    expect(batch!.texts.lengths.reduce((a, b) => a + b, 0)).toBe(contexts[0]!.length + contexts[4]!.length);
  });
});
