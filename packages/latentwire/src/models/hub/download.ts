/**
 * One file from the hub into the cache: resumed where an earlier attempt stopped, size and hash checked, and put
 * under its final name only when whole.
 *
 * Several processes may fetch the same file into a shared cache. Each writes a partial file of its own, named by host
 * and process; a partial file is taken over (by an atomic rename) only from a process that is gone.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LatentWireError } from '../../errors.js';
import { isFile, type RepositoryCache } from './cache.js';
import { type HubClient, type HubFile, HubUnavailable, isNetworkError, unreachable } from './hub-client.js';

export interface DownloadOptions {
  /** Give up on a connection that brings nothing for so long. Default 30 s. */
  readonly stallMs?: number;
  /** Attempts in a row that bring nothing before giving up. Default 6. */
  readonly attempts?: number;
  /** Wait before the second attempt; doubles with each further one. Default 1 s. */
  readonly retryDelayMs?: number;
  /** Called with bytes of this file that are there (from an earlier attempt or this one). */
  readonly onBytes?: (bytes: number) => void;
}

/** A partial file untouched for so long belongs to nobody, whatever its name says. */
const ABANDONED_MS = 10 * 60_000;

/** @returns the path of the complete blob. */
export async function downloadBlob(
  client: HubClient,
  cache: RepositoryCache,
  commit: string,
  file: HubFile,
  options: DownloadOptions = {},
): Promise<string> {
  const blob = cache.blob(file.etag);
  if (await isFile(blob, file.bytes)) return blob;
  await fs.mkdir(path.dirname(blob), { recursive: true });
  const partial = `${blob}.${os.hostname()}-${process.pid}.incomplete`;
  const adopted = await adoptPartial(blob, partial);

  await fetchAll(client, commit, file, partial, options);
  if (!(await hasHash(partial, file))) {
    await fs.rm(partial, { force: true });
    // Bytes left by another process may have been of another file; a download from the start decides.
    if (adopted) await fetchAll(client, commit, file, partial, options);
    if (!adopted || !(await hasHash(partial, file))) {
      await fs.rm(partial, { force: true });
      throw new LatentWireError(
        `hub: ${client.id}/${file.path}: expected ${file.hash} ${file.etag}, got another`,
        {
          code: 'network',
          hint: 'the download was damaged on its way; try again',
        },
      );
    }
  }
  await fs.rename(partial, blob);
  return blob;
}

/** Takes over the largest partial file that nobody writes any more. */
async function adoptPartial(blob: string, partial: string): Promise<boolean> {
  const folder = path.dirname(blob);
  const prefix = path.basename(blob);
  const candidates: { readonly file: string; readonly bytes: number }[] = [];
  for (const name of await fs.readdir(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith('.incomplete')) continue;
    const file = path.join(folder, name);
    const stat = await fs.stat(file).catch(() => undefined);
    if (stat === undefined) continue;
    const abandoned =
      file === partial ||
      ownerIsGone(name.slice(prefix.length + 1)) ||
      Date.now() - stat.mtimeMs > ABANDONED_MS;
    if (abandoned) candidates.push({ file, bytes: stat.size });
  }
  candidates.sort((a, b) => b.bytes - a.bytes);
  const best = candidates[0];
  if (best === undefined) return false;
  if (best.file === partial) return true;
  return fs.rename(best.file, partial).then(
    () => true,
    () => false,
  );
}

/** `host-pid.incomplete` of this host, and no such process. */
function ownerIsGone(owner: string): boolean {
  const pid = /^(.*)-(\d+)\.incomplete$/.exec(owner);
  if (pid === null || pid[1] !== os.hostname()) return false;
  try {
    process.kill(Number(pid[2]), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Fills `partial` up to the file's size, starting again as often as that makes headway. */
async function fetchAll(
  client: HubClient,
  commit: string,
  file: HubFile,
  partial: string,
  options: DownloadOptions,
): Promise<void> {
  const { attempts = 6, retryDelayMs = 1000 } = options;
  let fruitless = 0;
  for (;;) {
    const before = await sizeOf(partial);
    if (before === file.bytes && (file.bytes > 0 || (await isFile(partial)))) return;
    try {
      await fetchOnce(client, commit, file, partial, before > file.bytes ? 0 : before, options);
    } catch (error) {
      client.signal?.throwIfAborted();
      if (!(error instanceof HubUnavailable)) throw error;
      fruitless = (await sizeOf(partial)) > before ? 0 : fruitless + 1;
      if (fruitless >= attempts) throw error;
      const delay = (error.retryAfterSeconds ?? 0) * 1000 || retryDelayMs * 2 ** fruitless;
      await sleep(delay, undefined, client.signal === undefined ? {} : { signal: client.signal });
    }
  }
}

/** One request. Returns when the server ended the body; throws HubUnavailable when it broke off or stalled. */
async function fetchOnce(
  client: HubClient,
  commit: string,
  file: HubFile,
  partial: string,
  offset: number,
  options: DownloadOptions,
): Promise<void> {
  const stall = new AbortController();
  const stallMs = options.stallMs ?? 30_000;
  const timer = setTimeout(() => stall.abort(new Error(`nothing for ${stallMs / 1000} s`)), stallMs);
  const signal = client.signal === undefined ? stall.signal : AbortSignal.any([client.signal, stall.signal]);
  const url = `${client.page}/resolve/${commit}/${file.path}`;
  try {
    const response = await client.open(commit, file, offset, signal);
    const start = firstByte(response, offset);
    if (start > offset)
      throw new HubUnavailable(`${url}: expected bytes from ${offset}, got from ${start}`, undefined);
    checkStatedSize(response, client, file);
    const target = await fs.open(partial, start === 0 ? 'w' : 'r+');
    try {
      let position = start;
      if (response.status !== 416) {
        for await (const chunk of response.body ?? []) {
          timer.refresh();
          if (position + chunk.length > file.bytes) throw tooLong(client, file);
          await target.write(chunk, 0, chunk.length, position);
          position += chunk.length;
          options.onBytes?.(position);
        }
      }
      await target.truncate(position);
      await target.sync();
      if (position < file.bytes) {
        throw new HubUnavailable(`${url}: expected ${file.bytes} bytes, got ${position}`, undefined);
      }
    } finally {
      await target.close();
    }
  } catch (cause) {
    if (cause instanceof LatentWireError) throw cause;
    client.signal?.throwIfAborted();
    if (isDiskError(cause)) {
      throw new LatentWireError(`${partial}: expected to write the download, got ${cause.code}`, {
        code: 'io',
        hint: 'free space in the cache folder, or set HF_HUB_CACHE to another disk',
        cause,
      });
    }
    if (stall.signal.aborted) throw unreachable(url, stall.signal.reason);
    if (isNetworkError(cause)) throw unreachable(url, cause);
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

/** Offset of the body's first byte: the one asked for, or 0 when the server sends the whole file. */
function firstByte(response: Response, offset: number): number {
  if (response.status !== 206) return 0;
  const stated = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  return stated === undefined ? offset : Number(stated);
}

function checkStatedSize(response: Response, client: HubClient, file: HubFile): void {
  const range = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  const whole = range ?? (response.status === 200 ? response.headers.get('content-length') : null);
  if (whole !== null && Number(whole) !== file.bytes) {
    throw new LatentWireError(
      `hub: ${client.id}/${file.path}: expected ${file.bytes} bytes (file list), got a file of ${whole}`,
      {
        code: 'network',
        hint: 'the repository changed during the download, or a proxy altered it; try again',
      },
    );
  }
}

function tooLong(client: HubClient, file: HubFile): LatentWireError {
  return new LatentWireError(`hub: ${client.id}/${file.path}: expected ${file.bytes} bytes, got more`, {
    code: 'network',
    hint: 'a proxy altered the download; try again',
  });
}

function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error &&
    /^(ENOSPC|EDQUOT|EACCES|EROFS|EIO|EPERM)$/.test((error as NodeJS.ErrnoException).code ?? '')
  );
}

async function sizeOf(file: string): Promise<number> {
  return (await fs.stat(file).catch(() => undefined))?.size ?? 0;
}

async function hasHash(file: string, { etag, hash, bytes }: HubFile): Promise<boolean> {
  const digest = createHash(hash === 'sha256' ? 'sha256' : 'sha1');
  if (hash === 'git-sha1') digest.update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
    digest.update(chunk as Buffer);
  return digest.digest('hex') === etag;
}
