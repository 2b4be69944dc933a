/** §1: a real SIGTERM hits a real training. Is there a whole checkpoint in time, and does the run go on with it? */
import fs from 'node:fs';
import { decide } from '@latentwire/slurm';
import { type RunStatus, readStatus } from '../../telemetry/index.js';
import { compareRuns, endingOf, type Check as FileCheck, verifyRun } from '../../training/index.js';
import type { Bench } from '../bench.js';
import { experiment, type Section, verdict } from '../experiment.js';

const GRACE_SECONDS = 120;
/** What the original says it needs. */
const CLAIMED_SECONDS = 5;

export interface SigtermEvidence {
  readonly ending: string;
  readonly code: number | null;
  readonly state: string | undefined;
  readonly status: RunStatus | undefined;
  /** Steps that the signal came after. */
  readonly hit_after: number;
  /** From the signal, as this process sent it, to the change of the checkpoint file; null: there is none. */
  readonly seconds_to_file: number | null;
  /** The same as the run's own log tells it. */
  readonly seconds_to_durable: number | null;
  readonly seconds_to_exit: number;
  readonly checkpoint: FileCheck;
  readonly checkpoint_step: number;
  readonly resumed: { readonly ending: string; readonly code: number | null; readonly from: number | null };
  readonly equal: readonly FileCheck[];
  readonly continuous: readonly FileCheck[];
}

async function hitOnce(bench: Bench): Promise<SigtermEvidence> {
  const twin = await bench.twin();
  let hitAfter = 0;
  const hit = await bench.attempt('run', {
    hit: {
      signal: 'SIGTERM',
      when: (steps) => {
        hitAfter = steps;
        return steps >= 3;
      },
    },
  });
  const paths = bench.paths('run');
  const status = readStatus(paths.status);
  const file = `${paths.checkpoints}/checkpoint_current.safetensors`;
  const sent = hit.hitAtMs ?? Number.NaN;
  const seconds = (ms: number): number => Math.max(0, ms - sent) / 1000;
  const verified = verifyRun(paths.directory).checks;
  const evidence = {
    ending: endingOf(hit),
    ...{ code: hit.code, state: hit.state, status, hit_after: hitAfter },
    seconds_to_file: fs.existsSync(file) ? seconds(fs.statSync(file).mtimeMs) : null,
    seconds_to_durable: figure(hit.stderr, /signal_to_durable_seconds=([\d.e-]+)/),
    seconds_to_exit: seconds(hit.endedAtMs),
    checkpoint: verified.find(({ name }) => name === 'checkpoint')!,
    checkpoint_step: status !== undefined && 'step' in status ? status.step : 0,
  };
  const resumed = await bench.attempt('run');
  return {
    ...evidence,
    resumed: {
      ...{ ending: endingOf(resumed), code: resumed.code },
      from: figure(resumed.stderr, /going on step=(\d+)/),
    },
    equal: compareRuns(twin, paths.directory).checks,
    continuous: verifyRun(paths.directory).checks,
  };
}

export interface StormEvidence {
  readonly signals: number;
  readonly saves_before: number;
  readonly code: number | null;
  readonly state: string | undefined;
  readonly ending: string;
  readonly checkpoint: FileCheck;
  readonly resumed: string;
  readonly equal: readonly FileCheck[];
}

/** Signals of all kinds until the process has ended, while saves run all the time: inside saves, and while it ends. */
async function storm(bench: Bench): Promise<StormEvidence> {
  const twin = await bench.twin();
  let signals = 0;
  const hit = await bench.attempt('run', {
    args: ['--checkpoint-interval', '0.01'],
    lookMs: 3,
    onLook: (child, steps) => {
      if (steps < 4) return;
      child.kill((['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const)[signals++ % 3]!);
    },
  });
  const run = bench.in('run');
  const checkpoint = verifyRun(run).checks.find(({ name }) => name === 'checkpoint')!;
  const resumed = await bench.attempt('run');
  return {
    ...{ signals, code: hit.code, state: hit.state, ending: endingOf(hit), checkpoint },
    saves_before: hit.lines.filter((line) => line.includes('saved checkpoint')).length,
    resumed: endingOf(resumed),
    equal: compareRuns(twin, run).checks,
  };
}

export interface PolicyEvidence {
  readonly cases: readonly {
    readonly situation: string;
    readonly expected: string;
    readonly decided: string;
  }[];
}

/** What a job does after its save, by the function that decides it under a real Slurm. */
async function policy(): Promise<PolicyEvidence> {
  const now = Date.UTC(2026, 0, 1);
  const job = { id: '7', name: 'run', state: 'RUNNING', restarts: 0, requeue: true } as const;
  const common = {
    restarts: 0,
    preemptMode: 'requeue',
    attempts: [],
    progressed: true,
    now,
    waitedMs: 0,
  } as const;
  const signal = { kind: 'signal', signal: 'SIGTERM' } as const;
  const cases = [
    ['preempted', 'wait-for-requeue', { stop: signal, job: { ...job, preemptTime: new Date(now) } }],
    ['near its time limit', 'requeue-self', { stop: { kind: 'time-limit' as const }, job }],
    ['cancelled', 'exit-failed', { stop: signal, job: { ...job, state: 'CANCELLED' as const } }],
    ['finished', 'exit-finished', { stop: { kind: 'finished' as const }, job }],
    [
      'controller silent',
      'wait-for-requeue',
      { stop: signal, view: { known: false as const, because: 'unreachable' as const } },
    ],
  ] as const;
  return {
    cases: cases.map(([situation, expected, input]) => {
      const view = 'view' in input ? input.view : { known: true as const, job: input.job };
      return { situation, expected, decided: decide({ ...common, stop: input.stop, view }).action };
    }),
  };
}

export const preemption: Section = {
  number: 1,
  component: 'Preemption Handling',
  command: 'latentwire drill preemption',
  headline: '1.2',
  experiments: [
    experiment<SigtermEvidence>({
      name: 'sigterm',
      collect: hitOnce,
      checks: [
        {
          id: '1.1',
          says: 'SIGTERM signal handler registered',
          claims: [1, 2],
          judge: (e) =>
            verdict(
              e.code === 0 && e.state === 'preempted' && e.status?.state === 'preempted',
              `SIGTERM after step ${e.hit_after} of a real training: ${e.ending}; status.json says ${e.status?.state ?? 'nothing'}`,
            ),
        },
        {
          id: '1.2',
          says: 'Checkpoint saved within 120-second grace period (and in < 5 s)',
          claims: [3],
          judge: ({ seconds_to_durable: durable, seconds_to_file: file }) =>
            verdict(
              durable !== null && file !== null && Math.max(durable, file) < GRACE_SECONDS,
              durable === null || file === null
                ? 'no checkpoint after the signal'
                : `signal → durable ${durable.toFixed(3)} s by its own clock, ${file.toFixed(3)} s from outside${Math.max(durable, file) < CLAIMED_SECONDS ? '' : ' (not < 5 s)'}`,
            ),
        },
        {
          id: '1.3',
          says: 'The checkpoint of the signal is real: it loads, every byte as written',
          claims: [5],
          judge: ({ checkpoint }) => verdict(checkpoint.ok, checkpoint.found),
        },
        {
          id: '1.4',
          says: 'Auto-resumes from the current checkpoint; the same command goes on',
          claims: [4, 28],
          judge: ({ resumed, checkpoint_step }) =>
            verdict(
              resumed.code === 0 && resumed.from === checkpoint_step && checkpoint_step > 0,
              `went on at step ${resumed.from ?? '–'} of checkpoint step ${checkpoint_step}: ${resumed.ending}`,
            ),
        },
        {
          id: '1.5',
          says: 'The interrupted run ends with the bytes of one that was left alone',
          claims: [5, 6],
          judge: ({ equal, continuous }) => allOf([...equal, ...continuous]),
        },
      ],
    }),
    experiment<StormEvidence>({
      name: 'signal-storm',
      collect: storm,
      checks: [
        {
          id: '1.6',
          says: 'Signals at any point, also inside a save, do no harm',
          claims: [6],
          judge: (e) => {
            const equal = allOf(e.equal);
            const ok = e.code === 0 && e.state === 'preempted' && e.checkpoint.ok && e.signals > 1;
            return verdict(
              ok && equal.status === 'pass',
              `${e.signals} signals over ${e.saves_before} saves: ${e.ending}; checkpoint ${e.checkpoint.ok ? 'whole' : e.checkpoint.found}; then ${e.resumed}; ${equal.found}`,
            );
          },
        },
      ],
    }),
    experiment<PolicyEvidence>({
      name: 'slurm-policy',
      collect: policy,
      checks: [
        {
          id: '1.7',
          says: 'The end of the process makes Slurm requeue: stay when preempted, requeue at the time limit',
          claims: [4],
          judge: ({ cases }) => {
            const wrong = cases.filter(({ expected, decided }) => expected !== decided);
            const list = (wrong.length > 0 ? wrong : cases).map((c) => `${c.situation} → ${c.decided}`);
            return verdict(wrong.length === 0, list.join(', '));
          },
        },
      ],
    }),
  ],
};

/** The first number after a mark in a log. */
export function figure(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

/** Passes when all do; else says the first that does not. */
export function allOf(checks: readonly FileCheck[]) {
  const wrong = checks.find(({ ok }) => !ok);
  return wrong === undefined
    ? verdict(checks.length > 0, checks.map(({ name, found }) => `${name}: ${found}`).join('; '))
    : verdict(false, `${wrong.name}: ${wrong.found}`);
}
