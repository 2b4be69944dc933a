/**
 * A trained wire on disk, opened by one of its ends. The sender needs the encoder's weights, a receiver those of one
 * adapter; the frozen models of the other end are never looked for.
 */
import * as t from '@latentwire/torch';
import { type Assignment, applyAssignments, parseConfig, type RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import { findRun, runLocation } from '../telemetry/index.js';
import { type WireId, wireIdOf } from '../wire/codec/index.js';
import { type LatentLayout, latentLayout } from '../wire/index.js';
import { findCheckpoint } from './checkpoint/index.js';

export class SavedWire {
  constructor(
    readonly config: RunConfig,
    /** What messages of this wire are marked with. */
    readonly id: WireId,
    readonly layout: LatentLayout,
    private readonly file: t.TensorSource,
  ) {}

  /** Copies the saved values of one part (`encoder`, `adapters.0`) into a module of that shape. */
  load(part: string, module: t.nn.Module): void {
    t.scope(() => {
      const names = this.file.names.filter((name) => name.startsWith(`${part}.`));
      module.loadStateDict(new Map(names.map((name) => [name.slice(part.length + 1), this.file.load(name)])));
    });
  }

  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens the wire of a run directory.
 * @param changes settings of this machine (device) in place of the run's
 * @throws LatentWireError when there is no run, no checkpoint, or a damaged one
 */
export function openSavedWire(directory: string, changes: readonly Assignment[] = []): SavedWire {
  const { root, name } = runLocation(directory);
  const record = findRun(name, { root });
  const config = applyAssignments(changes, parseConfig(record.config, record.paths.config));
  const found = findCheckpoint(record.paths);
  if (found === undefined) {
    throw new LatentWireError(`expected a checkpoint in ${record.paths.checkpoints}, found none`, {
      code: 'state',
      hint: `train this run first: latentwire train --save-dir ${directory}`,
    });
  }
  const { file } = found;
  try {
    return new SavedWire(config, savedWireId(file), latentLayout(config.wire, config.model.ids.length), file);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * The identity of a wire: what the last layers of its encoder are. They are small, change with every training step,
 * and say what latents mean; the adapters that read them are not part of it.
 */
export function savedWireId(file: Pick<t.TensorSource, 'names' | 'info' | 'load'>): WireId {
  const names = file.names.filter((name) => /^encoder\.(?:shared|private)\./.test(name)).sort();
  return t.scope(() =>
    wireIdOf(names.flatMap((name) => [name, file.info(name).shape.join(), file.load(name).toBytes()])),
  );
}
