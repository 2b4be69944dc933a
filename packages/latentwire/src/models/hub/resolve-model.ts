/**
 * From what the user wrote to files on this disk: a folder or GGUF file as it is, a hub model through the cache that
 * Python's tools share.
 */
import { LatentWireError } from '../../errors.js';
import { RepositoryCache } from './cache.js';
import type { DownloadOptions } from './download.js';
import { type HubEnvironment, hubEnvironment } from './environment.js';
import { HubClient, HubUnavailable } from './hub-client.js';
import { type ModelReference, parseReference } from './reference.js';
import { type DownloadProgress, fetchSnapshot, findSnapshot, type ModelParts } from './snapshot.js';

export interface ResolveOptions extends Omit<DownloadOptions, 'onBytes'> {
  /** `tokenizer` leaves the weights where they are. Default `all`. */
  readonly parts?: ModelParts;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Told when the hub cannot be reached and the cache is used instead. */
  readonly onWarning?: (message: string) => void;
  readonly signal?: AbortSignal;
  /** Where HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE, … are read. Default process.env. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface ResolvedModel {
  readonly kind: 'folder' | 'gguf';
  /** The model folder, or the GGUF file. */
  readonly path: string;
  /** Commit of a hub model, else null. */
  readonly commit: string | null;
}

/**
 * @param reference a folder, a `.gguf` file, `owner/name[@revision]` or `owner/name/file.gguf[@revision]`.
 * @throws LatentWireError 'input' for a name that leads nowhere, 'network' when a download fails, 'io' for disk trouble.
 */
export async function resolveModel(reference: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const parsed = parseReference(reference);
  if (parsed.kind !== 'hub') return { ...parsed, commit: null };
  const environment = hubEnvironment(options.env);
  const cache = new RepositoryCache(environment.cacheFolder, parsed.id);
  const parts = options.parts ?? 'all';
  const kind = parsed.file === undefined ? 'folder' : 'gguf';

  const cached = await findCached(cache, parsed, parts);
  // A commit never changes, so a complete one needs no question to the hub.
  if (cached !== undefined && (environment.offline || cached.commit === parsed.revision))
    return { kind, ...cached };
  if (environment.offline) throw notCached(parsed, environment, 'HF_HUB_OFFLINE is set');
  try {
    const client = new HubClient(environment, parsed.id, options.signal);
    return { kind, ...(await fetchSnapshot(client, cache, parsed, { ...options, parts })) };
  } catch (error) {
    if (!(error instanceof HubUnavailable) || cached === undefined) throw error;
    options.onWarning?.(`using ${parsed.id} from the cache (commit ${cached.commit}): ${error.message}`);
    return { kind, ...cached };
  }
}

async function findCached(
  cache: RepositoryCache,
  reference: ModelReference & { kind: 'hub' },
  parts: ModelParts,
): Promise<{ path: string; commit: string } | undefined> {
  const commit = await cache.commitOf(reference.revision);
  if (commit === undefined) return undefined;
  const path = await findSnapshot(cache, commit, reference, parts);
  return path === undefined ? undefined : { path, commit };
}

function notCached(
  reference: ModelReference & { kind: 'hub' },
  environment: HubEnvironment,
  why: string,
): LatentWireError {
  return new LatentWireError(
    `${reference.id}@${reference.revision}: expected a complete copy in ${environment.cacheFolder}, got none (${why})`,
    { code: 'network', hint: 'download it once with a connection, or unset HF_HUB_OFFLINE' },
  );
}
