/**
 * An encoder: text -> latents Z. Three kinds, each a token encoder and heads that turn its states into latents:
 *
 *     lm    pretrained language model, trained fully or by LoRA      window means
 *     byte  transformer over UTF-8 bytes, trained from scratch       learned queries
 *     stq   the language model frozen                                learned queries
 *
 * One head makes the shared latents; with private latents, one more per reader.
 */
import * as t from '@latentwire/torch';
import { countOf, type LatentCounts, largestCount, uniformCount } from '../layout.js';
import type { LatentHead, TokenStates } from './latent-head.js';
import { type EncoderBatch, realTokens, type TokenEncoder } from './token-encoder.js';

export interface EncoderParts {
  readonly tokens: TokenEncoder;
  readonly shared: LatentHead;
  /** One per reader; empty without private latents. */
  readonly privates: readonly LatentHead[];
  /** P, latents of each private head */
  readonly privateLen: number;
}

export class Encoder extends t.nn.Module {
  readonly tokens: TokenEncoder;
  readonly shared: LatentHead;
  readonly private: readonly LatentHead[];
  readonly #privateLen: number;

  constructor(parts: EncoderParts) {
    super();
    this.tokens = parts.tokens;
    this.shared = parts.shared;
    this.private = parts.privates;
    this.#privateLen = parts.privateLen;
  }

  get device(): t.Device {
    return this.tokens.device;
  }

  /** More shared latents than this cannot be told apart at the start of training. */
  get finest(): number {
    return this.shared.finest;
  }

  /**
   * Texts -> Z [B, n·P + max S, d_z] in fp32 with root mean square near 1, in the order that `LatentLayout` states;
   * zeros after a row's last latent, as in a message on its own.
   * @param shared S, for all rows or per row
   * @param readers whose private latents are to train; those of others are made outside the graph. Default: all
   */
  encode(batch: EncoderBatch, shared: LatentCounts, readers?: readonly number[] | undefined): t.Tensor {
    return t.scope(() => {
      const real = realTokens(batch, this.device);
      const tokens: TokenStates = { states: this.tokens.states(batch, real), lengths: batch.lengths, real };
      const common = withoutPadding(this.shared.forward(tokens, shared), shared);
      const own = this.private.map((head, k) => {
        const make = (): t.Tensor => head.forward(tokens, this.#privateLen);
        // A gradient of zeros would still let the optimiser decay and drift.
        return readers === undefined || readers.includes(k) ? make() : t.noGrad(make);
      });
      return own.length === 0 ? common : t.cat([...own, common], 1);
    });
  }

  /** Frees parameters and the frozen weights of the token encoder. */
  override dispose(): void {
    this.tokens.dispose();
    for (const head of [this.shared, ...this.private]) head.dispose();
  }
}

/** Zeros after the last latent of each row of z [B, max S, d_z]. */
function withoutPadding(z: t.Tensor, shared: LatentCounts): t.Tensor {
  if (uniformCount(shared) !== null) return z;
  const [rows, most] = [z.size(0), largestCount(shared)];
  const real = new Float32Array(rows * most);
  for (let row = 0; row < rows; row++) real.fill(1, row * most, row * most + countOf(shared, row));
  return t.mul(z, t.fromTypedArray(real, [rows, most, 1], { device: z.device }));
}
