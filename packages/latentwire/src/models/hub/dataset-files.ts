/** Files of a dataset on the hub, through the cache that Python's tools share. */
import * as path from 'node:path';
import { LatentWireError } from '../../errors.js';
import { isFile, RepositoryCache } from './cache.js';
import { hubEnvironment } from './environment.js';
import { HubClient, HubUnavailable } from './hub-client.js';
import type { ResolveOptions } from './resolve-model.js';
import { fetchFiles } from './snapshot.js';

const REVISION = 'main';

/**
 * Local copies of files of a dataset repository, downloaded when they are not in the cache.
 * @param repository `owner/name`
 * @param paths inside the repository
 * @throws LatentWireError `input` for files the repository has not, `network` when a download fails
 */
export async function fetchDatasetFiles(
  repository: string,
  paths: readonly string[],
  options: Omit<ResolveOptions, 'parts'> = {},
): Promise<readonly string[]> {
  const environment = hubEnvironment(options.env);
  const cache = new RepositoryCache(environment.cacheFolder, repository, 'datasets');
  const cached = await cachedFiles(cache, paths);
  if (environment.offline) return cached ?? missing(repository, environment.cacheFolder);
  try {
    const client = new HubClient(environment, repository, options.signal, 'datasets');
    const commit = await client.commit(REVISION);
    await fetchMissing(client, cache, commit, paths, options);
    await cache.writeRef(REVISION, commit);
    return inSnapshot(cache, commit, paths);
  } catch (error) {
    if (!(error instanceof HubUnavailable) || cached === undefined) throw error;
    options.onWarning?.(`using ${repository} from the cache: ${error.message}`);
    return cached;
  }
}

async function fetchMissing(
  client: HubClient,
  cache: RepositoryCache,
  commit: string,
  paths: readonly string[],
  options: Omit<ResolveOptions, 'parts'>,
): Promise<void> {
  if (await allThere(inSnapshot(cache, commit, paths))) return;
  const folders = [...new Set(paths.map((name) => path.posix.dirname(name).replace(/^\.$/, '')))];
  const listed = (await Promise.all(folders.map((folder) => client.files(commit, folder)))).flat();
  const needed = paths.map((name) => {
    const file = listed.find((candidate) => candidate.path === name);
    if (file !== undefined) return file;
    const names = listed.slice(0, 12).map((candidate) => candidate.path);
    throw new LatentWireError(
      `hub: ${client.id}@${commit}: expected ${name}, got: ${names.join(', ') || 'no files'}`,
      {
        code: 'input',
        hint: 'the dataset was rearranged: download its file and pass --train-file, --dev-file',
      },
    );
  });
  await fetchFiles(client, cache, commit, needed, needed, options);
}

async function cachedFiles(
  cache: RepositoryCache,
  paths: readonly string[],
): Promise<readonly string[] | undefined> {
  const commit = await cache.commitOf(REVISION);
  if (commit === undefined) return undefined;
  const files = inSnapshot(cache, commit, paths);
  return (await allThere(files)) ? files : undefined;
}

function inSnapshot(cache: RepositoryCache, commit: string, paths: readonly string[]): string[] {
  return paths.map((name) => path.join(cache.snapshot(commit), name));
}

async function allThere(files: readonly string[]): Promise<boolean> {
  return (await Promise.all(files.map((file) => isFile(file)))).every(Boolean);
}

function missing(repository: string, cacheFolder: string): never {
  throw new LatentWireError(`expected a copy of the dataset ${repository} in ${cacheFolder}, got none`, {
    code: 'network',
    hint: 'download it once with a connection, unset HF_HUB_OFFLINE, or pass --train-file and --dev-file',
  });
}
