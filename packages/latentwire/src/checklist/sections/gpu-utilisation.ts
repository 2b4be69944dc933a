/**
 * §4: how busy the GPU is while it trains. What can be told without one is tried everywhere: that accumulation, prefetching
 * and a found batch size change no result, and that the figures of a GPU are added up as they should be.
 */
import fs from 'node:fs';
import path from 'node:path';
import {
  GpuMonitor,
  type GpuSummary,
  numberOf,
  ownGpus,
  readDiagnostics,
  readMonitorRows,
  summariseGpus,
  trainingWindows,
} from '../../telemetry/index.js';
import { compareRuns, type Check as FileCheck } from '../../training/index.js';
import type { Bench } from '../bench.js';
import { experiment, NotApplicable, type Section, verdict } from '../experiment.js';
import { LARGE, type ModelShape, writeRandomModel } from './large-model.js';
import { allOf } from './preemption.js';

const LEAST_UTILISATION = 0.9;
const TARGET_MEMORY = 0.8;

/** The parts of logs/batch_size.json that are judged. */
interface BatchRecord {
  readonly batch_size: number;
  readonly limited_by: string;
  readonly capacity_bytes: number;
  readonly target_memory: number;
  readonly predicted_bytes: number | null;
  readonly measured_bytes: number;
  readonly training_bytes?: number;
}

export interface UtilisationEvidence {
  readonly gpus: readonly GpuSummary[];
  readonly fields: readonly string[];
  readonly steps: number;
  readonly step_seconds: number;
  readonly samples_per_second: number;
  readonly data_wait: string | null;
  readonly batch: BatchRecord;
}

export interface LargeTraining {
  readonly shape: ModelShape;
  readonly samples: number;
  readonly minutes: number;
}

/** A real training against a reader of 309 M parameters, with the batch size that memory allows. */
export async function trainLarge(bench: Bench, training: LargeTraining): Promise<UtilisationEvidence> {
  const model = bench.in('reader');
  await writeRandomModel(model, training.shape);
  try {
    const settings = [
      ...['--model', model, '--samples', String(training.samples), '--latent-len', '16', '--d-z', '128'],
      ...[
        '--batch-size',
        'auto',
        '--grad-accum',
        '1',
        '--target-memory',
        String(TARGET_MEMORY),
        '--disable_kd',
      ],
      ...['--num-workers', '4', '--prefetch-factor', '2', '--pin-memory', '--no-deterministic'],
      ...[
        '--epochs',
        '100000',
        '--max-minutes',
        String(training.minutes),
        '--eval-samples',
        '2',
        '--eval-modes',
        'latent',
      ],
    ];
    const { program, device } = bench.settings;
    const config = bench.in('settings.yaml');
    fs.writeFileSync(
      config,
      'encoder: {id: "bundled:tiny-llama"}\ndata: {dataset: facts}\nevaluation: {max_new_tokens: 4}\n',
    );
    const result = await bench.command([
      ...['train', '--config', config, ...settings, '--device', device, '--save-dir', bench.in('run')],
    ]);
    if (result.code !== 0) throw new Error(`${program[0]} train: ${result.stderr.trim().split('\n').at(-1)}`);
    return utilisationOf(bench, result.stderr);
  } finally {
    fs.rmSync(model, { recursive: true, force: true });
  }
}

function utilisationOf(bench: Bench, stderr: string): UtilisationEvidence {
  const paths = bench.paths('run');
  const steps = readDiagnostics(paths.diagnostics);
  const rows = readMonitorRows(paths.logs);
  const seconds = steps.map(({ seconds: each }) => numberOf(each) ?? 0).sort((a, b) => a - b);
  const samples = steps.reduce((sum, row) => sum + (row.samples ?? 0), 0);
  return {
    gpus: ownGpus(summariseGpus(rows, trainingWindows(steps)), {
      device: bench.settings.device,
      visible: process.env.CUDA_VISIBLE_DEVICES,
    }),
    fields: [...new Set(rows.flatMap((row) => Object.keys(row)))],
    steps: steps.length,
    step_seconds: seconds[seconds.length >> 1] ?? Number.NaN,
    samples_per_second: samples / seconds.reduce((a, b) => a + b, 0),
    data_wait: [...stderr.matchAll(/data wait (\d+%)/g)].at(-1)?.[1] ?? null,
    batch: JSON.parse(fs.readFileSync(path.join(paths.logs, 'batch_size.json'), 'utf8')) as BatchRecord,
  };
}

function busiest({ gpus }: UtilisationEvidence): GpuSummary | undefined {
  return [...gpus].sort((a, b) => b.utilization - a.utilization)[0];
}

export interface SameStepsEvidence {
  /** Step by step: loss and learning rate with one batch of 8, and with micro-batches of 3. */
  readonly whole: readonly (readonly [loss: number, lr: number, samples: number])[];
  readonly parts: readonly (readonly [loss: number, lr: number, samples: number])[];
  readonly found: { readonly samples: readonly number[]; readonly record: BatchRecord };
}

async function sameSteps(bench: Bench): Promise<SameStepsEvidence> {
  // 22 examples: each epoch ends with a step of six, which must be weighed as six.
  const step = [
    ...['--samples', '22', '--grad-accum', '1', '--effective-batch', '8', '--epochs', '2', '--disable_kd'],
    ...['--dtype', 'float32', '--eval-samples', '2'],
  ];
  const rows = async (name: string, args: readonly string[]) => {
    await bench.trained(name, [...step, ...args]);
    return readDiagnostics(bench.paths(name).diagnostics).map(
      ({ loss, lr, samples }) => [loss ?? Number.NaN, lr ?? Number.NaN, samples ?? 0] as const,
    );
  };
  const whole = await rows('whole', ['--batch-size', '8']);
  const parts = await rows('parts', ['--batch-size', '3']);
  const found = await rows('found', ['--batch-size', 'auto', '--target-memory', String(TARGET_MEMORY)]);
  const file = path.join(bench.paths('found').logs, 'batch_size.json');
  const record = JSON.parse(fs.readFileSync(file, 'utf8')) as BatchRecord;
  return { whole, parts, found: { samples: found.map(([, , samples]) => samples), record } };
}

export interface PrefetchEvidence {
  readonly equal: readonly FileCheck[];
  readonly data_wait: string | null;
}

async function prefetch(bench: Bench): Promise<PrefetchEvidence> {
  const twin = await bench.twin();
  const { stderr } = await bench.trained('run', ['--num-workers', '2', '--prefetch-factor', '2']);
  return {
    equal: compareRuns(twin, bench.in('run')).checks,
    data_wait: [...stderr.matchAll(/data wait (\d+%)/g)].at(-1)?.[1] ?? null,
  };
}

export interface MonitorEvidence {
  readonly rows: number;
  readonly fields: readonly string[];
  /** Rows of 96 % while it trains, of 4 % before and after: what they come to. */
  readonly utilisation: number;
  readonly everything: number;
}

const STAND_IN =
  '#!/bin/sh\nwhile :; do echo "0, GPU-1a, 96, 40, 70123, 81559, 61, 640.25, 1965, 3201, 0x0"; sleep 0.05; done\n';

/** The monitor with a stand-in for nvidia-smi, and its sum with a known answer. */
async function monitor(bench: Bench): Promise<MonitorEvidence> {
  const program = bench.in('nvidia-smi');
  fs.writeFileSync(program, STAND_IN, { mode: 0o755 });
  const watching = new GpuMonitor({ logs: bench.folder, program });
  const deadline = Date.now() + 20_000;
  const rowsNow = () => (fs.existsSync(watching.file) ? readMonitorRows(bench.folder) : []);
  while (rowsNow().length < 5 && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50));
  watching.stop();
  const rows = rowsNow();
  const second = (at: number): string => new Date(1_800_000_000_000 + 1000 * at).toISOString();
  const samples = Array.from({ length: 60 }, (_, i) => ({
    ...{ time: second(i), gpu: 0, gpu_utilization: i >= 20 && i <= 40 ? 96 : 4 },
  }));
  const steps = [20, 30, 40].map((at) => ({ attempt: 1, time: second(at) }));
  return {
    rows: rows.length,
    fields: [...new Set(rows.flatMap((row) => Object.keys(row)))],
    utilisation: summariseGpus(samples, trainingWindows(steps))[0]?.utilization ?? Number.NaN,
    everything: summariseGpus(samples, [])[0]?.utilization ?? Number.NaN,
  };
}

export const gpuUtilisation: Section = {
  number: 4,
  component: 'GPU Utilization',
  command: 'latentwire gpu RUN --min-utilization 0.9',
  headline: '4.1',
  alone: true,
  experiments: [
    experiment<UtilisationEvidence>({
      name: 'utilisation',
      collect(bench) {
        if (!bench.hasGpu) throw new NotApplicable('no GPU here');
        return trainLarge(bench, { shape: LARGE, samples: 4096, minutes: 1 });
      },
      checks: [
        {
          id: '4.1',
          says: 'GPU utilisation > 90 % over the training window',
          claims: [12],
          judge: (e) => {
            const gpu = busiest(e);
            return verdict(
              gpu !== undefined && gpu.samples >= 10 && gpu.utilization > LEAST_UTILISATION,
              gpu === undefined
                ? 'no figures of a GPU within the training'
                : `mean ${percent(gpu.utilization)} of ${gpu.samples} s on GPU ${gpu.gpu}: ${e.steps} steps of ${e.batch.batch_size} examples, ${e.samples_per_second.toFixed(0)} examples/s, data wait ${e.data_wait}`,
            );
          },
        },
        {
          id: '4.2',
          says: 'Memory-aware batching: the batch that is found fills 80 % of the memory, as predicted',
          claims: [13, 32],
          judge: ({ batch }) => {
            const { capacity_bytes: capacity, predicted_bytes: predicted, measured_bytes: measured } = batch;
            const peak = batch.training_bytes ?? Number.NaN;
            const error = predicted === null ? 0 : Math.abs(measured / predicted - 1);
            const filled = batch.limited_by === 'most' || measured > (TARGET_MEMORY - 0.02) * capacity;
            const most = (TARGET_MEMORY + 0.02) * capacity;
            return verdict(
              filled && measured < most && peak < most && error < 0.05,
              `batch ${batch.batch_size} (limited by ${batch.limited_by}): predicted ${gigabytes(predicted)}, in its trial ${gigabytes(measured)} of ${gigabytes(capacity)} (${percent(measured / capacity)}), peak of the training ${gigabytes(peak)} (${percent(peak / capacity)})`,
            );
          },
        },
        {
          id: '4.3',
          says: 'The monitor tracks utilisation %, memory, temperature, power, clocks',
          claims: [16],
          judge: ({ fields, gpus }) => {
            const wanted = ['gpu_utilization', 'memory_used_mib', 'temperature_c', 'power_w', 'sm_clock_mhz'];
            const missing = wanted.filter((name) => !fields.includes(name));
            const gpu = gpus[0];
            return verdict(
              missing.length === 0,
              missing.length > 0
                ? `not reported: ${missing.join(', ')}`
                : `peak ${((gpu?.peakMemoryMib ?? 0) / 1024).toFixed(1)} GiB, ${gpu?.meanPowerW?.toFixed(0)} W, ${gpu?.peakTemperatureC} °C`,
            );
          },
        },
      ],
    }),
    experiment<SameStepsEvidence>({
      name: 'same-steps',
      collect: sameSteps,
      checks: [
        {
          id: '4.4',
          says: 'Gradient accumulation: micro-batches of 3 make the steps of a batch of 8, to the end of the schedule',
          claims: [14],
          judge: ({ whole, parts }) => {
            const worst = Math.max(
              ...whole.map(([loss], i) => Math.abs((parts[i]?.[0] ?? Number.NaN) / loss - 1)),
            );
            const sameRates = whole.every(([, lr], i) => parts[i]?.[1] === lr);
            const rates = whole.map(([, lr]) => lr);
            const ended = rates.at(-1)! < 0.2 * Math.max(...rates);
            return verdict(
              whole.length === parts.length && worst < 1e-3 && sameRates && ended,
              `${whole.length} steps each, losses equal to ${worst.toExponential(1)}, rates ${sameRates ? 'equal' : 'differ'}, the last ${percent(rates.at(-1)! / Math.max(...rates))} of the peak`,
            );
          },
        },
        {
          id: '4.5',
          says: 'Dynamic batch size: found before the first step, within the memory, the effective batch stays',
          claims: [13, 32],
          judge: ({ whole, found: { samples, record } }) => {
            const sorted = (values: readonly number[]): string => [...values].sort((a, b) => a - b).join(' ');
            const same = sorted(samples) === sorted(whole.map(([, , each]) => each));
            const share = record.measured_bytes / record.capacity_bytes;
            return verdict(
              same && record.batch_size >= 1 && share <= TARGET_MEMORY * 1.02,
              `found ${record.batch_size} (limited by ${record.limited_by}), ${percent(share)} of the memory; examples per step ${same ? 'as without it' : `${samples}`}`,
            );
          },
        },
      ],
    }),
    experiment<PrefetchEvidence>({
      name: 'prefetch',
      collect: prefetch,
      checks: [
        {
          id: '4.6',
          says: 'Prefetching and async loading: batches come from other threads, the result has the same bytes',
          claims: [15],
          judge: ({ equal, data_wait }) => {
            const all = allOf(equal);
            return verdict(
              all.status === 'pass' && data_wait !== null,
              `data wait ${data_wait}; ${all.found}`,
            );
          },
        },
      ],
    }),
    experiment<MonitorEvidence>({
      name: 'monitor',
      collect: monitor,
      checks: [
        {
          id: '4.7',
          says: 'Utilisation is that of the training window, measured from a process of its own',
          claims: [12, 16],
          judge: ({ rows, fields, utilisation, everything }) =>
            verdict(
              rows >= 5 && fields.includes('power_w') && Math.abs(utilisation - 0.96) < 1e-12,
              `96 % within and 4 % around it come to ${percent(utilisation)} (all rows: ${percent(everything)}); ${rows} rows of a stand-in for nvidia-smi`,
            ),
        },
      ],
    }),
  ],
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function gigabytes(bytes: number | null | undefined): string {
  return bytes == null ? '–' : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
