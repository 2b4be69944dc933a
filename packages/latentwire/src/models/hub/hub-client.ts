/**
 * The three requests a download needs: which commit a revision is, which files it has, and the bytes of one.
 * Plain fetch: `@huggingface/hub` 2.17 neither resumes nor checks what it downloads, and refuses tokens of mirrors.
 *
 * Source: Hub API (`/api/models/{id}/revision/{revision}`, `/api/models/{id}/tree/{revision}`,
 * `/{id}/resolve/{commit}/{file}`; with `datasets` for `models`, and before the id, for datasets) and its `X-Error-Code` header.
 */
import { z } from 'zod';
import { LatentWireError } from '../../errors.js';
import { checkJson, parseJson } from '../config/index.js';
import type { HubEnvironment } from './environment.js';

export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** Name of the blob in the cache and hash of the content. */
  readonly etag: string;
  /** sha256 of the content (files in large-file storage), or git's sha1 of it. */
  readonly hash: 'sha256' | 'git-sha1';
}

export type RepositoryKind = 'models' | 'datasets';

const revisionSchema = z.looseObject({ sha: z.string().regex(/^[0-9a-f]{40}$/, 'expected a commit hash') });
const entry = z.looseObject({
  type: z.string(),
  path: z.string(),
  size: z.int().min(0),
  oid: z.string().regex(/^[0-9a-f]{40}$/, 'expected a git hash'),
  lfs: z
    .looseObject({ oid: z.string().regex(/^[0-9a-f]{64}$/, 'expected a sha256'), size: z.int().min(0) })
    .nullish(),
});
const treeSchema = z.array(entry.partial({ size: true, oid: true }));

/** Pages of a folder listing; real repositories have one or two. */
const MAX_PAGES = 100;
const METADATA_TIMEOUT_MS = 30_000;

export class HubClient {
  /** @param kind models and datasets are separate name spaces of one hub */
  constructor(
    readonly environment: HubEnvironment,
    readonly id: string,
    readonly signal: AbortSignal | undefined,
    readonly kind: RepositoryKind = 'models',
  ) {}

  /** Commit hash of a branch, tag or commit. */
  async commit(revision: string): Promise<string> {
    const url = `${this.environment.endpoint}/api/${this.kind}/${this.id}/revision/${encodeURIComponent(revision)}`;
    const { body } = await this.#json(url, revision);
    return checkJson(revisionSchema, body, url).sha;
  }

  /** Files of one folder ('' is the root). */
  async files(commit: string, folder: string): Promise<HubFile[]> {
    const suffix = folder === '' ? '' : `/${folder}`;
    let url: string | undefined =
      `${this.environment.endpoint}/api/${this.kind}/${this.id}/tree/${commit}${suffix}`;
    const files: HubFile[] = [];
    for (let page = 0; url !== undefined && page < MAX_PAGES; page++) {
      const { body, next } = await this.#json(url, commit);
      for (const item of checkJson(treeSchema, body, url)) {
        if (item.type !== 'file') continue;
        const { path, size, oid, lfs } = checkJson(entry, item, `${url}: ${item.path}`);
        files.push(
          lfs == null
            ? { path, bytes: size, etag: oid, hash: 'git-sha1' }
            : { path, bytes: lfs.size, etag: lfs.oid, hash: 'sha256' },
        );
      }
      url = next;
    }
    return files;
  }

  /** Starts reading a file from byte `offset` on; the caller judges status and headers. */
  async open(commit: string, file: HubFile, offset: number, signal: AbortSignal): Promise<Response> {
    const url = `${this.page}/resolve/${commit}/${file.path}`;
    const range = offset > 0 ? { range: `bytes=${offset}-` } : {};
    // Compressed transfer would make byte offsets meaningless. fetch drops the token when it is redirected elsewhere.
    const headers = { ...this.#headers(), ...range, 'accept-encoding': 'identity' };
    const response = await fetch(url, { headers, signal });
    if (!response.ok && response.status !== 416) await this.refuse(response, commit);
    return response;
  }

  /** Address of the repository for people and for its files. */
  get page(): string {
    return `${this.environment.endpoint}/${this.kind === 'datasets' ? 'datasets/' : ''}${this.id}`;
  }

  /** Turns a refusal into an error that says what to do. Never returns. */
  async refuse(response: Response, revision: string): Promise<never> {
    await response.body?.cancel();
    const { status } = response;
    const { token } = this.environment;
    const reason = response.headers.get('x-error-message') ?? response.statusText;
    const what = `hub: ${this.id}@${revision}`;
    if (status === 401 || status === 403) {
      const hint =
        token === undefined
          ? `check the name; a private or gated model needs HF_TOKEN (and its licence accepted at ${this.page})`
          : `check the name and that this token may read it; gated models need their licence accepted at ${this.page}`;
      throw new LatentWireError(`${what}: expected access, got ${status} ${reason}`, {
        code: 'network',
        hint,
      });
    }
    if (status === 404) {
      const missing =
        response.headers.get('x-error-code') === 'RevisionNotFound'
          ? 'this revision'
          : `a ${this.kind.slice(0, -1)}`;
      throw new LatentWireError(`${what}: expected ${missing}, got 404 ${reason}`, {
        code: 'input',
        hint: `check the name at ${this.page}`,
      });
    }
    throw new HubUnavailable(`${what}: expected an answer, got ${status} ${reason}`, retryAfter(response));
  }

  async #json(url: string, revision: string): Promise<{ body: unknown; next: string | undefined }> {
    const timeout = AbortSignal.timeout(METADATA_TIMEOUT_MS);
    const signal = this.signal === undefined ? timeout : AbortSignal.any([this.signal, timeout]);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, { headers: { ...this.#headers(), accept: 'application/json' }, signal });
      if (!response.ok) await this.refuse(response, revision);
      text = await response.text();
    } catch (cause) {
      if (cause instanceof LatentWireError) throw cause;
      this.signal?.throwIfAborted();
      if (isNetworkError(cause)) throw unreachable(url, cause);
      throw cause;
    }
    const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
    if (next !== undefined && new URL(next, url).origin !== new URL(url).origin) {
      throw new LatentWireError(`${url}: expected the next page at the same server, got ${next}`, {
        code: 'format',
      });
    }
    return { body: parseJson(text, url), next: next === undefined ? undefined : new URL(next, url).href };
  }

  #headers(): Record<string, string> {
    const { token } = this.environment;
    return {
      'user-agent': 'latentwire',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }
}

/** The server, or the way to it, is out of order for now: trying again may help, and so may the cache. */
export class HubUnavailable extends LatentWireError {
  constructor(
    message: string,
    /** Seconds the server asks to wait. */
    readonly retryAfterSeconds: number | undefined,
    cause?: unknown,
  ) {
    super(message, {
      code: 'network',
      hint: 'check the connection; HF_HUB_OFFLINE=1 uses what is in the cache, HF_ENDPOINT names a mirror',
      cause,
    });
  }
}

/** What fetch throws when a connection fails, breaks off or times out; anything else is a mistake of this code. */
export function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return true;
  return error instanceof TypeError && /^(fetch failed|terminated)$/.test(error.message);
}

export function unreachable(url: string, cause: unknown): HubUnavailable {
  // fetch says "fetch failed" and keeps the reason in a chain of causes.
  let reason = cause;
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause;
  const text =
    reason instanceof Error ? reason.message || (reason as NodeJS.ErrnoException).code : String(reason);
  return new HubUnavailable(`${url}: expected an answer, got: ${text}`, undefined, cause);
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 120) : undefined;
}
