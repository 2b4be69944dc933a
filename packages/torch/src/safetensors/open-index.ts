/**
 * Models cut into several files: `model.safetensors.index.json` maps every tensor to its shard. All shards are
 * opened and checked at once, so a missing or damaged one shows before minutes of loading.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Tensor } from '../tensor.js';
import { SafetensorsError, systemReason } from './error.js';
import type { TensorInfo } from './header.js';
import { type LoadOptions, openSafetensors, type SafetensorsFile, type TensorSource } from './open.js';
import { describe, isObject, JsonFault, parseJsonObject } from './strict-json.js';
import { unknownName } from './unknown-name.js';

export const INDEX_FILE = 'model.safetensors.index.json';

/** The shards of one model as one source. */
export class ShardedSafetensors implements TensorSource {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #shardOf: ReadonlyMap<string, SafetensorsFile>;

  /** Use {@link openSafetensorsIndex}. */
  constructor(
    path: string,
    shardOf: ReadonlyMap<string, SafetensorsFile>,
    metadata: Readonly<Record<string, string>>,
  ) {
    this.path = path;
    this.#shardOf = shardOf;
    this.metadata = metadata;
  }

  get names(): readonly string[] {
    return [...this.#shardOf.keys()];
  }

  /** Paths of the shards. */
  get shards(): readonly string[] {
    return [...new Set(this.#shardOf.values())].map((shard) => shard.path);
  }

  has(name: string): boolean {
    return this.#shardOf.has(name);
  }

  info(name: string): TensorInfo {
    return this.#shard(name).info(name);
  }

  load(name: string, options: LoadOptions = {}): Tensor {
    return this.#shard(name).load(name, options);
  }

  close(): void {
    for (const shard of new Set(this.#shardOf.values())) shard.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #shard(name: string): SafetensorsFile {
    const shard = this.#shardOf.get(name);
    if (shard === undefined) throw unknownName(name, this.#shardOf.keys(), this.path);
    return shard;
  }
}

/**
 * Opens a sharded model.
 *
 * @param path the index file, or the folder with a `model.safetensors.index.json`
 * @throws SafetensorsError that names the index or shard, the tensor and the field of what is wrong
 */
export function openSafetensorsIndex(path: string): ShardedSafetensors {
  const file = isFolder(path) ? join(path, INDEX_FILE) : path;
  const index = readIndex(file);
  const shards = new Map<string, SafetensorsFile>();
  try {
    const shardOf = new Map<string, SafetensorsFile>();
    for (const [tensor, shardName] of index.weightMap) {
      let shard = shards.get(shardName);
      if (shard === undefined) {
        shard = openShard(file, tensor, shardName);
        shards.set(shardName, shard);
      }
      if (!shard.has(tensor)) {
        throw new SafetensorsError(`expected the tensor in ${shardName}, which does not have it`, {
          file,
          tensor,
          field: 'weight_map',
        });
      }
      shardOf.set(tensor, shard);
    }
    return new ShardedSafetensors(file, shardOf, index.metadata);
  } catch (error) {
    for (const shard of shards.values()) shard.close();
    throw error;
  }
}

function openShard(indexFile: string, tensor: string, shardName: string): SafetensorsFile {
  const path = join(dirname(indexFile), shardName);
  try {
    return openSafetensors(path);
  } catch (error) {
    const cause = error instanceof SafetensorsError ? error.cause : undefined;
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
    throw new SafetensorsError(`the shard ${shardName} is missing; download the model again`, {
      file: indexFile,
      tensor,
      field: 'weight_map',
      cause,
    });
  }
}

interface Index {
  readonly weightMap: readonly (readonly [tensor: string, shard: string])[];
  readonly metadata: Readonly<Record<string, string>>;
}

function readIndex(file: string): Index {
  let entries: Record<string, unknown>;
  try {
    entries = parseJsonObject(readFileSync(file));
  } catch (cause) {
    if (cause instanceof JsonFault) throw new SafetensorsError(cause.message, { file });
    throw new SafetensorsError(`cannot read: ${systemReason(cause)}`, { file, cause });
  }
  const map = entries.weight_map;
  if (!isObject(map) || Object.keys(map).length === 0) {
    throw new SafetensorsError(`expected an object of tensor names to shard files, got ${describe(map)}`, {
      file,
      field: 'weight_map',
    });
  }
  const weightMap = Object.entries(map).map(
    ([tensor, shard]) => [tensor, readShardName(shard, tensor, file)] as const,
  );
  return { weightMap, metadata: readIndexMetadata(entries.metadata, file) };
}

/** A shard lies beside its index: a name with a folder in it could lead anywhere on the disk. */
function readShardName(value: unknown, tensor: string, file: string): string {
  if (
    typeof value !== 'string' ||
    !value.endsWith('.safetensors') ||
    basename(value) !== value ||
    /[\\\0]/.test(value)
  ) {
    throw new SafetensorsError(
      `expected the name of a .safetensors file in the same folder, got ${describe(value)}`,
      {
        file,
        tensor,
        field: 'weight_map',
      },
    );
  }
  return value;
}

/** Values are kept as text: exporters put numbers here (total_size), not always right ones, so none is used. */
function readIndexMetadata(value: unknown, file: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) {
    throw new SafetensorsError(`expected an object, got ${describe(value)}`, { file, field: 'metadata' });
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, typeof item === 'string' ? item : JSON.stringify(item)]),
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
