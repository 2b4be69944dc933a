/**
 * Control `shuffled latents`: every question is answered from the latents of another context. What a trained wire
 * still scores then is style and guessing; the rest is carried by the message.
 */
import { random } from '@latentwire/torch';
import type { Example } from '../data/index.js';

/**
 * For each example the index of one with another context, the same for the same stream. An example keeps its own
 * index only if all examples share one context.
 */
export function shuffledPartners(examples: readonly Example[], stream: random.RandomStream): Int32Array {
  const n = examples.length;
  const order = random.epochOrder(n, stream, 0);
  const places = Array.from({ length: n }, (_, place) => order.at(place));
  const partners = new Int32Array(n);
  places.forEach((example, place) => {
    let shift = 1;
    while (shift < n && examples[places[(place + shift) % n]!]!.contextId === examples[example]!.contextId) {
      shift++;
    }
    partners[example] = places[(place + shift) % n]!;
  });
  return partners;
}
