/** The folder of evidence: made, or emptied when an earlier checklist made it; never anything else's. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../errors.js';

const MARK = '.latentwire-checklist';

/** @throws LatentWireError `input` when the folder holds files that no checklist left there */
export function prepareFolder(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    if (!existsSync(path.join(folder, MARK))) {
      throw new LatentWireError(
        `expected ${folder} to be empty, absent or an earlier checklist's, found files in it`,
        {
          code: 'input',
          hint: 'name another with --out',
        },
      );
    }
    for (const name of readdirSync(folder)) rmSync(path.join(folder, name), { recursive: true, force: true });
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, MARK), 'Evidence of latentwire checklist, which empties this folder.\n');
}
