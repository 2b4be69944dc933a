/**
 * Protects the promise of `latentwire run`: every cell is done once, whatever is killed, in whatever shell it
 * goes on, and its result is that of an undisturbed run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CompiledSources, compileSources } from '../../../test/support/compile-sources.js';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { LatentWireError } from '../../errors.js';
import { silentLogger } from '../../telemetry/index.js';
import {
  Claims,
  cellFiles,
  claimsFolder,
  InProcessExecutor,
  isAlive,
  LocalExecutor,
  loadPlan,
  type Plan,
  type RunCell,
  readAttempts,
  runPlan,
} from '../index.js';
import { standInTrain } from '../stand-in-trainer.fixture.js';

const within = temporaryFolder();
let compiled: CompiledSources;

beforeAll(() => {
  compiled = compileSources('experiments/stand-in-shell.fixture.ts', 'experiments/stand-in-cell.fixture.ts');
}, 120_000);
afterAll(() => compiled.remove());

const PLAN = `version: 1
name: small
seeds: [1, 2]
settings: {model.ids: [m], data.samples: 30, training.batch_size: 1, evaluation.eval_samples: 6}
retries: {crash: 50, no_progress: 50}
phases:
  - name: core
    kind: grid
    grid: {wire.latent_len: [4, 8], wire.d_z: [16, 32]}
  - name: later
    after: [core]
    gate: {phase: core, metric: latent.f1, above: token_budget.f1}
    settings: {data.samples: 20}
`;
/** Three cells, two of them at once. */
const FEW = PLAN.replace('[1, 2]', '[1]').replace('[16, 32]', '[16]');

function planFile(text: string): string {
  const file = within(`plan-${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(file, text);
  return file;
}

async function run(
  plan: Plan,
  cell: RunCell,
  options: { readonly retryFailed?: boolean; readonly ignoreGates?: boolean } = {},
) {
  const claims = new Claims(claimsFolder(plan.directory));
  const executor = new InProcessExecutor(cell);
  try {
    return await runPlan(plan, {
      executor,
      claims,
      logger: silentLogger,
      pollMs: 5,
      crashPauseMs: 0,
      ...options,
    });
  } finally {
    claims.close();
  }
}

const train: RunCell = async (config, signal) => {
  await standInTrain(config, { stepMs: 0, checkpointEvery: 20, stopping: () => signal.aborted });
};

/** What a run leaves, without what tells times and attempts. */
function results(directory: string): Record<string, string> {
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  return Object.fromEntries(
    names
      .sort()
      .flatMap((name) =>
        ['predictions.jsonl', 'logs/metrics.json', 'preempt_checkpoint/checkpoint_current.json'].map(
          (file) => [`${name}/${file}`, readFileSync(path.join(directory, name, file), 'utf8')],
        ),
      ),
  );
}

function kinds(states: ReadonlyMap<unknown, { readonly kind: string }>): string[] {
  return [...states.values()].map(({ kind }) => kind);
}

describe('a plan', () => {
  it('is carried out phase after phase, and is done when started again', async () => {
    const plan = loadPlan(planFile(PLAN), { directory: within('once') });
    const order: string[] = [];
    const watched: RunCell = async (config, signal) => {
      order.push(path.basename(config.run.save_dir));
      await train(config, signal);
    };
    const first = await run(plan, watched);
    expect(new Set(kinds(first.states))).toEqual(new Set(['done']));
    expect(first.completed).toBe(10);
    expect(order.slice(-2).every((name) => name.startsWith('later'))).toBe(true);
    expect((await run(plan, watched)).completed).toBe(0);
    expect(order).toHaveLength(10);
  });

  it('runs only new cells when a seed is added', async () => {
    const directory = within('seed');
    await run(loadPlan(planFile(PLAN), { directory }), train);
    const more = await run(loadPlan(planFile(PLAN.replace('[1, 2]', '[1, 2, 3]')), { directory }), train);
    expect(more.completed).toBe(5);
  });

  it('stops before a phase whose gate does not hold, and says what was measured', async () => {
    const plan = loadPlan(planFile(PLAN.replace('above: token_budget.f1', 'above: 0.99')), {
      directory: within('gate'),
    });
    const { states, phases } = await run(plan, train);
    expect(kinds(states).filter((kind) => kind === 'queued')).toHaveLength(2);
    expect(phases.get('later')).toMatchObject({
      kind: 'blocked',
      reason: expect.stringMatching(
        /no cell of core has latent\.f1 above 0\.99 \(latent_len=4 d_z=16: latent\.f1 0\.\d+/,
      ),
    });
    expect((await run(plan, train, { ignoreGates: true })).completed).toBe(2);
  });

  it('starts a crashed cell again as often as allowed, then names the error, and once more when asked', async () => {
    const text = PLAN.replace('crash: 50', 'crash: 2');
    const plan = loadPlan(planFile(text), { directory: within('crash') });
    const victim = plan.cells[0]!.name;
    let starts = 0;
    let broken = true;
    const flaky: RunCell = async (config, signal) => {
      if (path.basename(config.run.save_dir) === victim) {
        starts += 1;
        if (broken) throw new Error('device lost');
      }
      await train(config, signal);
    };
    const { states, phases } = await run(plan, flaky);
    expect(starts).toBe(3);
    expect(states.get(plan.cells[0]!.id)).toMatchObject({
      kind: 'failed',
      why: 'crash',
      error: 'device lost (3 times)',
    });
    expect(phases.get('later')).toEqual({ kind: 'blocked', reason: '1 cells of core failed' });
    broken = false;
    const again = await run(plan, flaky, { retryFailed: true });
    expect(kinds(again.states).every((kind) => kind === 'done')).toBe(true);
  });

  it('does not try again what is refused, and does not spin on a cell that never gets further', async () => {
    const plan = loadPlan(planFile(PLAN.replace('no_progress: 50', 'no_progress: 3')), {
      directory: within('stuck'),
    });
    const [refused, stuck] = plan.cells;
    const starts = new Map<string, number>();
    const executor: RunCell = async (config, signal) => {
      const name = path.basename(config.run.save_dir);
      starts.set(name, (starts.get(name) ?? 0) + 1);
      if (name === refused!.name) {
        await standInTrain(config, { stepMs: 0, checkpointEvery: 5, stopping: () => true });
        const { writeStatus } = await import('../../telemetry/index.js');
        writeStatus(path.join(config.run.save_dir, 'status.json'), {
          state: 'failed',
          run: name,
          attempt: 2,
          updated_at: 'now',
          step: 0,
          error: new LatentWireError('expected a model, got none', { code: 'input' }) && {
            code: 'input',
            message: 'expected a model, got none',
          },
        });
      } else if (name === stuck!.name) {
        await standInTrain(config, { stepMs: 0, checkpointEvery: 5, stopping: () => signal.aborted || true });
        rmSync(path.join(config.run.save_dir, 'preempt_checkpoint', 'checkpoint_current.json'));
      } else await train(config, signal);
    };
    const { states } = await run(plan, executor);
    expect(states.get(refused!.id)).toMatchObject({
      kind: 'failed',
      why: 'invalid',
      error: 'expected a model, got none',
    });
    expect(starts.get(refused!.name)).toBe(1);
    expect(states.get(stuck!.id)).toMatchObject({ kind: 'failed', why: 'no_progress' });
    expect(starts.get(stuck!.name)).toBe(3);
  });

  it('waits for a run that somebody else works on, without counting that against it', async () => {
    const plan = loadPlan(planFile(FEW.replace('crash: 50', 'crash: 0')), { directory: within('busy') });
    const [cell] = plan.cells;
    const status = path.join(plan.directory, cell!.name, 'status.json');
    mkdirSync(path.dirname(status), { recursive: true });
    const common = {
      run: cell!.name,
      attempt: 1,
      updated_at: 'then',
      phase: 'train',
      step: 3,
      started_at: 'then',
    };
    writeFileSync(
      status,
      JSON.stringify({ state: 'running', host: os.hostname(), pid: process.pid, ...common }),
    );
    let refusals = 0;
    const { states } = await run(plan, async (config, signal) => {
      if (path.basename(config.run.save_dir) === cell!.name && refusals < 3) {
        refusals += 1;
        throw new Error('the run is in use');
      }
      await train(config, signal);
    });
    expect(kinds(states).every((kind) => kind === 'done')).toBe(true);
    const { ends } = readAttempts(cellFiles(plan.directory, cell!.name).attempts);
    expect(ends.map(({ cause }) => cause)).toEqual(['busy', 'busy', 'busy', 'completed']);
  });

  it('runs a cell anew whose directory was deleted, and goes on from a damaged status', async () => {
    const plan = loadPlan(planFile(PLAN), { directory: within('deleted') });
    await run(plan, train);
    const before = results(plan.directory);
    rmSync(path.join(plan.directory, plan.cells[3]!.name), { recursive: true });
    writeFileSync(path.join(plan.directory, plan.cells[5]!.name, 'status.json'), '{"state": "comp');
    const { states, completed } = await run(plan, async (config, signal) => {
      rmSync(path.join(config.run.save_dir, 'status.json'), { force: true });
      await train(config, signal);
    });
    expect(completed).toBe(2);
    expect(kinds(states).every((kind) => kind === 'done')).toBe(true);
    expect(results(plan.directory)).toEqual(before);
  });
});

describe('runners that are killed', () => {
  const shells: ChildProcess[] = [];
  const shell = (file: string, directory: string, slots: number, stepMs: number) => {
    const script = compiled.file('experiments/stand-in-shell.fixture');
    const child = spawn(process.execPath, [script, file, directory, String(slots), String(stepMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += chunk;
    });
    shells.push(child);
    return { child, done: new Promise<string>((resolve) => child.on('close', () => resolve(text))) };
  };
  afterAll(() => {
    for (const child of shells) child.kill('SIGKILL');
  });
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  /** Pids of cells that claims name as being at work. */
  function workers(directory: string): number[] {
    const folder = claimsFolder(directory);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) => {
        const { worker, released } = JSON.parse(readFileSync(path.join(folder, name), 'utf8'));
        return !released && worker !== null && isAlive(worker) === true ? [worker.pid as number] : [];
      });
  }

  /** Cells whose run has a status. */
  const begun = (directory: string): number =>
    existsSync(directory)
      ? readdirSync(directory).filter((name) => existsSync(path.join(directory, name, 'status.json'))).length
      : 0;
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await pause(20);
  };

  it('many times, cells too, two shells at once: each cell ends once, as in an undisturbed run', async () => {
    const file = planFile(PLAN);
    const calm = loadPlan(file, { directory: within('calm') });
    await run(calm, train);

    const directory = within('storm');
    let kills = 0;
    let [one, two] = [shell(file, directory, 2, 10), shell(file, directory, 1, 10)];
    for (let round = 0; round < 6; round++) {
      let victims: number[] = [];
      for (let wait = 0; victims.length === 0 && wait < 100; wait++) {
        await pause(37 + 11 * round);
        victims = workers(directory);
      }
      try {
        process.kill(victims[round % victims.length]!, 'SIGKILL');
        kills += 1;
      } catch {
        // It ended in this very moment.
      }
      if (round % 2 === 0) {
        one.child.kill('SIGKILL');
        one = shell(file, directory, 2, 10);
      } else {
        two.child.kill('SIGKILL');
        two = shell(file, directory, 1, 10);
      }
      kills += 1;
    }
    const said = (await Promise.all([one.done, two.done])).map((text) => JSON.parse(text));
    expect(kills).toBeGreaterThanOrEqual(8);
    for (const { states } of said) expect(states).toEqual(Array(10).fill('done'));
    expect(results(directory)).toEqual(results(calm.directory));
    for (const { name } of calm.cells) {
      const { attempts } = cellFiles(directory, name);
      const ends = readFileSync(attempts, 'utf8').match(/"cause":"completed"/g);
      expect(ends, name).toHaveLength(1);
      expect(readAttempts(attempts).open).toBe(false);
    }
    expect(workers(directory)).toEqual([]);
  });

  it('leave their cells at work; the next runner waits for them and starts nothing twice', async () => {
    const file = planFile(FEW.replace('data.samples: 30', 'data.samples: 120'));
    const directory = within('orphan');
    const first = shell(file, directory, 2, 10);
    await until(() => begun(directory) === 2);
    first.child.kill('SIGKILL');
    await first.done;
    const orphans = workers(directory);
    expect(orphans).toHaveLength(2);
    const second = shell(file, directory, 1, 10);
    await second.done;
    const plan = loadPlan(file, { directory });
    const starts = plan.cells.map(
      ({ name }) => readFileSync(cellFiles(directory, name).attempts, 'utf8').match(/"start"/g)!.length,
    );
    expect(starts).toEqual([1, 1, 1]);
  });

  it('stop in good order when asked: cells save and end, and the next runner goes on', async () => {
    const file = planFile(FEW.replace('data.samples: 30', 'data.samples: 300'));
    const directory = within('asked');
    const first = shell(file, directory, 2, 10);
    await until(() => begun(directory) === 2);
    first.child.kill('SIGTERM');
    const { states } = JSON.parse(await first.done) as { states: string[] };
    expect(states.filter((kind) => kind === 'preempted')).toHaveLength(2);
    expect(workers(directory)).toEqual([]);
    await shell(file, directory, 8, 1).done;
    const plan = loadPlan(file, { directory });
    const causes = plan.cells.flatMap(({ name }) =>
      readAttempts(cellFiles(directory, name).attempts).ends.map(({ cause }) => cause),
    );
    expect(causes.filter((cause) => cause === 'preempted')).toHaveLength(2);
    expect(causes.filter((cause) => cause === 'completed')).toHaveLength(3);
  });
});

describe('the local executor', () => {
  it('gives each cell a GPU of its own, also across runners, and refuses what never fits', async () => {
    const directory = within('gpus');
    mkdirSync(directory, { recursive: true });
    const plan = loadPlan(planFile(PLAN.replace('phases:', 'resources: {gpus: 1}\nphases:')), { directory });
    const seen: string[] = [];
    const make = (gpus: string[]) => {
      const claims = new Claims(claimsFolder(directory));
      const command = [
        process.execPath,
        '-e',
        'setTimeout(() => console.log(process.env.CUDA_VISIBLE_DEVICES), 100)',
      ];
      return { claims, executor: new LocalExecutor({ gpus, gpuClaims: claims, command: () => command }) };
    };
    const attempt = (index: number) => ({
      cell: plan.cells[index]!,
      files: cellFiles(directory, `gpu-${index}`),
      announce: () => {},
    });
    const [a, b] = [make(['0', '1']), make(['0', '1'])];
    const first = a.executor.start(attempt(0))!;
    const second = b.executor.start(attempt(1))!;
    expect(a.executor.hasRoom({ gpus: 1, cpus: 1 })).toBe(false);
    expect(b.executor.start(attempt(2))).toBeUndefined();
    expect(() => a.executor.hasRoom({ gpus: 3, cpus: 1 })).toThrow('needs 3 GPUs, this machine offers 2');
    for (const end of await Promise.all([first.ended, second.ended])) seen.push(end.lastLine!);
    expect(seen.sort()).toEqual(['0', '1']);
    expect(a.executor.hasRoom({ gpus: 2, cpus: 1 })).toBe(true);
    a.claims.close();
    b.claims.close();
  });

  it('names the program that cannot be started', async () => {
    const claims = new Claims(within('gone', 'claims'));
    const executor = new LocalExecutor({ gpuClaims: claims, command: () => ['/no/such/program'] });
    const cell = loadPlan(planFile(PLAN), { directory: within('gone') }).cells[0]!;
    const end = await executor.start({ cell, files: cellFiles(within('gone'), 'x'), announce: () => {} })!
      .ended;
    expect(end.code).toBe(127);
    expect(end.lastLine).toMatch(/no\/such\/program.*not found/);
    claims.close();
  });
});
