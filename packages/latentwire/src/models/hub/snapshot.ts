/**
 * The files of one model at one commit in the cache: which are needed, which are missing, and getting those.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { z } from 'zod';
import { LatentWireError } from '../../errors.js';
import { readJson } from '../config/index.js';
import { isFile, type RepositoryCache } from './cache.js';
import { type DownloadOptions, downloadBlob } from './download.js';
import { HubClient, type HubFile } from './hub-client.js';
import type { ModelReference } from './reference.js';

export interface DownloadProgress {
  readonly file: string;
  /** Bytes of all needed files that are in the cache by now, and of all needed files. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export type ModelParts = 'all' | 'tokenizer';

export interface SnapshotOptions extends Omit<DownloadOptions, 'onBytes'> {
  readonly parts: ModelParts;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

const CONFIG_FILES = ['config.json', 'generation_config.json'];
const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'tokenizer.model',
  'special_tokens_map.json',
  'chat_template.jinja',
];
const WEIGHTS = 'model.safetensors';
const WEIGHT_INDEX = 'model.safetensors.index.json';
const PARALLEL = 4;

const indexSchema = z.looseObject({
  weight_map: z.record(z.string(), z.string().regex(/^[\w.-]+\.safetensors$/)),
});

type HubReference = ModelReference & { readonly kind: 'hub' };

/** Folder (or GGUF file) of the model in the cache, if all that is needed is there. */
export async function findSnapshot(
  cache: RepositoryCache,
  commit: string,
  reference: HubReference,
  parts: ModelParts,
): Promise<string | undefined> {
  const snapshot = cache.snapshot(commit);
  if (reference.file !== undefined) {
    const file = path.join(snapshot, reference.file);
    return (await isFile(file)) ? file : undefined;
  }
  const has = (name: string) => isFile(path.join(snapshot, name));
  if (!(await has('tokenizer.json')) && !(await has('tokenizer.model'))) return undefined;
  if (parts === 'tokenizer') return snapshot;
  if (!(await has('config.json'))) return undefined;
  if (await has(WEIGHTS)) return snapshot;
  if (!(await has(WEIGHT_INDEX))) return undefined;
  for (const shard of shardsOf(path.join(snapshot, WEIGHT_INDEX))) {
    if (!(await has(shard))) return undefined;
  }
  return snapshot;
}

/**
 * Gets what is missing of a model and returns its folder (or GGUF file) in the cache.
 * @throws LatentWireError 'network' when the hub cannot be reached or refuses, 'input' when it has no such model.
 */
export async function fetchSnapshot(
  client: HubClient,
  cache: RepositoryCache,
  reference: HubReference,
  options: SnapshotOptions,
): Promise<{ path: string; commit: string }> {
  const commit = await client.commit(reference.revision);
  const present = await findSnapshot(cache, commit, reference, options.parts);
  if (present === undefined) {
    const folder = reference.file === undefined ? '' : path.posix.dirname(reference.file).replace(/^\.$/, '');
    const available = new Map((await client.files(commit, folder)).map((file) => [file.path, file]));
    await fetchNeeded(client, cache, commit, reference, available, options);
  }
  await cache.writeRef(reference.revision, commit);
  const found = present ?? (await findSnapshot(cache, commit, reference, options.parts));
  if (found === undefined) {
    throw new LatentWireError(
      `hub: ${reference.id}@${reference.revision}: expected a complete model, got none`,
      {
        code: 'internal',
      },
    );
  }
  return { path: found, commit };
}

async function fetchNeeded(
  client: HubClient,
  cache: RepositoryCache,
  commit: string,
  reference: HubReference,
  available: ReadonlyMap<string, HubFile>,
  options: SnapshotOptions,
): Promise<void> {
  const first = neededFiles(reference, available, options.parts);
  await fetchFiles(client, cache, commit, first, first, options);
  if (!first.some((file) => file.path === WEIGHT_INDEX)) return;
  // The shards are known only now.
  const shards = shardsOf(path.join(cache.snapshot(commit), WEIGHT_INDEX)).map((name) => {
    const shard = available.get(name);
    if (shard !== undefined) return shard;
    throw new LatentWireError(
      `hub: ${reference.id}/${WEIGHT_INDEX}: expected shards of the repository, got '${name}'`,
      {
        code: 'format',
      },
    );
  });
  await fetchFiles(client, cache, commit, shards, [...first, ...shards], options);
}

function neededFiles(
  reference: HubReference,
  available: ReadonlyMap<string, HubFile>,
  parts: ModelParts,
): HubFile[] {
  const lacks = (what: string): never => {
    const names = [...available.keys()].slice(0, 12).join(', ');
    throw new LatentWireError(`hub: ${reference.id}@${reference.revision}: expected ${what}, got: ${names}`, {
      code: 'input',
      hint: 'models need safetensors weights and a tokenizer; for GGUF write owner/name/file.gguf',
    });
  };
  if (reference.file !== undefined) return [available.get(reference.file) ?? lacks(reference.file)];
  const pick = (names: readonly string[]) => names.flatMap((name) => available.get(name) ?? []);
  const tokenizer = pick(TOKENIZER_FILES);
  if (!tokenizer.some(({ path: name }) => name === 'tokenizer.json' || name === 'tokenizer.model')) {
    lacks('tokenizer.json or tokenizer.model');
  }
  if (parts === 'tokenizer') return [...pick(CONFIG_FILES), ...tokenizer];
  if (!available.has('config.json')) lacks('config.json');
  const weights =
    available.get(WEIGHT_INDEX) ?? available.get(WEIGHTS) ?? lacks(`${WEIGHTS} or ${WEIGHT_INDEX}`);
  return [...pick(CONFIG_FILES), ...tokenizer, weights];
}

/**
 * Downloads files of a commit and links them into its snapshot.
 * @param counted files whose bytes the progress counts: those fetched now and before
 */
export async function fetchFiles(
  client: HubClient,
  cache: RepositoryCache,
  commit: string,
  files: readonly HubFile[],
  counted: readonly HubFile[],
  options: Omit<SnapshotOptions, 'parts'>,
): Promise<void> {
  const bytesTotal = counted.reduce((sum, { bytes }) => sum + bytes, 0);
  const fetched = new Set(files.map(({ path: name }) => name));
  const done = new Map(counted.map((file) => [file.path, fetched.has(file.path) ? 0 : file.bytes]));
  const report = (file: string, bytes: number) => {
    done.set(file, bytes);
    const bytesDone = [...done.values()].reduce((sum, value) => sum + value, 0);
    options.onProgress?.({ file, bytesDone, bytesTotal });
  };
  await checkFreeSpace(cache, files);
  // The first failure stops the others: none goes on for hours behind an error.
  const stop = new AbortController();
  const signals = client.signal === undefined ? [stop.signal] : [client.signal, stop.signal];
  const worker = new HubClient(client.environment, client.id, AbortSignal.any(signals), client.kind);
  const queue = [...files];
  const run = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const { path: name, bytes, etag } = file;
      await downloadBlob(worker, cache, commit, file, {
        ...options,
        onBytes: (count) => report(name, count),
      });
      await cache.link(commit, name, etag);
      report(name, bytes);
    }
  };
  let failure: { readonly reason: unknown } | undefined;
  const guarded = () =>
    run().catch((reason: unknown) => {
      failure ??= { reason };
      stop.abort(reason);
    });
  await Promise.all(Array.from({ length: PARALLEL }, guarded));
  if (failure !== undefined) throw failure.reason;
}

async function checkFreeSpace(cache: RepositoryCache, files: readonly HubFile[]): Promise<void> {
  let missing = 0;
  for (const { etag, bytes } of files) if (!(await isFile(cache.blob(etag), bytes))) missing += bytes;
  await fs.mkdir(cache.folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new LatentWireError(`${cache.folder}: expected a writable cache folder, got ${cause.code}`, {
      code: 'io',
      hint: 'set HF_HUB_CACHE to a folder you may write to',
      cause,
    });
  });
  const { bavail, bsize } = await fs.statfs(cache.folder);
  if (bavail * bsize < missing) {
    const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
    throw new LatentWireError(
      `${cache.folder}: expected room for ${gigabytes(missing)}, got ${gigabytes(bavail * bsize)} free`,
      { code: 'io', hint: 'free space, or set HF_HUB_CACHE to another disk' },
    );
  }
}

function shardsOf(index: string): string[] {
  return [...new Set(Object.values(readJson(index, indexSchema).weight_map))].sort();
}
