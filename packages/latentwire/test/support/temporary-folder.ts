/** A folder that is there for one test file. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';

/** Makes the folder now and removes it after the file's tests. Returns a function that joins paths inside. */
export function temporaryFolder(): (...parts: readonly string[]) => string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'latentwire-test-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return (...parts) => path.join(root, ...parts);
}
