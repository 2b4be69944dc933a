import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultyFileSystem } from '../../test/support/faulty-file-system.js';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { defaultConfig, type RunConfig, runConfigSchema } from '../config/index.js';
import { readDiagnostics } from './diagnostics.js';
import { collectEnvironment, type Environment, parseGpuList } from './environment.js';
import { readMetrics } from './metrics.js';
import { readPredictionRows } from './predictions.js';
import { findRun, openRun, type Run } from './run.js';
import { runIdOf, runLocation } from './run-paths.js';
import { type RunStatus, readStatus } from './status.js';

const within = temporaryFolder();
const root = within('runs');
const config = defaultConfig();
const changed = (settings: object): RunConfig => runConfigSchema.parse(settings);

/** Opens without the tee: vitest owns this process's streams. */
const open = (name: string, options: Partial<Parameters<typeof openRun>[1]> = {}): Promise<Run> =>
  openRun(name, { root, config, tee: false, ...options });

function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

describe('run directory', () => {
  it('has the frozen layout', async () => {
    const run = await open('layout', { tee: true });
    run.diagnostics.append({ step: 1, loss: 2 });
    run.writeMetrics({ samples: 1 });
    run.openPredictions({ resume: false }).close();
    run.setStatus({ state: 'completed', step: 1 });
    run.close();
    expect(tree(run.paths.directory).map((name) => name.replace(/\d{8}_\d{6}/, 'TIME'))).toEqual([
      'config.json',
      'environment.json',
      'figures',
      'logs',
      'logs/diagnostics.jsonl',
      'logs/latest.log',
      'logs/metrics.json',
      'logs/train_TIME.log',
      'predictions.jsonl',
      'preempt_checkpoint',
      'status.json',
    ]);
    expect(run.logFile).toBe(path.join(run.paths.logs, path.basename(run.logFile!)));
  });

  it('is found again by name; each start is a new attempt and keeps what earlier ones left', async () => {
    const first = await open('again', { torch: '2.13.0' });
    first.diagnostics.append({ step: 1, loss: 5 });
    first.diagnostics.append({ step: 2, loss: 4 });
    first.setStatus({
      state: 'preempted',
      signal: 'SIGTERM',
      step: 1,
      checkpoint: 'checkpoint_current.safetensors',
    });
    first.close();

    const second = await open('again');
    expect([first.attempt, second.attempt]).toEqual([1, 2]);
    expect(second.previous).toMatchObject({ state: 'preempted', step: 1, signal: 'SIGTERM' });
    second.diagnostics.append({ step: 2, loss: 3 });
    second.close();
    expect(readDiagnostics(second.paths.diagnostics)).toMatchObject([
      { step: 1, loss: 5, attempt: 1 },
      { step: 2, loss: 3, attempt: 2 },
    ]);
    const environment = JSON.parse(readFileSync(second.paths.environment, 'utf8')) as Environment & {
      earlier_attempts: Environment[];
    };
    expect(environment.attempt).toBe(2);
    expect(environment.earlier_attempts).toMatchObject([{ attempt: 1, versions: { torch: '2.13.0' } }]);
    expect(findRun('again', { root })).toMatchObject({
      id: 'again',
      config,
      status: { state: 'running', attempt: 2 },
    });
  });

  it('says in its status which start of which Slurm job works on it', async () => {
    const before = { ...process.env };
    Object.assign(process.env, { SLURM_JOB_ID: '78', SLURM_ARRAY_JOB_ID: '77', SLURM_ARRAY_TASK_ID: '3' });
    process.env.SLURM_RESTART_COUNT = '2';
    try {
      const run = await open('in-slurm');
      expect(readStatus(run.paths.status)).toMatchObject({
        state: 'running',
        slurm: { job: '77_3', restarts: 2 },
      });
      run.close();
    } finally {
      process.env = before;
    }
    const run = await open('in-slurm');
    expect(readStatus(run.paths.status)).not.toHaveProperty('slurm');
    run.close();
  });

  it('refuses to continue with other settings and names them; operational ones may change', async () => {
    (await open('settings')).close();
    const other = changed({ optimizer: { lr: 0.25 }, run: { save_dir: 'elsewhere', debug: true } });
    await expect(open('settings', { config: other })).rejects.toThrow(
      'run settings was begun with other settings:\n  optimizer.lr was 0.001, is now 0.25',
    );
    expect(findRun('settings', { root }).config).toEqual(config);
    const moved = changed({ run: { save_dir: 'elsewhere', debug: true }, training: { max_minutes: 3 } });
    (await open('settings', { config: moved })).close();
    (await open('settings', { config: other, onConfigChange: 'replace' })).close();
    expect(findRun('settings', { root }).config).toEqual(other);
  });

  it('gives its name to other settings as long as nothing came of the first ones', async () => {
    const other = changed({ optimizer: { lr: 0.25 } });
    const failed = { state: 'failed', step: 0, error: { code: 'input', message: 'no such model' } } as const;
    const mistyped = await open('mistyped');
    mistyped.setStatus(failed);
    mistyped.close();
    const corrected = await open('mistyped', { config: other });
    expect(findRun('mistyped', { root }).config).toEqual(other);
    corrected.appendStep({ step: 1, loss: 2 });
    corrected.setStatus(failed);
    corrected.close();
    await expect(open('mistyped')).rejects.toThrow('was begun with other settings');
    for (const left of [
      'predictions.jsonl',
      'logs/metrics.json',
      'preempt_checkpoint/checkpoint_current.safetensors',
    ]) {
      const run = await open(path.basename(left));
      run.setStatus(failed);
      run.close();
      writeFileSync(path.join(run.paths.directory, left), '');
      await expect(open(path.basename(left), { config: other })).rejects.toThrow('other settings');
    }
  });

  it('is what it was when an attempt says that it changed nothing', async () => {
    const first = await open('finished');
    expect(first.restoreStatus()).toBe(false);
    first.setStatus({ state: 'completed', step: 7 });
    first.close();
    const other = changed({ evaluation: { eval_samples: 3 } });
    const second = await open('finished', { config: other, mayChange: ['evaluation'], keepConfig: true });
    expect(findRun('finished', { root })).toMatchObject({ config, status: { state: 'running' } });
    expect(second.restoreStatus()).toBe(true);
    expect(readStatus(second.paths.status)).toMatchObject({ state: 'completed', step: 7, attempt: 2 });
    second.close();
  });

  it('goes on when a newer version has settings that the run did not know, at their defaults', async () => {
    const run = await open('upgraded');
    run.close();
    const { bits: _, ...wire } = config.wire;
    writeFileSync(run.paths.config, JSON.stringify({ ...config, wire }));
    (await open('upgraded')).close();
    writeFileSync(run.paths.config, JSON.stringify({ ...config, wire }));
    await expect(open('upgraded', { config: changed({ wire: { bits: 4 } }) })).rejects.toThrow('wire.bits');
  });

  it('refuses names that could leave the root or surprise a shell', async () => {
    const bad = [
      '',
      '.',
      '..',
      '../x',
      'a/b',
      'a\\b',
      '/etc',
      '.hidden',
      '-rf',
      'a..b',
      'x\0y',
      'a b',
      'end.',
      'ü',
    ];
    for (const name of [...bad, 'n'.repeat(129)]) {
      await expect(open(name)).rejects.toThrow('expected a run name');
      expect(() => findRun(name, { root })).toThrow('expected a run name');
    }
    expect(runIdOf('squad-m32_d256.seed=42')).toBe('squad-m32_d256.seed=42');
    expect(runLocation('runs/exp/')).toEqual({ root: path.resolve('runs'), name: 'exp' });
    expect(() => runLocation('/')).toThrow('expected a run name');
  });

  it('names the nearest run when one is not there', () => {
    expect(() => findRun('agian', { root })).toThrow(
      expect.objectContaining({ hint: 'did you mean again?' }),
    );
    expect(() => findRun('x', { root: within('none') })).toThrow('found none');
  });

  it('cleans up temporaries of a killed attempt and leaves foreign files alone', async () => {
    const directory = path.join(root, 'killed');
    mkdirSync(path.join(directory, 'logs'), { recursive: true });
    writeFileSync(path.join(directory, '.status.json.tmp-1-1'), 'x');
    writeFileSync(path.join(directory, 'logs', '.metrics.json.tmp-1-1'), 'x');
    writeFileSync(path.join(directory, 'notes.txt'), 'mine');
    (await open('killed')).close();
    expect(tree(directory).filter((name) => name.includes('tmp'))).toEqual([]);
    expect(existsSync(path.join(directory, 'notes.txt'))).toBe(true);
  });

  it('keeps the last good status and metrics when the disk is full', async () => {
    (await open('full')).close();
    const run = await open('full', { fs: faultyFileSystem({ call: 'write', code: 'ENOSPC', at: 3 }) });
    expect(readStatus(run.paths.status)).toMatchObject({ state: 'running', attempt: 2 });
    expect(() => run.setStatus({ state: 'completed', step: 9 })).toThrow('the disk is full (ENOSPC)');
    expect(() => run.writeMetrics({ samples: 1 })).toThrow('metrics.json: the disk is full');
    expect(() => run.diagnostics.append({ step: 1 })).toThrow('diagnostics.jsonl: the disk is full');
    expect(readStatus(run.paths.status)).toMatchObject({ state: 'running', attempt: 2 });
    run.close();
  });

  it('reports a file in place of a folder, and damaged documents, by name', async () => {
    writeFileSync(path.join(root, 'file'), '');
    await expect(open('file')).rejects.toThrow(/cannot create .*file/);
    const run = await open('damaged');
    run.close();
    writeFileSync(run.paths.status, '{"state":"dancing"}');
    await expect(open('damaged')).rejects.toThrow('is not a run status');
    writeFileSync(run.paths.status, '{"state":');
    await expect(open('damaged')).rejects.toThrow('is not a run status');
    writeFileSync(run.paths.config, '{');
    expect(() => findRun('damaged', { root })).toThrow('config.json is not valid JSON');
  });
});

describe('status', () => {
  it('round-trips every state as a tagged union', async () => {
    const run = await open('states');
    const error = { code: 'io', message: 'm', hint: 'h' };
    const updates = [
      { state: 'queued' },
      { state: 'preempted', signal: 'SIGUSR1', step: 3, checkpoint: null },
      { state: 'timeout', step: 3, checkpoint: 'c' },
      { state: 'oom', step: 3, error },
      { state: 'failed', step: 3, error },
      { state: 'completed', step: 3 },
    ] as const;
    for (const update of updates) {
      run.setStatus(update);
      const status: RunStatus = readStatus(run.paths.status)!;
      expect(status).toEqual({ ...update, run: 'states', attempt: 1, updated_at: expect.any(String) });
    }
    run.close();
    expect(readStatus(within('absent.json'))).toBeUndefined();
    expect(statSync(run.paths.status).mode & 0o777 & ~0o644).toBe(0);
  });
});

describe('metrics and predictions', () => {
  it('are read back as written; an evaluation can go on or start over', async () => {
    const run = await open('results');
    run.writeMetrics({ dataset: 'squad', samples: 2, latent: { m: { em: 0.5, f1: 0.75 } } });
    expect(readMetrics(run.paths.metrics)).toEqual({
      dataset: 'squad',
      samples: 2,
      latent: { m: { em: 0.5, f1: 0.75 } },
    });
    expect(readMetrics(within('absent.json'))).toBeUndefined();
    const row = { id: 'q', model: 'm', mode: 'latent', prediction: 'p', answers: ['a'], em: 0, f1: 0.5 };
    for (const resume of [false, true]) {
      const writer = run.openPredictions({ resume });
      writer.append(row);
      writer.sync();
      writer.close();
    }
    expect(readPredictionRows(run.paths.predictions)).toEqual([row, row]);
    run.openPredictions({ resume: false }).close();
    expect(readPredictionRows(run.paths.predictions)).toEqual([]);
    run.close();
  });
});

describe('environment', () => {
  it('records versions, host and job, and nothing it does not know', async () => {
    const env = { SLURM_JOB_ID: '77', OMP_NUM_THREADS: '1', SECRET_TOKEN: 'x', PATH: process.env.PATH };
    const environment = await collectEnvironment({ attempt: 1, env });
    expect(environment).toMatchObject({
      attempt: 1,
      versions: {
        node: process.versions.node,
        torch: null,
        latentwire: '0.1.0',
        '@latentwire/torch': '0.1.0',
      },
      slurm: { SLURM_JOB_ID: '77' },
      variables: { OMP_NUM_THREADS: '1' },
    });
    expect(environment.host.cpu_count).toBeGreaterThan(0);
    expect(JSON.stringify(environment)).not.toContain('SECRET');
    if (environment.git !== null) expect(environment.git.commit).toMatch(/^[0-9a-f]{40,64}$/);
    expect((await collectEnvironment({ attempt: 1, env: {} })).slurm).toBeNull();
  });

  it('reads nvidia-smi’s list', () => {
    expect(parseGpuList('NVIDIA H200, 143771, 570.86.15\nNVIDIA H200, 143771, 570.86.15\n')).toEqual([
      { name: 'NVIDIA H200', memory_mib: 143_771, driver: '570.86.15' },
      { name: 'NVIDIA H200', memory_mib: 143_771, driver: '570.86.15' },
    ]);
    expect(parseGpuList('')).toEqual([]);
  });
});
