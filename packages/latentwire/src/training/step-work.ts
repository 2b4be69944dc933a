/**
 * What a micro-batch costs at least, in floating-point operations: encoder, adapters and the frozen readers with their
 * gradients, padding and recomputation not counted. Divided by time and by what the card can do it is the MFU of a step.
 */
import {
  decoderFlop,
  FROZEN_WITH_GRADIENT,
  type LanguageModel,
  logitsFlop,
} from '../models/decoder/index.js';
import { type ComposedBatch, type LatentWire, NO_ROW } from '../wire/index.js';
import type { MicroBatch } from './micro-batch.js';

type Readers = readonly { readonly reader: { readonly model: Pick<LanguageModel, 'config'> } }[];

/** @returns the cost of micro-batches of this wire and these readers */
export function microBatchWork(wire: LatentWire, readers: Readers): (batch: MicroBatch) => number {
  const head = trained(wire.encoder.shared.parameters());
  const adapters = wire.adapters.map((adapter) => trained(adapter.parameters()));
  return (batch) => {
    const latents = [...batch.shared].reduce((a, b) => a + b, 0);
    const privateLatents = wire.layout.privateLen * batch.texts.batch;
    const common = wire.encoder.tokens.flop(batch.texts.lengths) + head * latents;
    return batch.readers.reduce((sum, { reader, answers, reading }) => {
      const { config } = readers[reader]!.reader.model;
      const passes = [answers?.composed, reading].map((rows) =>
        rows == null ? 0 : readerFlop(config, rows),
      );
      return sum + adapters[reader]! * (latents + privateLatents) + passes[0]! + passes[1]!;
    }, common);
  };
}

/** Forward, gradient of the input, gradient of the weights: two operations each for every number of a matrix. */
function trained(
  parameters: readonly { readonly shape: readonly number[]; readonly numel: number }[],
): number {
  return parameters.reduce((sum, { shape, numel }) => sum + (shape.length === 2 ? 6 * numel : 0), 0);
}

function readerFlop(config: LanguageModel['config'], rows: ComposedBatch): number {
  const { batch, length, valid } = rows;
  const lengths = new Int32Array(batch).fill(valid === null ? length : 0);
  valid?.forEach((real, place) => {
    lengths[Math.floor(place / length)]! += real;
  });
  const places = rows.targetRows.reduce((n, row) => n + (row === NO_ROW ? 0 : 1), 0);
  return (
    decoderFlop(config, { lengths, places }, FROZEN_WITH_GRADIENT) +
    logitsFlop(config, places, FROZEN_WITH_GRADIENT)
  );
}
