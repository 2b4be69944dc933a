/**
 * The sending end of a trained wire: texts -> messages. It holds the encoder and nothing of the frozen readers, and
 * runs wherever the encoder does.
 */
import * as t from '@latentwire/torch';
import type { Assignment, RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import { resolveDevice, resolveDtype } from '../models/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import type { Logger } from '../telemetry/index.js';
import {
  encodeMessage,
  type Latents,
  type Quantisation,
  quantisation,
  type WireId,
} from '../wire/codec/index.js';
import {
  buildEncoder,
  type Encoder,
  encoderBatch,
  encoderInputs,
  encoderLimit,
  type LatentLayout,
  loadEncoderSource,
} from '../wire/index.js';
import { openSavedWire } from './saved-wire.js';

export interface SenderOptions {
  readonly logger: Logger;
  /** Settings in place of the run's: device, place of the encoder model, bits and group. */
  readonly changes?: readonly Assignment[];
}

/** What is to be sent. */
export interface Outgoing {
  readonly text: string;
  /** Needed by wires whose latents carry the question (`--encode prompt`), and by those only. */
  readonly question?: string;
}

export interface SentMessage {
  readonly bytes: Uint8Array;
  /** M */
  readonly latents: number;
  /** Whether the end of the text did not fit into the encoder. */
  readonly truncated: boolean;
}

export class Sender {
  constructor(
    readonly config: RunConfig,
    readonly wire: WireId,
    readonly quantisation: Quantisation,
    private readonly encoder: Encoder,
    private readonly tokenizer: Tokenizer,
    private readonly layout: LatentLayout,
  ) {}

  /** Messages in the order of the texts; each depends on its own text only. */
  async encode(items: readonly Outgoing[]): Promise<SentMessage[]> {
    const inputs = await this.#inputs(items);
    // Texts of like length together: less padding.
    const order = items
      .map((_, i) => i)
      .sort((a, b) => inputs[b]!.ids.length - inputs[a]!.ids.length || a - b);
    const messages = new Array<SentMessage>(items.length);
    const size = this.config.evaluation.eval_batch_size;
    for (let at = 0; at < order.length; at += size) {
      const indices = order.slice(at, at + size);
      const latents = this.#latents(indices.map((i) => inputs[i]!.ids));
      for (const [k, i] of indices.entries()) {
        messages[i] = {
          bytes: encodeMessage(latents[k]!, { quantisation: this.quantisation, wire: this.wire }),
          latents: latents[k]!.count,
          truncated: inputs[i]!.truncated,
        };
      }
    }
    return messages;
  }

  close(): void {
    this.encoder.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #inputs(items: readonly Outgoing[]): Promise<{ ids: Int32Array; truncated: boolean }[]> {
    const { encode } = this.config.encoder;
    const limit = encoderLimit(this.config.encoder);
    return Promise.all(
      items.map(async ({ text, question }, i) => {
        checkQuestion(encode, question, i);
        const example = {
          id: '',
          title: '',
          contextId: '',
          answers: [],
          context: text,
          question: question ?? '',
        };
        const { tokens, truncated } = await encoderInputs([example], this.tokenizer, encode, limit);
        return { ids: tokens[0]!, truncated: truncated > 0 };
      }),
    );
  }

  #latents(texts: readonly Int32Array[]): Latents[] {
    return t.scope(() =>
      t.noGrad(() => {
        const batch = encoderBatch(texts);
        const shared = this.layout.shared(batch.lengths);
        const counts = this.layout.sent(shared);
        const z = this.encoder.encode(batch, shared);
        const [vectors, width] = [z.size(1), z.size(2)];
        const values = z.toFloat32Array();
        return texts.map((_, row) => {
          const start = row * vectors * width;
          const count = counts[row]!;
          return { count, width, values: values.slice(start, start + count * width) };
        });
      }),
    );
  }
}

/** Loads the encoder of a trained wire, with its trained weights. */
export async function openSender(directory: string, options: SenderOptions): Promise<Sender> {
  using saved = openSavedWire(directory, options.changes);
  const { config, layout } = saved;
  const spec = quantisation(config.wire.bits, config.wire.group);
  const device = resolveDevice(config.system.device);
  const computeDtype = resolveDtype(config.model.dtype, device);
  const source = await loadEncoderSource(config.encoder, { device, computeDtype, logger: options.logger });
  // The starting values are overwritten by the saved ones.
  const encoder = buildEncoder(config, layout, source, new t.Generator('cpu', 0));
  try {
    saved.load('encoder', encoder);
  } catch (error) {
    encoder.dispose();
    throw error;
  }
  return new Sender(config, saved.id, spec, encoder, source.tokenizer, layout);
}

function checkQuestion(
  encode: RunConfig['encoder']['encode'],
  question: string | undefined,
  index: number,
): void {
  if (encode === 'prompt' && question === undefined) {
    throw new LatentWireError(`expected a question with text ${index + 1}, got none`, {
      code: 'input',
      hint: 'the latents of this wire carry the question: give --question',
    });
  }
  if (encode === 'context' && question !== undefined) {
    throw new LatentWireError(`expected no question with text ${index + 1}, got one`, {
      code: 'input',
      hint: 'the messages of this wire serve any question: ask it when decoding',
    });
  }
}
