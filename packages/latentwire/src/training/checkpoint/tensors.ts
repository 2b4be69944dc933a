/** The tensors of a checkpoint: the wire's under their own names, the optimiser's behind `optimizer.`. */
import * as t from '@latentwire/torch';
import { LatentWireError } from '../../errors.js';
import type { LatentWire } from '../../wire/index.js';
import type { CheckpointState, StateDigests } from './state.js';

const OPTIMIZER = 'optimizer.';

/** What changes in an optimiser step. */
export interface TrainedTensors {
  readonly wire: LatentWire;
  readonly adamw: t.optim.AdamW;
}

/** Live tensors by their name in the file; not copies. */
export function checkpointTensors({ wire, adamw }: TrainedTensors): Map<string, t.Tensor> {
  const tensors = new Map(wire.stateDict());
  for (const [name, tensor] of adamw.stateDict()) tensors.set(OPTIMIZER + name, tensor);
  return tensors;
}

/** Copies the weights of a checkpoint into a wire. */
export function loadWeights(file: t.TensorSource, wire: LatentWire): void {
  load('weights', () => {
    const names = file.names.filter((name) => !name.startsWith(OPTIMIZER));
    wire.loadStateDict(new Map(names.map((name) => [name, file.load(name)])));
  });
}

/** Copies weights and optimiser state; names and shapes must be those of the run. */
export function loadTrained(file: t.TensorSource, { wire, adamw }: TrainedTensors): void {
  loadWeights(file, wire);
  load('optimiser', () => {
    const names = file.names.filter((name) => name.startsWith(OPTIMIZER));
    adamw.loadStateDict(new Map(names.map((name) => [name.slice(OPTIMIZER.length), file.load(name)])));
  });
}

function load(what: string, action: () => void): void {
  try {
    t.scope(action);
  } catch (cause) {
    throw new LatentWireError(
      `the ${what} of the checkpoint do not fit this run: ${cause instanceof Error ? cause.message : String(cause)}`,
      { code: 'state', hint: 'it belongs to a run with other settings', cause },
    );
  }
}

/** Digests of weights, optimiser and cursor, and of each weight for finding the first that differs. */
export interface LiveDigests extends StateDigests {
  /** First 8 digits for each weight, in name order, joined. */
  readonly tensors: string;
}

export function liveDigests(
  trained: TrainedTensors,
  cursor: CheckpointState['cursor'],
  step: number,
): LiveDigests {
  return digestsOf(checkpointTensors(trained), cursor, step);
}

/** The same of the tensors in a file. */
export function savedDigests(
  file: t.TensorSource,
  state: Pick<CheckpointState, 'cursor' | 'step'>,
): LiveDigests {
  return t.scope(() => {
    const tensors = new Map(file.names.map((name) => [name, file.load(name)]));
    return digestsOf(tensors, state.cursor, state.step);
  });
}

function digestsOf(
  tensors: ReadonlyMap<string, t.Tensor>,
  cursor: CheckpointState['cursor'],
  step: number,
): LiveDigests {
  const names = [...tensors.keys()].sort();
  const weights = names.filter((name) => !name.startsWith(OPTIMIZER));
  const optimizer = names.filter((name) => name.startsWith(OPTIMIZER));
  const each = t.tensorDigests(weights.map((name) => tensors.get(name)!));
  return {
    weights: combined(each),
    optimizer: combined(t.tensorDigests(optimizer.map((name) => tensors.get(name)!))),
    cursor: `${cursor.epoch}:${cursor.batch}:${step}`,
    tensors: [...each].map((digest) => t.digestText(digest).slice(0, 8)).join(''),
  };
}

function combined(digests: BigUint64Array): string {
  const bytes = new Uint8Array(digests.buffer);
  return t.scope(() => {
    const all = t.fromBytes(bytes, [bytes.length], 'uint8');
    return t.digestText(t.tensorDigests([all])[0]!);
  });
}
