/**
 * One training in several processes over Gloo: it computes what one process computes, and ends, stops, dies and goes on as
 * one does. Each `latentwire launch` is a process of its own that starts the others.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as t from '@latentwire/torch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDiagnostics, readStatus } from '../src/telemetry/index.js';
import { compareRuns } from '../src/training/index.js';
import { type CompiledSources, compileSources } from './support/compile-sources.js';
import { temporaryFolder } from './support/temporary-folder.js';

const within = temporaryFolder();
const model = fileURLToPath(new URL('../assets/tiny-llama', import.meta.url));
const LIMIT = 90_000;

/** 17 examples in batches of 8: the last one of an epoch has one, and leaves nothing for rank 1. */
const SETTINGS = [
  ...['train', '--model', model, '--encoder-id', model, '--dataset', 'facts', '--facts-people', '1'],
  ...['--samples', '17', '--token-cache-mb', '0', '--latent-len', '2', '--d-z', '8', '--adapter-hidden', '8'],
  ...['--pretrain-share', '0.3', '--grad-accum', '2', '--max-steps', '14', '--epochs', '9'],
  ...['--eval-samples', '4', '--max-new-tokens', '3', '--eval-modes', 'latent', '--device', 'cpu'],
  ...['--checkpoint-interval', '0.05', '--digest-every', '1', '--auto-resume'],
];

let compiled: CompiledSources;
beforeAll(() => {
  compiled = compileSources('cli/main.ts', 'data/loader/loader-worker.ts', 'training/batch-composer.ts');
}, LIMIT);
afterAll(() => compiled.remove());

interface End {
  readonly code: number | null;
  readonly stderr: string;
}

interface Started {
  readonly process: ChildProcess;
  readonly end: Promise<End>;
}

function start(name: string, batch: number, processes: number | null, ...more: string[]): Started {
  const launch = processes === null ? [] : ['launch', '--processes', String(processes), '--kill-after', '3'];
  const own = [
    '--batch-size',
    String(batch),
    '--teacher-cache',
    within('teacher'),
    '--save-dir',
    within(name),
  ];
  const child = spawn(
    process.execPath,
    [compiled.file('cli/main'), ...launch, ...SETTINGS, ...own, ...more],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, OMP_NUM_THREADS: '1' },
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const end = new Promise<End>((resolve) => child.once('close', (code) => resolve({ code, stderr })));
  return { process: child, end };
}

const steps = (name: string): number => {
  const file = within(name, 'logs', 'diagnostics.jsonl');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
};

/** Waits until the run has that many steps, or has ended. */
async function reaches(name: string, count: number, { process: child }: Started): Promise<void> {
  while (steps(name) < count && child.exitCode === null) await new Promise((r) => setTimeout(r, 5));
}

/** The process of a rank, by what its environment says. */
function processOf(rank: number, name: string): number {
  const found = readdirSync('/proc').find((pid) => {
    try {
      const env = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return env.includes(`RANK=${rank}`) && command.includes(within(name)) && command.includes('train');
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`no process of rank ${rank} works on ${name}`);
  return Number(found);
}

const status = (name: string) => readStatus(within(name, 'status.json'));
const rankLogs = (name: string): string =>
  readdirSync(within(name, 'logs'))
    .filter((file) => file.startsWith('rank-1_'))
    .map((file) => readFileSync(within(name, 'logs', file), 'utf8'))
    .join('');

function weights(name: string): Map<string, number[]> {
  const file = t.openSafetensors(within(name, 'preempt_checkpoint', 'checkpoint_current.safetensors'));
  const tensors = t.scope(() => new Map(file.names.map((key) => [key, file.load(key).toArray()])));
  file.close();
  return tensors;
}

describe('a training in two processes', () => {
  let calm: End;
  beforeAll(async () => {
    calm = await start('calm', 4, 2).end;
  }, LIMIT);

  it(
    'is that of one process with twice the batch, to rounding',
    async () => {
      expect(calm).toMatchObject({ code: 0 });
      expect((await start('alone', 8, null).end).code).toBe(0);
      const [one, two] = ['alone', 'calm'].map((name) =>
        readDiagnostics(within(name, 'logs', 'diagnostics.jsonl')),
      );
      expect(two!).toHaveLength(14);
      one!.forEach((row, i) => {
        const other = two![i]!;
        expect(other.samples).toBe(row.samples);
        expect(other.target_tokens).toBe(row.target_tokens);
        for (const key of ['loss', 'grad_norm', 'answer_loss', 'kd_loss', 'alignment_loss'] as const) {
          const [value, expected] = [other[key], row[key]] as (number | null)[];
          if (expected == null) expect(value, key).toBe(expected);
          else expect(Math.abs(value! - expected), key).toBeLessThan(1e-4 * Math.max(1, expected));
        }
      });
      // One example alone at the end of an epoch, and no part of it for rank 1.
      expect(one!.map((row) => row.samples)).toContain(1);
      const [expected, got] = [weights('alone'), weights('calm')];
      for (const [name, values] of expected) {
        const others = got.get(name)!;
        const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0);
        expect(worst, name).toBeLessThan(1e-4);
      }
    },
    LIMIT,
  );

  it('keeps its records as one does: rank 0 writes the run, the other a log', () => {
    expect(status('calm')).toMatchObject({ state: 'completed', step: 14, attempt: 1 });
    expect(readdirSync(within('calm')).sort()).toEqual(readdirSync(within('alone')).sort());
    expect(rankLogs('calm')).toContain('taking part rank=1 of=2 work=train');
  });

  it(
    'has the bytes of an undisturbed one after a signal, a killed rank and a killed rank 0',
    async () => {
      const stopped = start('disturbed', 4, 2);
      await reaches('disturbed', 3, stopped);
      stopped.process.kill('SIGTERM');
      expect(await stopped.end).toMatchObject({ code: 0 });
      const at = status('disturbed');
      expect(at).toMatchObject({ state: 'preempted', signal: 'SIGTERM' });
      const step = at?.state === 'preempted' ? at.step : 0;
      expect(step).toBeGreaterThan(2);
      expect(rankLogs('disturbed')).toContain(`asked to stop step=${step} `);

      const other = await start('disturbed', 4, null).end;
      expect(other.code).toBe(1);
      expect(other.stderr).toContain('number of processes was 2, is now 1');

      const bereft = start('disturbed', 4, 2);
      await reaches('disturbed', step + 2, bereft);
      process.kill(processOf(1, 'disturbed'), 'SIGKILL');
      expect(await bereft.end).toMatchObject({ code: 1 });
      expect(status('disturbed')).toMatchObject({
        state: 'failed',
        error: { message: expect.stringMatching(/rank 1 of 2 .*SIGKILL/) },
      });

      const headless = start('disturbed', 4, 2);
      await reaches('disturbed', step + 4, headless);
      process.kill(processOf(0, 'disturbed'), 'SIGKILL');
      const end = await headless.end;
      expect(end.code).toBe(1);
      expect(end.stderr).toContain('rank 1: error: rank 0 of 2 failed: was ended by SIGKILL');
      // libtorch's own account of it is a stack of C++.
      expect(end.stderr).not.toContain('frame #');
      expect(status('disturbed')).toMatchObject({
        state: 'failed',
        error: { message: 'rank 0 of 2 was ended by SIGKILL' },
      });

      expect(await start('disturbed', 4, 2).end).toMatchObject({ code: 0 });
      expect(status('disturbed')).toMatchObject({ state: 'completed', step: 14 });
      expect(compareRuns(within('calm'), within('disturbed'))).toMatchObject({ ok: true });
    },
    LIMIT,
  );

  it(
    'keeps to a time limit together, with batches composed ahead',
    async () => {
      const { code, stderr } = await start(
        ...(['timed', 4, 2] as const),
        ...['--max-minutes', '0.05', '--max-steps', '100000', '--epochs', '100000', '--num-workers', '1'],
      ).end;
      expect(stderr).not.toContain('error:');
      expect(code).toBe(0);
      const stages = readDiagnostics(within('timed', 'logs', 'diagnostics.jsonl')).map(({ stage }) => stage);
      expect(new Set(stages).size).toBeGreaterThan(2);
    },
    LIMIT,
  );

  it(
    'says on every rank why it cannot begin, and leaves no process behind',
    async () => {
      const { code, stderr } = await start('wrong', 4, 2, '--model', within('absent')).end;
      expect(code).toBe(2);
      expect(stderr).toContain('rank 1: error: rank 0 of 2 failed: ');
      expect(() => processOf(1, 'wrong')).toThrow(/no process/);
    },
    LIMIT,
  );
});
