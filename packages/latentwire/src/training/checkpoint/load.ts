/** Reading checkpoints: the weights alone for evaluation, everything for going on. */
import fs from 'node:fs';
import path from 'node:path';
import type * as t from '@latentwire/torch';
import { LatentWireError } from '../../errors.js';
import { type RunPaths, runLocation, runPaths } from '../../telemetry/index.js';
import type { LatentWire } from '../../wire/index.js';
import { checkpointPath, findCheckpoint, openVerified, settleCheckpoint } from './files.js';
import type { RunIdentity } from './identity.js';
import { type CheckpointState, parseState } from './state.js';
import { loadTrained, loadWeights, savedDigests, type TrainedTensors } from './tensors.js';

/** A checkpoint that was opened and checked; close it after use. */
export interface OpenedCheckpoint extends Disposable {
  readonly file: t.SafetensorsFile;
  readonly state: CheckpointState;
  readonly identity: RunIdentity;
}

/** Copies saved weights into the wire. @returns the optimiser step they are from */
export function loadWire(wire: LatentWire, paths: RunPaths): number {
  const found = findCheckpoint(paths);
  if (found === undefined) {
    throw new LatentWireError(`expected a checkpoint at ${checkpointPath(paths)}, found none`, {
      code: 'state',
      hint: 'train this run first: latentwire train --save-dir …',
    });
  }
  using opened = opening(found.file);
  loadWeights(opened.file, wire);
  return opened.state.step;
}

/** Copies the weights of another run (`--init-from`) into a new wire; its optimiser, steps and settings stay behind. */
export function loadStartingWeights(wire: LatentWire, reference: string): void {
  using opened = namedCheckpoint(reference);
  loadWeights(opened.file, wire);
}

/** The checkpoint of the run that this process holds, after clearing up what killed saves left; undefined: none. */
export function ownCheckpoint(
  paths: RunPaths,
  warn: (message: string) => void,
): OpenedCheckpoint | undefined {
  const file = settleCheckpoint(paths, warn);
  return file && opening(file);
}

/** Opens `--resume-from` or `--init-from`: a checkpoint file, or a run directory. @throws LatentWireError `input`, `format` */
export function namedCheckpoint(reference: string): OpenedCheckpoint {
  if (!fs.existsSync(reference)) {
    throw new LatentWireError(`expected a checkpoint or run at ${path.resolve(reference)}, found nothing`, {
      code: 'input',
      hint: 'give a checkpoint_current.safetensors, or the run directory it is in',
    });
  }
  if (!fs.statSync(reference).isDirectory()) return opening(openVerified(reference));
  const { root, name } = runLocation(reference);
  const found = findCheckpoint(runPaths(root, name));
  if (found === undefined) {
    throw new LatentWireError(`expected a checkpoint in ${path.resolve(reference)}, found none`, {
      code: 'input',
      hint: 'give a checkpoint_current.safetensors, or the run directory it is in',
    });
  }
  return opening(found.file);
}

/**
 * Copies everything into the live tensors and compares digests when the checkpoint has them.
 * @throws LatentWireError `state` when names, shapes or digests differ
 */
export function restore({ file, state }: OpenedCheckpoint, trained: TrainedTensors): void {
  if (state.digests !== null) {
    const { weights, optimizer, cursor } = savedDigests(file, state);
    const same =
      weights === state.digests.weights &&
      optimizer === state.digests.optimizer &&
      cursor === state.digests.cursor;
    if (!same) {
      throw new LatentWireError(
        `${file.path}: its tensors are not those that were digested when it was saved`,
        {
          code: 'state',
          hint: 'restore the file from a copy, or begin again with --restart',
        },
      );
    }
  }
  loadTrained(file, trained);
}

function opening(file: t.SafetensorsFile): OpenedCheckpoint {
  try {
    const state = parseState(file.metadata, file.path);
    const identity = JSON.parse(file.metadata.identity ?? '{"config":{},"facts":{}}') as RunIdentity;
    return { file, state, identity, [Symbol.dispose]: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}
