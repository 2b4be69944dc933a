/** `latentwire run`: carries out a plan, or goes on with one, in this shell. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LatentWireError } from '../errors.js';
import type { StopNotice } from '../experiments/slurm/index.js';
import type { CliCommand, CommandResult } from './command.js';
import { inSlurmJob, type WorkResult } from './in-slurm-job.js';
import { planOf } from './plan-arguments.js';
import { statusTable } from './status-table.js';

interface RunOptions {
  readonly jobs?: number;
  readonly gpus?: string;
  readonly ignoreGates?: boolean;
  readonly retryFailed?: boolean;
  readonly wait: boolean;
}

export const run: CliCommand = {
  name: 'run',
  summary: 'carry out an experiment plan on this machine; start it again, anywhere, to go on',
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
      .option('--no-wait', 'end when nothing is left to start, though other shells still work'),
  async run(call) {
    const { options, logger } = call;
    const { Claims, LocalExecutor, claimsFolder, findGpus, gpuClaimsFolder, planStatus, runPlan } =
      await import('../experiments/index.js');
    const { jobs, gpus, ignoreGates, retryFailed, wait } = options as unknown as RunOptions;
    if (jobs !== undefined && !(Number.isInteger(jobs) && jobs >= 1)) {
      throw new LatentWireError(`--jobs: expected an integer ≥ 1, got ${jobs}`, { code: 'input' });
    }
    const plan = await planOf(call);
    const claims = new Claims(claimsFolder(plan.directory));
    const gpuClaims = new Claims(gpuClaimsFolder());
    const main = fileURLToPath(new URL('./main.js', import.meta.url));
    const executor = new LocalExecutor({
      ...(jobs !== undefined && { slots: jobs }),
      gpus: gpus === undefined ? await findGpus() : gpus.split(',').filter((gpu) => gpu.trim() !== ''),
      gpuClaims,
      command: (_, files) => [process.execPath, main, 'train', '--config', files.config, '--auto-resume'],
    });
    const abort = new AbortController();
    const stop = (): void => {
      logger.info(
        abort.signal.aborted ? 'ending cells at once' : 'asking cells to save and end; once more: at once',
      );
      if (abort.signal.aborted) again.abort();
      abort.abort();
    };
    const again = new AbortController();
    const carryOut = async (stopNotice: () => StopNotice | undefined): Promise<WorkResult> => {
      const clock = setInterval(() => stopNotice() !== undefined && !abort.signal.aborted && stop(), 1000);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
      try {
        const outcome = await runPlan(plan, {
          executor,
          claims,
          logger,
          signal: abort.signal,
          killSignal: again.signal,
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
        clearInterval(clock);
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
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
