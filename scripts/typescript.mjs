/**
 * Compiles the workspaces. `tsc -b` looks itself whether sources changed (0.2 s when not), so there is no second
 * book-keeping here that could be wrong.
 */
import { join } from 'node:path';
import { SetupError } from '../packages/torch/setup/errors.mjs';
import { run } from '../packages/torch/setup/process.mjs';

/**
 * @param {{ root: string, env: import('../packages/torch/setup/process.mjs').Env }} options
 * @returns {Promise<string>} what to print
 * @throws {SetupError} typescript, with every compiler line printed before it
 */
export async function compileTypeScript({ root, env }) {
  const result = await run(join(root, 'node_modules/.bin/tsc'), ['-b'], { cwd: root, env });
  if (result.ok) return 'compiled, up to date';
  const errors = result.output.split('\n').filter((line) => /error TS\d+/.test(line));
  process.stderr.write(`\n${result.output}`);
  throw new SetupError(
    'typescript',
    `expected the TypeScript sources to compile, got ${errors.length} errors`,
    {
      detail: errors[0] ?? result.output.trim().split('\n').at(-1) ?? '',
      fix: 'correct the sources; npx tsc -b shows the errors again',
    },
  );
}
