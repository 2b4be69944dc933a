/**
 * The receiving end of a trained wire: messages and questions -> answers of one frozen model. It holds that model and
 * its adapter, and nothing of the encoder. Answers come from the same code as those of an evaluation.
 */
import * as t from '@latentwire/torch';
import type { Assignment, RunConfig } from '../config/index.js';
import { LatentWireError, nearestName } from '../errors.js';
import { type AnswerSource, answerBatch, sourceBatches } from '../evaluation/index.js';
import { modelName, resolveDevice, resolveDtype } from '../models/index.js';
import type { Logger } from '../telemetry/index.js';
import { decodeMessage, type Latents, type WireId } from '../wire/codec/index.js';
import {
  type Adapter,
  buildAdapter,
  headTokens,
  type LatentLayout,
  latentRow,
  type Reader,
  seenLatents,
  tailTokens,
} from '../wire/index.js';
import { taskOfRun } from './datasets.js';
import { loadReader, readerNames } from './readers.js';
import { openSavedWire } from './saved-wire.js';

export interface ReceiverOptions {
  readonly logger: Logger;
  /** Which model of the run answers: its name or id, or where it lies on this machine; absent: the only one. */
  readonly model?: string;
  /** Settings of this machine in place of the run's: device, longest answer. */
  readonly changes?: readonly Assignment[];
}

/** A message and what is asked of it. */
export interface Incoming {
  readonly message: Uint8Array;
  /** Left out for wires whose latents carry the question (`--encode prompt`). */
  readonly question?: string;
}

export class Receiver {
  constructor(
    readonly config: RunConfig,
    readonly wire: WireId,
    readonly reader: Reader,
    private readonly readerIndex: number,
    private readonly adapter: Adapter,
    private readonly layout: LatentLayout,
  ) {}

  /**
   * Answers in the order of the messages.
   * @throws LatentWireError `format` or `input` for a message that is damaged, of another wire or of another shape
   */
  async answer(items: readonly Incoming[]): Promise<string[]> {
    const messages = items.map(({ message }, i) => this.#read(message, i, items.length));
    const questions = items.map(({ question }, i) => this.#question(question, i));
    const source = await this.#source(messages, questions);
    const answers = new Array<string>(items.length);
    for (const indices of sourceBatches(source, this.config.evaluation.eval_batch_size)) {
      const { predictions } = await answerBatch(source, {
        indices,
        maxNewTokens: this.config.evaluation.max_new_tokens,
        multiline: taskOfRun(this.config).multiline,
        targets: null,
      });
      for (const [k, i] of indices.entries()) answers[i] = predictions[k]!;
    }
    return answers;
  }

  close(): void {
    this.adapter.dispose();
    this.reader.model.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(bytes: Uint8Array, index: number, of: number): Latents {
    const { d_z } = this.config.wire;
    const { latents } = decodeMessage(bytes, this.wire);
    const shared = latents.count - this.layout.readers * this.layout.privateLen;
    const fixed = this.layout.ratio === null ? this.layout.slots : null;
    if (latents.width === d_z && shared >= 1 && (fixed === null || shared === fixed)) return latents;
    const which = of === 1 ? 'the message' : `message ${index + 1}`;
    throw new LatentWireError(
      `expected ${which} to hold latents of width ${d_z}${fixed === null ? '' : `, ${this.layout.sent([fixed])[0]} of them`}, got ${latents.count} of width ${latents.width}`,
      { code: 'format', hint: 'it was made by another program' },
    );
  }

  #question(question: string | undefined, index: number): string | null {
    const carried = this.config.encoder.encode === 'prompt';
    if (carried === (question === undefined)) return question ?? null;
    throw new LatentWireError(
      carried
        ? `expected no question with message ${index + 1}, got one`
        : `expected a question with message ${index + 1}, got none`,
      {
        code: 'input',
        hint: carried ? 'the latents of this wire carry it: give it when encoding' : 'give --question',
      },
    );
  }

  async #source(messages: readonly Latents[], questions: readonly (string | null)[]): Promise<AnswerSource> {
    const head = await headTokens(this.reader);
    const tails = await tailTokens(this.reader, questions);
    const { readers, privateLen } = this.layout;
    const shared = messages.map(({ count }) => count - readers * privateLen);
    const seen = this.layout.seen(shared);
    return {
      mode: 'latent',
      reader: this.reader,
      rows: tails.map((tail) => latentRow(head, tail)),
      latents: seen,
      prefix: (indices) => {
        const z = this.#stack(indices.map((i) => messages[i]!));
        const counts = indices.map((i) => shared[i]!);
        return this.adapter.forward(seenLatents(z, this.layout, this.readerIndex), counts);
      },
      contextPositions: [...seen],
      messageBytes: null,
    };
  }

  /** [B, most vectors, d_z], rows padded with zeros at the end. */
  #stack(messages: readonly Latents[]): t.Tensor {
    const most = Math.max(...messages.map(({ count }) => count));
    const { d_z } = this.config.wire;
    const values = new Float32Array(messages.length * most * d_z);
    messages.forEach((latents, row) => {
      values.set(latents.values, row * most * d_z);
    });
    return t.fromTypedArray(values, [messages.length, most, d_z], { device: this.reader.model.device });
  }
}

/** Loads one frozen model of a trained wire and the adapter that was trained for it. */
export async function openReceiver(directory: string, options: ReceiverOptions): Promise<Receiver> {
  using saved = openSavedWire(directory, options.changes);
  const { config, layout } = saved;
  const { index, reference } = chooseReader(config.model.ids, options.model);
  const name = readerNames(config.model.ids)[index]!;
  const device = resolveDevice(config.system.device);
  const dtype = resolveDtype(config.model.dtype, device);
  const reader = await loadReader(name, reference, config, { device, dtype, logger: options.logger });
  try {
    // The starting values are overwritten by the saved ones.
    const adapter = buildAdapter(config, layout, reader.model, new t.Generator('cpu', 0));
    saved.load(`adapters.${index}`, adapter);
    return new Receiver(config, saved.id, reader, index, adapter, layout);
  } catch (error) {
    reader.model.dispose();
    throw error;
  }
}

/**
 * The model that is meant: by its name in the run, by its id, or by a place on this machine whose last part is the
 * name of one model of the run.
 */
export function chooseReader(
  ids: readonly string[],
  wanted: string | undefined,
): { readonly index: number; readonly reference: string } {
  const names = readerNames(ids);
  if (wanted === undefined && ids.length === 1) return { index: 0, reference: ids[0]! };
  const hint = `this wire is read by ${names.join(', ')}`;
  if (wanted === undefined) {
    throw new LatentWireError(`expected the model that answers, got none`, {
      code: 'input',
      hint: `name it with --model: ${hint}`,
    });
  }
  const known = names.indexOf(wanted);
  if (known >= 0) return { index: known, reference: ids[known]! };
  const id = ids.indexOf(wanted);
  if (id >= 0) return { index: id, reference: wanted };
  const elsewhere = names.indexOf(modelName(wanted));
  if (elsewhere >= 0) return { index: elsewhere, reference: wanted };
  const near = nearestName(wanted, names);
  throw new LatentWireError(`expected a model that this wire was trained for, got ${wanted}`, {
    code: 'input',
    hint: near === undefined ? hint : `did you mean ${near}? ${hint}`,
  });
}
