/**
 * Where dataset files lie on this machine: the folder named by LATENTWIRE_DATA, else `../shared/data` beside
 * the repository. Nothing there is required: callers get `undefined` and tests skip with `sharedDataHint`.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a skipped test prints. */
export const sharedDataHint =
  'needs dataset files: set LATENTWIRE_DATA to a folder that holds e.g. squad/dev-v1.1.json.gz';

/** The dataset folder, or undefined when this machine has none. */
export function sharedDataRoot(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env.LATENTWIRE_DATA;
  if (named !== undefined && named !== '') return path.resolve(named);
  // src/data and dist/data lie equally deep: <repo>/packages/latentwire/{src,dist}/data
  const repository = fileURLToPath(new URL('../../../../', import.meta.url));
  const beside = path.join(repository, '..', 'shared', 'data');
  return existsSync(beside) ? beside : undefined;
}

/** Absolute path of `relative` inside the dataset folder, or undefined when the file is not there. */
export function sharedDataFile(relative: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const root = sharedDataRoot(env);
  if (root === undefined) return undefined;
  const file = path.join(root, relative);
  return existsSync(file) ? file : undefined;
}
