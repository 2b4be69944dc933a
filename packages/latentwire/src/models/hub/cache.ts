/**
 * The cache folder, laid out as huggingface_hub does:
 *
 *     models--owner--name/refs/main                      commit hash
 *     models--owner--name/snapshots/<commit>/config.json -> ../../blobs/<etag>
 *     models--owner--name/blobs/<etag>                   content; the etag is its sha256 (large files) or git hash
 *
 * Files appear under their final name only when they are complete and checked.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { RepositoryKind } from './hub-client.js';

const COMMIT = /^[0-9a-f]{40}$/;

export class RepositoryCache {
  readonly folder: string;

  constructor(cacheFolder: string, id: string, kind: RepositoryKind = 'models') {
    this.folder = path.join(cacheFolder, `${kind}--${id.replace('/', '--')}`);
  }

  /** Commit that `revision` meant when it was last looked up, or undefined. A commit means itself. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (COMMIT.test(revision)) return revision;
    const text = await fs.readFile(path.join(this.folder, 'refs', revision), 'utf8').catch(() => '');
    return COMMIT.test(text.trim()) ? text.trim() : undefined;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit) return;
    const file = path.join(this.folder, 'refs', revision);
    await fs.mkdir(path.dirname(file), { recursive: true });
    await replaceFile(file, (temporary) => fs.writeFile(temporary, commit));
  }

  snapshot(commit: string): string {
    return path.join(this.folder, 'snapshots', commit);
  }

  blob(etag: string): string {
    return path.join(this.folder, 'blobs', etag);
  }

  /** Makes `file` of the snapshot point to a complete blob; a copy where links are not possible. */
  async link(commit: string, file: string, etag: string): Promise<void> {
    const target = path.join(this.snapshot(commit), file);
    const blob = this.blob(etag);
    await fs.mkdir(path.dirname(target), { recursive: true });
    await replaceFile(target, async (temporary) => {
      try {
        await fs.symlink(path.relative(path.dirname(target), blob), temporary);
      } catch {
        await fs.copyFile(blob, temporary);
      }
    });
  }
}

/** Whether a file (through links) is there; with `bytes`, of that size. */
export async function isFile(file: string, bytes?: number): Promise<boolean> {
  const stat = await fs.stat(file).catch(() => undefined);
  return stat?.isFile() === true && (bytes === undefined || stat.size === bytes);
}

/** Another process may do the same at the same time: each writes a file of its own and the last rename wins. */
async function replaceFile(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await write(temporary);
    await fs.rename(temporary, file);
  } finally {
    await fs.rm(temporary, { force: true });
  }
}
