/** `latentwire run`: carries out a plan, or goes on with one, in this shell or as Slurm arrays. */
import path from 'node:path';
import { LatentWireError } from '../errors.js';
import type { StopNotice } from '../experiments/slurm/index.js';
import type { CliCommand, CommandResult } from './command.js';
import { inSlurmJob, type WorkResult } from './in-slurm-job.js';
import { planOf } from './plan-arguments.js';
import { statusTable } from './status-table.js';
import { trainCommand } from './train-command.js';

interface RunOptions {
  readonly jobs?: number;
  readonly gpus?: string;
  readonly ignoreGates?: boolean;
  readonly retryFailed?: boolean;
  readonly wait: boolean;
  readonly slurm?: true | string;
  readonly atOnce?: number;
  readonly testOnly?: boolean;
}

export const run: CliCommand = {
  name: 'run',
  summary: 'carry out an experiment plan, here or with --slurm; start it again, anywhere, to go on',
  settings: [],
  declare: (command) =>
    command
      .argument('<plan>', 'YAML file, e.g. experiments/smoke.yaml')
      .option('--experiment-dir <folder>', 'folder of the run directories, in place of the one in the plan')
      .option('--jobs <n>', 'cells at once (default: one per GPU, or one)', Number)
      .option(
        '--gpus <list>',
        'GPUs to use, e.g. 0,1 (default: CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists)',
      )
      .option('--ignore-gates', 'start phases whether or not their gate holds')
      .option('--retry-failed', 'give failed cells new attempts')
      .option('--no-wait', 'end when nothing is left to start, though other shells still work')
      .option(
        '--slurm [profile]',
        'submit the cells as Slurm arrays under a cluster profile (default: local-test), and end; again: what is missing',
      )
      .option(
        '--at-once <n>',
        'with --slurm: tasks of an array that run at once (default: as the profile says)',
        Number,
      )
      .option('--test-only', 'with --slurm: only ask whether Slurm would take it'),
  async run(call) {
    const { options, logger } = call;
    const {
      Claims,
      LocalExecutor,
      claimsFolder,
      findGpus,
      gpuClaimsFolder,
      listenForStop,
      planStatus,
      runPlan,
    } = await import('../experiments/index.js');
    const { jobs, gpus, ignoreGates, retryFailed, wait, slurm, atOnce, testOnly } =
      options as unknown as RunOptions;
    for (const [flag, count] of [
      ['--jobs', jobs],
      ['--at-once', atOnce],
    ] as const) {
      if (count === undefined || (Number.isInteger(count) && count >= 1)) continue;
      throw new LatentWireError(`${flag}: expected an integer ≥ 1, got ${count}`, { code: 'input' });
    }
    if (slurm === undefined && (atOnce !== undefined || testOnly === true)) {
      throw new LatentWireError('--at-once and --test-only belong to --slurm', { code: 'input' });
    }
    const plan = await planOf(call);
    if (slurm !== undefined) {
      const { runInSlurm } = await import('./run-in-slurm.js');
      return runInSlurm(plan, {
        logger,
        profile: slurm === true ? undefined : slurm,
        atOnce: atOnce ?? null,
        ignoreGates: ignoreGates === true,
        retryFailed: retryFailed === true,
        testOnly: testOnly === true,
      });
    }
    const claims = new Claims(claimsFolder(plan.directory));
    const gpuClaims = new Claims(gpuClaimsFolder());
    const executor = new LocalExecutor({
      ...(jobs !== undefined && { slots: jobs }),
      gpus: gpus === undefined ? await findGpus() : gpus.split(',').filter((gpu) => gpu.trim() !== ''),
      gpuClaims,
      command: trainCommand,
    });
    const carryOut = async (stopNotice: () => StopNotice | undefined): Promise<WorkResult> => {
      const stop = listenForStop(logger, () => stopNotice() !== undefined);
      try {
        const outcome = await runPlan(plan, {
          executor,
          claims,
          logger,
          signal: stop.signal,
          killSignal: stop.killSignal,
          ignoreGates: ignoreGates === true,
          retryFailed: retryFailed === true,
          wait,
        });
        const status = planStatus(plan);
        const blocked = [...outcome.phases].flatMap(([name, state]) =>
          state.kind === 'blocked' ? [`${name} did not start: ${state.reason}`] : [],
        );
        const { counts } = status;
        const all = counts.done === plan.cells.length;
        const result: CommandResult = {
          json: {
            plan: plan.name,
            directory: plan.directory,
            status: outcome.stopped && !all ? 'stopped' : all ? 'completed' : 'incomplete',
            counts,
            completed_here: outcome.completed,
            blocked,
            failed: status.cells.flatMap(({ name, state }) =>
              state.kind === 'failed' ? [{ name, why: state.why, error: state.error }] : [],
            ),
          },
          text: [await statusTable(status, { onlyOpen: true }), ...blocked].join('\n'),
          exitCode: all || outcome.stopped ? 0 : 1,
        };
        return { stopped: outcome.stopped && !all, result };
      } finally {
        stop.close();
        claims.close();
        gpuClaims.close();
      }
    };
    return inSlurmJob({
      directories: plan.cells.map(({ name }) => path.join(plan.directory, name)),
      record: path.join(claimsFolder(plan.directory), '..', 'slurm.jsonl'),
      logger,
      work: carryOut,
    });
  },
};
