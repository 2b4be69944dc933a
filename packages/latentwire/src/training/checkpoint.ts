/** Saves and loads what trains, and nothing else: frozen weights are never saved. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as t from '@latentwire/torch';
import { configHash, type RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import type { RunPaths } from '../telemetry/index.js';
import type { LatentWire } from '../wire/index.js';

const FORMAT_VERSION = '1';

/** The single checkpoint of a run. */
export function checkpointPath(paths: RunPaths): string {
  return join(paths.checkpoints, 'checkpoint_current.safetensors');
}

/** Replaces the checkpoint atomically; on an error the one before stays. */
export function saveWire(wire: LatentWire, paths: RunPaths, config: RunConfig, step: number): string {
  const path = checkpointPath(paths);
  t.writeSafetensors(path, wire.stateDict(), {
    digest: true,
    metadata: {
      format: 'latentwire-checkpoint',
      version: FORMAT_VERSION,
      config_hash: configHash(config),
      step: String(step),
    },
  });
  return path;
}

/** Copies saved weights into the wire. @returns the optimiser step they are from */
export function loadWire(wire: LatentWire, paths: RunPaths): number {
  const path = checkpointPath(paths);
  if (!existsSync(path)) {
    throw new LatentWireError(`expected a checkpoint at ${path}, found none`, {
      code: 'state',
      hint: 'train this run first: latentwire train --save-dir …',
    });
  }
  using file = t.openSafetensors(path);
  if (file.metadata.format !== 'latentwire-checkpoint' || file.metadata.version !== FORMAT_VERSION) {
    throw new LatentWireError(
      `${path}: expected a latentwire-checkpoint of version ${FORMAT_VERSION}, got ${file.metadata.format} ${file.metadata.version}`,
      { code: 'format', hint: 'it was written by another version or program' },
    );
  }
  file.verifyDigest();
  t.scope(() => wire.loadStateDict(new Map(file.names.map((name) => [name, file.load(name)]))));
  return Number(file.metadata.step);
}
