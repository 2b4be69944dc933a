/** §7: a run that is killed and stopped again and again, with gradient accumulation, against one that was left alone. */
import fs from 'node:fs';
import { readDiagnostics } from '../../telemetry/index.js';
import { compareRuns, endingOf, type Check as FileCheck, verifyRun } from '../../training/index.js';
import type { Bench } from '../bench.js';
import { experiment, type Section, verdict } from '../experiment.js';
import { allOf, figure } from './preemption.js';

/** Three micro-batches a step, so that a step can be cut in its middle. */
const ACCUMULATING = [
  ...['--grad-accum', '3', '--checkpoint-interval', '0.05', '--digest-every', '5'],
  // Long enough to be hit three times on a fast machine.
  ...['--max-steps', '40', '--epochs', '16'],
];

export interface InterruptedEvidence {
  readonly attempts: readonly { readonly ending: string; readonly from: number | null }[];
  readonly code: number | null;
  readonly equal: readonly FileCheck[];
  readonly continuous: readonly FileCheck[];
  /** Digits of loss and learning rate of the last step, in both. */
  readonly last: readonly { readonly step: number; readonly loss: number; readonly lr: number }[];
  readonly predictions_equal: boolean;
}

async function interrupt(bench: Bench): Promise<InterruptedEvidence> {
  await bench.trained('twin', ACCUMULATING);
  const hits = [
    ['SIGKILL', 6],
    ['SIGTERM', 4],
    ['SIGKILL', 3],
  ] as const;
  const attempts: { ending: string; from: number | null }[] = [];
  for (const [signal, after] of hits) {
    const hit = await bench.attempt('run', {
      args: ACCUMULATING,
      hit: { signal, when: (steps) => steps >= after },
    });
    attempts.push({ ending: endingOf(hit), from: figure(hit.stderr, /going on step=(\d+)/) });
  }
  const rest = await bench.attempt('run', { args: ACCUMULATING });
  attempts.push({ ending: endingOf(rest), from: figure(rest.stderr, /going on step=(\d+)/) });
  const [twin, run] = [bench.paths('twin'), bench.paths('run')];
  return {
    attempts,
    code: rest.code,
    equal: compareRuns(twin.directory, run.directory).checks,
    continuous: verifyRun(run.directory).checks,
    last: [twin, run].map(({ diagnostics }) => {
      const { step, loss, lr } = readDiagnostics(diagnostics).at(-1)!;
      return { step, loss: loss!, lr: lr! };
    }),
    predictions_equal: fs.readFileSync(twin.predictions).equals(fs.readFileSync(run.predictions)),
  };
}

export interface StrictEvidence {
  /** Exit code and error of a resume with another learning rate; of one with another seed. */
  readonly other_rate: { readonly code: number | null; readonly error: string };
  readonly other_seed: { readonly code: number | null; readonly error: string };
  readonly by_name: string;
}

/** What is not the same run is refused by name, not started afresh. */
async function refuse(bench: Bench): Promise<StrictEvidence> {
  const stopped = await bench.attempt('run', { hit: { signal: 'SIGTERM', when: (steps) => steps >= 2 } });
  const error = (lines: readonly string[]): string => {
    const at = lines.findIndex((line) => line.startsWith('error:'));
    return lines
      .slice(at, at + 2)
      .join(' ')
      .replace(/\s+/g, ' ');
  };
  const rate = await bench.attempt('run', { args: ['--lr', '0.5'] });
  const seeded = await bench.attempt('run', { args: ['--seed', '43'] });
  return {
    other_rate: { code: rate.code, error: error(rate.lines) },
    other_seed: { code: seeded.code, error: error(seeded.lines) },
    by_name: `${endingOf(stopped)}; found as ${bench.paths('run').checkpoints}/checkpoint_current.safetensors`,
  };
}

export const resume: Section = {
  number: 7,
  component: 'Checkpoint Resume',
  command: 'latentwire verify RUN --against TWIN',
  headline: '7.1',
  experiments: [
    experiment<InterruptedEvidence>({
      name: 'interrupted',
      collect: interrupt,
      checks: [
        {
          id: '7.1',
          says: 'Exact batch-level resumption: kill -9, SIGTERM, kill -9, with gradient accumulation, end in the same bytes',
          claims: [25],
          judge: (e) => {
            const equal = allOf(e.equal);
            const path = e.attempts.map(({ from }) => from ?? 0).join(' → ');
            return verdict(
              e.code === 0 && equal.status === 'pass' && e.attempts.some(({ from }) => (from ?? 0) > 0),
              `${e.attempts.length} attempts, begun at steps ${path}; ${equal.found}`,
            );
          },
        },
        {
          id: '7.2',
          says: 'RNG state restored: the same draws, so the same losses and predictions after every resume',
          claims: [26],
          judge: (e) => {
            const repeats = e.continuous.find(({ name }) => name === 'steps computed again');
            return verdict(
              e.predictions_equal && repeats?.ok === true && allOf(e.continuous).status === 'pass',
              `predictions ${e.predictions_equal ? 'equal to the byte' : 'differ'}; steps computed again: ${repeats?.found}`,
            );
          },
        },
        {
          id: '7.3',
          says: 'Optimizer state preserved and learning-rate schedule continuous',
          claims: [27],
          judge: ({ last }) => {
            const [twin, run] = last;
            const same = JSON.stringify(twin) === JSON.stringify(run);
            return verdict(
              same,
              same
                ? `step ${run?.step}: loss ${run?.loss} and rate ${run?.lr} in both, every digit`
                : `${JSON.stringify(twin)} and ${JSON.stringify(run)}`,
            );
          },
        },
        {
          id: '7.4',
          says: 'Automatic checkpoint discovery: the same name goes on, whatever ended it',
          claims: [28],
          judge: ({ attempts }) =>
            verdict(
              attempts.at(-1)?.from != null,
              attempts
                .map(({ ending, from }) => `${from === null ? 'began' : `went on at ${from}`}: ${ending}`)
                .join('; '),
            ),
        },
      ],
    }),
    experiment<StrictEvidence>({
      name: 'strict',
      collect: refuse,
      checks: [
        {
          id: '7.5',
          says: 'A resume with other settings is refused and named, never silently begun afresh',
          claims: [27],
          judge: ({ other_rate: rate, other_seed: seed }) =>
            verdict(
              rate.code === 1 &&
                /optimizer\.lr was/.test(rate.error) &&
                seed.code === 1 &&
                /run\.seed was/.test(seed.error),
              `${rate.error}; ${seed.error}`,
            ),
        },
      ],
    }),
  ],
};
