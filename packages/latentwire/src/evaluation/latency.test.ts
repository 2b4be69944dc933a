import { describe, expect, it } from 'vitest';
import { tinySession } from '../training/tiny-session.fixture.js';
import { type AnswerSource, latentSource } from './answer-source.js';
import { measureLatency } from './latency.js';

/** A way of answering from latents, and the same rows without them. */
function sources(): { latent: AnswerSource; text: AnswerSource; passes: () => number } {
  const { wire, reader, data } = tinySession(3, 6);
  const { head, tails } = data.readers[0]!;
  const inputs = { wire, reader, readerIndex: 0, contexts: data.contexts, head, tails };
  const latent = latentSource('latent', { ...inputs, messageBytes: () => 1 });
  let passes = 0;
  const counted: AnswerSource = {
    ...latent,
    prefix: (indices) => {
      passes++;
      return latent.prefix!(indices);
    },
  };
  const rows = latent.rows.map((row) => row.filter(({ kind }) => kind !== 'latents'));
  return {
    latent: counted,
    text: { ...latent, mode: 'text', rows, latents: 0, prefix: null },
    passes: () => passes,
  };
}

/** Reads of a clock that say, run by run, how long each timed part took. */
function clock(runs: readonly (readonly number[])[]): () => number {
  const reads = runs.flat().flatMap((took) => [0, took]);
  return () => reads.shift()!;
}

describe('measureLatency', () => {
  it('tells medians of encoder, prefill and decoding, and leaves the warm-up out', () => {
    const { latent, passes } = sources();
    // [encoder, prompt to first token, prompt to first token and four more]
    const runs = [
      [900, 900, 9000], // not warm
      [7, 30, 70],
      [5, 20, 40],
      [6, 1000, 1000], // something else wanted the machine
    ];
    const result = measureLatency([latent], {
      batchSize: 2,
      warmup: 1,
      runs: 3,
      newTokens: 4,
      now: clock(runs),
    });
    expect(result).toMatchObject({ batch_size: 2, warmup: 1, runs: 3, new_tokens: 4, device: 'cpu' });
    expect(result.modes.latent).toEqual({
      // Decoding: 40 / 4, 20 / 4 and 0 / 4.
      'tiny-0': { encoder_ms: 6, prefill_ms: 30, decode_ms_per_token: 5 },
    });
    expect(passes()).toBe(4);
  });

  it('has no time of an encoder where none is used', () => {
    const { text } = sources();
    const now = clock([
      [0, 10, 30],
      [0, 12, 16],
    ]);
    const { modes } = measureLatency([text], { batchSize: 3, warmup: 0, runs: 2, newTokens: 2, now });
    expect(modes.text).toEqual({ 'tiny-0': { prefill_ms: 11, decode_ms_per_token: 6 } });
  });
});
