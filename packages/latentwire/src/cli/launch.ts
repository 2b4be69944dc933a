/** `latentwire launch`: one training on several GPUs of this machine, a process for each (docs/SEVERAL-GPUS.md). */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { resolveConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import type { CliCommand, CommandResult } from './command.js';
import { addSettings, normalizeFlags } from './settings.js';

interface LaunchFlags {
  readonly gpus?: number;
  readonly processes?: number;
  readonly killAfter?: number;
  readonly json?: boolean;
}

export const launch: CliCommand = {
  name: 'launch',
  summary: 'train on several GPUs of this machine: latentwire launch --gpus 4 train …',
  declare: (command) =>
    command
      .argument('<command...>', 'train, with its own flags')
      .passThroughOptions()
      .allowUnknownOption()
      .option('--gpus <n>', 'GPUs to use, a process for each (of CUDA_VISIBLE_DEVICES, else all)', Number)
      .option('--processes <n>', 'processes on the CPU, in place of --gpus', Number)
      .option(
        '--kill-after <seconds>',
        'when one fails: time for the others to end by themselves (default 10, in a Slurm job 120)',
        Number,
      ),
  async run({ args, options, logger }) {
    const flags = options as unknown as LaunchFlags;
    const {
      findGpus,
      exitCodeOf,
      howItEnded,
      launch: start,
      recordFailure,
    } = await import('../experiments/index.js');
    const { runLocation, runPaths } = await import('../telemetry/index.js');
    const [command, ...rest] = args;
    if (command !== 'train') {
      throw new LatentWireError(`expected the command train, got ${JSON.stringify(command)}`, {
        code: 'input',
        hint: 'latentwire launch --gpus 4 train --model …',
      });
    }
    const directory = directoryOf(rest);
    const { root, name } = runLocation(directory);
    const { processes, gpus } = devices(flags, flags.gpus === undefined ? [] : await findGpus());
    const main = fileURLToPath(new URL('./main.js', import.meta.url));
    const json = flags.json === true && !rest.includes('--json') ? ['--json'] : [];
    const result = await start({
      command: [process.execPath, main, command, ...rest, ...json],
      ...{ processes, gpus, logger },
      killAfter: flags.killAfter ?? (process.env.SLURM_JOB_ID === undefined ? 10 : 120),
    });
    const { failure, ends } = result;
    const exitCode = exitCodeOf(result);
    const error = failure && {
      code: 'io',
      message: `rank ${failure.rank} of ${processes} ${howItEnded(failure)}`,
      hint: 'see the ends of logs/latest.log and logs/rank-*.log; the same command with --auto-resume goes on',
    };
    if (error !== undefined) recordFailure(runPaths(root, name), error);
    // Rank 0 has printed the result, or its error; unless it was killed.
    const silent: Partial<CommandResult> = ends[0]!.code === null ? {} : { silent: true };
    return {
      json: { ...(error && { error }), ends },
      text: error?.message ?? 'stopped',
      exitCode,
      ...silent,
    };
  },
};

/** Checks the flags of `train` before anything is started, and tells where the run will be. */
function directoryOf(args: readonly string[]): string {
  const command = new Command('train').exitOverride();
  const settings = addSettings(command, 'all');
  command.option('--json').parse(normalizeFlags(args), { from: 'user' });
  const { configFile: file, assignments } = settings;
  return resolveConfig({ file, assignments }).run.save_dir;
}

function devices(
  { gpus, processes }: LaunchFlags,
  found: readonly string[],
): { readonly processes: number; readonly gpus: readonly string[] | null } {
  const count = gpus ?? processes;
  if ((gpus === undefined) === (processes === undefined) || !Number.isInteger(count) || count! < 1) {
    throw new LatentWireError('expected --gpus N, or --processes N for the CPU', {
      code: 'input',
      hint: 'for example latentwire launch --gpus 4 train --model …',
    });
  }
  if (gpus === undefined) return { processes: count!, gpus: null };
  if (found.length < gpus) {
    throw new LatentWireError(`expected ${gpus} GPUs, this machine offers ${found.length}`, {
      code: 'input',
      hint: 'name fewer with --gpus, or use --processes for the CPU',
    });
  }
  return { processes: gpus, gpus: found.slice(0, gpus) };
}
