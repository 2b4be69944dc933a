/** `latentwire verify`: proves that a run is whole and continuous, or that two runs are the same to the byte. */
import path from 'node:path';
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

export const verify: CliCommand = {
  name: 'verify',
  summary:
    'recompute the digests of a run and prove that it is continuous; or that two runs are equal to the byte',
  declare: (command) =>
    command
      .argument('<run>', 'run directory')
      .option('--against <run>', 'compare with this run: steps, tensors, predictions'),
  async run({ args, options }) {
    const [run] = args;
    const { against } = options as { readonly against?: string };
    const { existsSync } = await import('node:fs');
    for (const directory of [run!, ...(against === undefined ? [] : [against])]) {
      if (existsSync(path.join(directory, 'logs'))) continue;
      const found = existsSync(directory) ? 'no run in it' : 'nothing';
      throw new LatentWireError(`expected a run directory at ${directory}, found ${found}`, {
        code: 'input',
        hint: 'give the folder that --save-dir named',
      });
    }
    const { compareRuns, verifyRun } = await import('../training/index.js');
    const { renderTable } = await import('../results/index.js');
    const { ok, checks } = against === undefined ? verifyRun(run!) : compareRuns(run!, against);
    const table = renderTable({
      columns: [{ title: 'check' }, { title: 'verdict' }, { title: 'found' }],
      rows: checks.map((check) => [check.name, check.ok ? 'ok' : 'FAILED', check.found]),
    });
    return { json: { ok, checks: [...checks] }, text: table, exitCode: ok ? 0 : 1 };
  },
};
