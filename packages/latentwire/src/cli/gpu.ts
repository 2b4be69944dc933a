/** `latentwire gpu`: how busy the GPUs of a run were while it trained, what its steps came to, and whether that is enough. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import { LatentWireError } from '../errors.js';
import type { GpuSummary, RunPaths, StageSummary, StepSummary } from '../telemetry/index.js';
import type { CliCommand } from './command.js';

export const gpu: CliCommand = {
  name: 'gpu',
  summary: 'GPU utilisation of a run while it trained; --min-utilization fails when it was lower, or unknown',
  declare: (command) =>
    command
      .argument('<run>', 'run directory')
      .option('--min-utilization <share>', 'least mean utilisation of each GPU of the run, 0 to 1', share),
  async run({ args, options }) {
    const {
      ownGpus,
      readDiagnostics,
      readMonitorRows,
      runPaths,
      runLocation,
      summariseGpus,
      summariseStages,
      summariseSteps,
      trainingWindows,
    } = await import('../telemetry/index.js');
    const { root, name } = runLocation(args[0] ?? '');
    const paths = runPaths(root, name);
    if (!existsSync(paths.logs)) {
      throw new LatentWireError(`expected a run directory at ${path.join(root, name)}, found none`, {
        code: 'input',
        hint: 'give the folder that --save-dir named',
      });
    }
    const rows = existsSync(paths.diagnostics) ? readDiagnostics(paths.diagnostics) : [];
    const samples = readMonitorRows(paths.logs);
    const watched = summariseGpus(samples, trainingWindows(rows));
    const gpus = ownGpus(watched, placementOf(paths));
    requireUtilisation(gpus, (options as { minUtilization?: number }).minUtilization);
    const steps = summariseSteps(rows);
    const ids = gpus.map((each) => each.gpu);
    const stages = summariseStages(samples, rows, ids);
    return {
      json: { run: name, gpus, steps: steps ?? null, stages },
      text: [
        gpus.length === 0
          ? 'no GPU was watched during this run (it trained on the CPU?)'
          : await gpuTable(gpus),
        ...(steps === undefined ? [] : ['', stepLine(steps)]),
        ...(stages.length === 0 ? [] : ['', await stageTable(stages)]),
      ].join('\n'),
    };
  },
};

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`expected a share between 0 and 1, got ${text}`);
}

/** A gate that nothing was measured for stays closed. */
function requireUtilisation(gpus: readonly GpuSummary[], least: number | undefined): void {
  if (least === undefined) return;
  if (gpus.length === 0) {
    throw new LatentWireError(
      `expected a mean utilisation of at least ${least}, got no figures of a GPU within the training`,
      {
        code: 'state',
        hint: 'it trained on the CPU, with --no-monitor-gpu, or where there is no nvidia-smi',
      },
    );
  }
  const low = gpus.filter(({ utilization }) => utilization < least);
  if (low.length === 0) return;
  throw new LatentWireError(
    `expected a mean utilisation of at least ${least}, got ${low.map((g) => `${g.utilization.toFixed(3)} on GPU ${g.gpu}`).join(', ')}`,
    { code: 'state', hint: 'raise --batch-size or --num-workers' },
  );
}

/** Where the run trained, as far as its files say. */
function placementOf({ config, environment }: RunPaths): {
  device: string;
  visible?: string | undefined;
  processes: number;
} {
  const { system } = documentOf(config) as { system?: { device?: string } };
  const { variables, slurm } = documentOf(environment) as {
    variables?: Readonly<Record<string, string>>;
    slurm?: Readonly<Record<string, string>> | null;
  };
  return {
    device: system?.device ?? 'auto',
    visible: variables?.CUDA_VISIBLE_DEVICES,
    processes: Number(variables?.WORLD_SIZE ?? slurm?.SLURM_NTASKS ?? 1),
  };
}

function documentOf(file: string): object {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object;
  } catch {
    return {};
  }
}

async function gpuTable(gpus: readonly GpuSummary[]): Promise<string> {
  const { renderTable } = await import('../results/index.js');
  return renderTable({
    columns: [
      { title: 'GPU' },
      { title: 'seconds' },
      { title: 'utilisation %', digits: 1 },
      { title: 'peak memory GiB', digits: 1 },
      { title: 'power W', digits: 0 },
      { title: 'peak °C' },
      { title: 'throttled %', digits: 1 },
    ],
    rows: gpus.map((g) => [
      g.gpu,
      g.samples,
      100 * g.utilization,
      g.peakMemoryMib === null ? null : g.peakMemoryMib / 1024,
      g.meanPowerW,
      g.peakTemperatureC,
      100 * g.throttled,
    ]),
  });
}

async function stageTable(stages: readonly StageSummary[]): Promise<string> {
  const { renderTable } = await import('../results/index.js');
  return renderTable({
    columns: [
      { title: 'stage' },
      { title: 'steps' },
      { title: 'median ms', digits: 1 },
      { title: 'seconds' },
      { title: 'utilisation %', digits: 1 },
    ],
    rows: stages.map((s) => [
      s.stage,
      s.steps,
      s.medianStepMs,
      s.samples === 0 ? null : s.samples,
      s.utilization === null ? null : 100 * s.utilization,
    ]),
  });
}

function stepLine(steps: StepSummary): string {
  const { samples_per_second: samples, tokens_per_second: tokens, tflop_per_second: tflop, mfu } = steps;
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return [
    `${steps.steps} steps, ${steps.seconds.toFixed(1)} s: ${samples.toFixed(1)} samples/s`,
    ...(tokens === null ? [] : [`${tokens.toFixed(0)} tokens/s`]),
    ...(tflop === null ? [] : [`${Number(tflop.toPrecision(3))} TFLOP/s`]),
    ...(mfu === null ? [] : [`MFU ${percent(mfu)}`]),
    ...(steps.data_wait === null ? [] : [`data wait ${percent(steps.data_wait)}`]),
    ...(steps.save === null ? [] : [`saves ${percent(steps.save)}`]),
  ].join(', ');
}
