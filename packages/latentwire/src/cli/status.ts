/** `latentwire status`: where the cells of a plan, or the runs of a directory, stand. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';
import { planOf } from './plan-arguments.js';
import { statusTable } from './status-table.js';

const LOOKS_PER_QUEUE = 6;
const CLEAR = '\u001b[H\u001b[2J';

export const status: CliCommand = {
  name: 'status',
  summary: 'where the cells of a plan or the runs of a folder stand, with time left and last errors',
  settings: [],
  declare: (command) =>
    command
      .argument('[plan-or-folder]', 'a plan, an experiment directory, or a folder of runs', 'runs')
      .option('--experiment-dir <folder>', 'folder of the run directories, in place of the one in the plan')
      .option('--watch', 'show it again every few seconds until everything has ended')
      .option('--interval <seconds>', 'between two looks with --watch', Number, 5),
  async run(call) {
    const { args, options } = call;
    const { directoryStatus, planStatus, readMeasurements } = await import('../experiments/index.js');
    const { watch, interval } = options as { watch?: boolean; interval: number };
    const target = args[0] ?? 'runs';
    const found = statSync(target, { throwIfNoEntry: false });
    if (found === undefined) {
      throw new LatentWireError(`expected a plan or a folder of runs, found nothing at ${target}`, {
        code: 'input',
        hint: 'name it: latentwire status experiments/main.yaml, or latentwire status runs/main_experiment',
      });
    }
    const plan = found.isDirectory() ? undefined : await planOf(call);
    const earlier = plan === undefined ? [] : readMeasurements([plan.directory]);
    const look = () => (plan === undefined ? directoryStatus(target) : planStatus(plan, earlier));
    const lookAtQueue = async () =>
      (await import('../experiments/slurm-plan/index.js')).queueStatus(
        plan?.directory ?? path.resolve(target),
      );
    let now = look();
    let queue = await lookAtQueue();
    let looks = 0;
    while (watch === true && now.counts.queued + now.counts.running + now.counts.preempted > 0) {
      const rows = Math.max(5, (process.stderr.rows ?? 40) - 6);
      process.stderr.write(
        `${process.stderr.isTTY ? CLEAR : ''}${await statusTable(now, { limit: rows, queue })}\n`,
      );
      await new Promise((resolve) => setTimeout(resolve, 1000 * interval));
      now = look();
      // Slurm's controller answers everybody: it is asked less often than the files.
      looks += 1;
      if (looks % LOOKS_PER_QUEUE === 0) queue = await lookAtQueue();
    }
    return {
      json: { ...now, ...(queue !== undefined && { queue }) },
      text: await statusTable(now, { queue }),
    };
  },
};
