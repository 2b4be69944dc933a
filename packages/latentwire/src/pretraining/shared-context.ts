/**
 * One forward pass over a context, then one over all its questions: each question sees the context and itself, never
 * another question or its answer, and continues at the position after the context, as when it is asked alone.
 */
import * as t from '@latentwire/torch';
import type { AttentionCache, LanguageModel } from '../models/index.js';

/** Padded token rows on the device. */
export interface TokenRows {
  /** int64 [rows, T], padded on the right */
  readonly ids: t.Tensor;
  /** bool [rows, T], true = real token */
  readonly valid: t.Tensor;
}

/**
 * Hidden states of `contexts` [B, Tc, D] and of `questions` [B·k, Tq, D], k questions after each context in turn.
 * @param disturb changes the embeddings of the contexts
 */
export function hiddenStates(
  model: LanguageModel,
  contexts: TokenRows,
  questions: TokenRows,
  disturb: (contexts: t.Tensor) => t.Tensor = (embeds) => embeds,
): { contexts: t.Tensor; questions: t.Tensor } {
  const perContext = questions.ids.size(0) / contexts.ids.size(0);
  using recorder = new ContextRecorder(contexts.ids.size(1));
  const contextHidden = model.hidden(disturb(model.embed(contexts.ids)), {
    cache: recorder,
    rightPadded: true,
  });
  const valid = t.cat([t.repeatInterleave(contexts.valid, perContext, 0), questions.valid], 1);
  const questionHidden = model.hidden(model.embed(questions.ids), {
    cache: recorder.repeated(perContext),
    valid,
  });
  return { contexts: contextHidden, questions: questionHidden };
}

/** Keeps the keys and values of a first call, with their history, so that gradients reach the context. */
class ContextRecorder implements AttentionCache, Disposable {
  readonly length = 0;
  readonly #keys: t.Tensor[] = [];
  readonly #values: t.Tensor[] = [];

  constructor(private readonly contextLength: number) {}

  append(layer: number, k: t.Tensor, v: t.Tensor): [t.Tensor, t.Tensor] {
    this.#keys[layer] = t.keep(k);
    this.#values[layer] = t.keep(v);
    return [k, v];
  }

  advance(): void {}

  /** A cache in which row r finds the context of row ⌊r / times⌋. */
  repeated(times: number): AttentionCache {
    return {
      length: this.contextLength,
      append: (layer, k, v) => [
        t.cat([t.repeatInterleave(this.#keys[layer]!, times, 0), k], 2),
        t.cat([t.repeatInterleave(this.#values[layer]!, times, 0), v], 2),
      ],
      advance: () => {},
    };
  }

  /** Frees the handles; the autograd graph holds what it needs. */
  [Symbol.dispose](): void {
    for (const tensor of [...this.#keys, ...this.#values]) tensor.dispose();
  }
}
