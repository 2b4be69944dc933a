/** "GPU utilisation < 90 %": where the time of the training window went, and which setting moves it. */
import { type GpuSummary, summariseGpus, trainingWindows } from '../../telemetry/index.js';
import { type Cause, type Finding, finding, type Rule } from './finding.js';
import { fieldOf, linesWith, type RunFiles, secondsOf, settingOf } from './run-files.js';

const LEAST_UTILISATION = 0.9;
/** Fewer seconds than this say more about the start than about the training. */
const LEAST_SECONDS = 10;
/** A share of the time that is worth naming as a cause. */
const WORTH_NAMING = 0.05;

export const gpuBusy: Rule = (run) => {
  const gpus = summariseGpus(run.monitor, trainingWindows(run.steps)).filter(
    ({ samples }) => samples >= LEAST_SECONDS,
  );
  if (gpus.length === 0) return unwatched(run);
  // A GPU of the machine that this run does not use has nothing to do with it.
  const gpu = gpus.reduce((most, each) => (each.utilization > most.utilization ? each : most));
  const findings: Finding[] = [];
  if (gpu.throttled > 0.1) {
    findings.push(
      finding(
        'gpu-throttled',
        'note',
        `GPU ${gpu.gpu} slowed itself for heat or power in ${percent(gpu.throttled)} of the time`,
        [['logs/gpu_monitor_*.jsonl', `${gpu.peakTemperatureC} °C, ${gpu.meanPowerW?.toFixed(0)} W`]],
        'a matter of the machine: its power limit and cooling',
      ),
    );
  }
  return gpu.utilization > LEAST_UTILISATION ? findings : [...findings, ...lowUtilisation(run, gpu)];
};

function unwatched({ config, logs, steps }: RunFiles): Finding[] {
  const onGpu = linesWith(logs, /loaded model .*device=cuda/).at(-1);
  if (onGpu === undefined || steps.length < 2) return [];
  const seconds = steps.reduce((sum, row) => sum + secondsOf(row), 0);
  if (seconds < LEAST_SECONDS) return [];
  const off = (config?.system as { monitor_gpu?: boolean } | undefined)?.monitor_gpu === false;
  return [
    finding(
      'gpu-not-watched',
      'note',
      'the run trained on a GPU, and nothing tells how busy it was',
      [
        [onGpu.file, onGpu.line],
        ['config.json', `system.monitor_gpu ${!off}`],
      ],
      off ? 'leave --no-monitor-gpu out' : 'nvidia-smi must be on the PATH of the run',
    ),
  ];
}

interface Share {
  readonly cause: Cause;
  readonly share: number;
  readonly what: string;
  readonly evidence: readonly [string, string];
  readonly fix: string;
}

function lowUtilisation(run: RunFiles, gpu: GpuSummary): Finding[] {
  const shares = [dataShare(run), saveShare(run), gapShare(run)]
    .filter((share): share is Share => share !== undefined && share.share > WORTH_NAMING)
    .sort((a, b) => b.share - a.share);
  const [main] = shares.length > 0 ? shares : [withinStep(run, gpu)];
  const seen = `mean ${percent(gpu.utilization)} of ${gpu.samples} s of training on GPU ${gpu.gpu}`;
  return [
    finding(
      main!.cause,
      'problem',
      `GPU utilisation under 90 %: ${main!.what}`,
      [
        ['logs/gpu_monitor_*.jsonl', seen],
        main!.evidence,
        ...shares.slice(1).map(({ evidence }) => evidence),
      ],
      main!.fix,
    ),
  ];
}

/** The run tells the share of its time in which it waited for batches, at the end of each progress line. */
function dataShare({ logs, config }: RunFiles): Share | undefined {
  const last = linesWith(logs, /data wait \d+%/).at(-1);
  if (last === undefined) return undefined;
  const share = Number(/data wait (\d+)%/.exec(last.line)![1]) / 100;
  const workers = (config?.training as { num_workers?: number } | undefined)?.num_workers ?? 0;
  return {
    ...{ cause: 'gpu-data-bound', share, what: `it waits ${percent(share)} of the time for batches` },
    evidence: [last.file, `data wait ${percent(share)}; training.num_workers ${workers}`],
    fix:
      workers === 0
        ? '--num-workers 4 (and --pin-memory)'
        : `--num-workers ${2 * workers}, --prefetch-factor 4, --pin-memory`,
  };
}

function saveShare(run: RunFiles): Share | undefined {
  const saves = linesWith(run.logs, /saved checkpoint/);
  const blocked = saves.reduce((sum, { line }) => sum + (fieldOf(line, 'blocked_seconds') ?? 0), 0);
  const share = blocked / windowSeconds(run);
  if (saves.length === 0 || !Number.isFinite(share)) return undefined;
  return {
    ...{ cause: 'gpu-waits-for-saves', share, what: `saves hold it up for ${percent(share)} of the time` },
    evidence: [saves.at(-1)!.file, `${saves.length} saves, ${blocked.toFixed(1)} s blocked`],
    fix: `raise --checkpoint-interval (it is ${settingOf(run, 'checkpoint', 'interval')} s), or save to a faster disk`,
  };
}

/** Time between the end of a step and the beginning of the next: digests, logging, a busy event loop. */
function gapShare(run: RunFiles): Share | undefined {
  const within = run.steps.reduce((sum, row) => sum + secondsOf(row), 0);
  const whole = windowSeconds(run);
  if (whole <= 0 || within === 0) return undefined;
  const share = Math.max(0, 1 - within / whole);
  return {
    ...{ cause: 'gpu-idle-between-steps', share, what: `${percent(share)} of the time lies between steps` },
    evidence: ['logs/diagnostics.jsonl', `steps take ${within.toFixed(1)} s of ${whole.toFixed(1)} s`],
    fix: `raise --digest-every (it is ${settingOf(run, 'checkpoint', 'digest_every')}); look for other work on the processor`,
  };
}

/** Nothing outside the steps: they are too small for the GPU, or issued one kernel at a time. */
function withinStep(run: RunFiles, gpu: GpuSummary): Share {
  const seconds = run.steps.map(secondsOf).sort((a, b) => a - b);
  const median = seconds[seconds.length >> 1] ?? 0;
  const total = run.monitor.map((row) => Number(row.memory_total_mib)).find(Number.isFinite);
  const memory = total === undefined || gpu.peakMemoryMib === null ? null : gpu.peakMemoryMib / total;
  const step = `a step takes ${(1000 * median).toFixed(1)} ms`;
  if (settingOf(run, 'system', 'disable_graphs') === true) {
    return {
      ...{ cause: 'gpu-launch-bound', share: 1, what: `kernels are launched one by one (${step})` },
      evidence: ['config.json', 'system.disable_graphs true'],
      fix: 'leave --disable-graphs out: a step of known shape is then one launch',
    };
  }
  const batch = settingOf(run, 'training', 'batch_size');
  return {
    ...{ cause: 'gpu-small-batch', share: 1, what: `the batch is too small for this GPU (${step})` },
    evidence: [
      'config.json',
      `training.batch_size ${batch}${memory === null ? '' : `; ${percent(memory)} of the memory in use`}`,
    ],
    fix: '--batch-size auto finds what fits; --effective-batch N keeps the examples per step',
  };
}

/** From the end of the first step to that of the last, of each attempt, and the first step of each. */
function windowSeconds({ steps }: RunFiles): number {
  const between = trainingWindows(steps).reduce((sum, { from, to }) => sum + (to - from) / 1000, 0);
  const firsts = steps.filter((row, i) => row.attempt !== steps[i - 1]?.attempt);
  return between + firsts.reduce((sum, row) => sum + secondsOf(row), 0);
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
