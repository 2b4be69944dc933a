import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseIndices } from '../queue/index.js';
import { arrayValue, type JobSpec, parseArray, parseDependencies, renderScript, timeLimit } from './index.js';

const base: JobSpec = { name: 'job', requeue: true, command: ['true'] };

describe('renderScript', () => {
  it('writes every option of a two-node job', () => {
    const script = renderScript({
      name: 'wire "8x"',
      account: 'proj1',
      partition: 'preempt',
      qos: 'low',
      nodes: 2,
      gpusPerNode: 4,
      cpusPerTask: 8,
      memory: '256GB',
      timeLimitSeconds: 43_200,
      signal: { name: 'TERM', secondsBefore: 120, to: 'tasks' },
      requeue: true,
      array: { indices: [0, 1, 2, 5], atOnce: 2 },
      dependencies: [{ kind: 'afterok', jobs: ['12', '13_1'] }],
      output: 'logs/%x-%A_%a.out',
      workDir: '/data/my runs',
      comment: 'phase 2',
      modules: ['cuda/12.4'],
      environment: { GREETING: "it's $HOME" },
      setup: ['source venv/bin/activate'],
      container: { prefix: ['apptainer', 'exec', '--nv', 'image.sif'], srunFlags: ['--mpi=none'] },
      command: ['latentwire', 'run', 'a b.yaml'],
    });
    expect(script).toMatchSnapshot();
  });

  it('keeps a job of one task free of rendezvous, tee and time stamps', () => {
    const script = renderScript(base);
    expect(script).toContain('\nsrun --kill-on-bad-exit=1 true\n');
    expect(script).not.toMatch(/tee|date|MASTER_ADDR/);
    expect(script).toContain('#SBATCH --open-mode=append\n#SBATCH --requeue\n');
  });

  it('passes bash without complaint', () => {
    for (const spec of [base, { ...base, gpusPerNode: 4 }, { ...base, nodes: 2, requeue: false }]) {
      execFileSync('bash', ['-n'], { input: renderScript(spec) });
    }
  });

  it.each<[Partial<JobSpec>, string]>([
    [{ name: 'a\nb' }, '--job-name: expected one line'],
    [{ name: ' ' }, 'name: expected a job name'],
    [{ command: [] }, 'command: expected a program'],
    [{ memory: 'much' }, 'memory: expected an amount per node such as 256GB or 4000M, got "much"'],
    [{ nodes: 0 }, 'nodes: expected a whole number, at least 1, got 0'],
    [{ array: { indices: [] } }, 'array.indices: expected at least one index'],
    [{ array: { indices: [1, 1] } }, 'array.indices: expected each index once'],
    [{ dependencies: [{ kind: 'afterok', jobs: ['1;rm'] }] }, 'dependencies: expected a job id'],
    [{ environment: { 'A=B': 'x' } }, 'environment: expected a variable name, got "A=B"'],
    [{ setup: ['a\nb'] }, 'setup: expected single lines'],
    [{ signal: { name: 'TERM', secondsBefore: 0, to: 'tasks' } }, 'signal.secondsBefore: expected seconds'],
  ])('refuses %j', (change, message) => {
    expect(() => renderScript({ ...base, ...change })).toThrow(message);
  });
});

describe('timeLimit and arrayValue', () => {
  it('round up to whole minutes', () => {
    expect([43_200, 61, 90_000].map(timeLimit)).toEqual(['12:00:00', '00:02:00', '1-01:00:00']);
  });

  it('are read as they are written (property)', () => {
    const indices = fc.uniqueArray(fc.nat(500), { minLength: 1 });
    const atOnce = fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined });
    fc.assert(
      fc.property(indices, atOnce, (list, limit) => {
        const { indices: read, ...rest } = parseArray(arrayValue(list, limit), 'array');
        expect(read).toEqual([...list].sort((a, b) => a - b));
        expect(rest).toEqual(limit === undefined ? {} : { atOnce: limit });
      }),
    );
    for (const text of ['', '%2', '1-', 'a', '0-1%', '0-1%x', '0-999999999', '3-1', '$(id)']) {
      expect(() => parseArray(text, 'array')).toThrow('array: expected indices');
    }
    expect(parseDependencies('afterok:12:13_1,afterany:7', 'd')).toEqual([
      { kind: 'afterok', jobs: ['12', '13_1'] },
      { kind: 'afterany', jobs: ['7'] },
    ]);
    for (const text of ['', 'afterok', 'ok:1', '12']) {
      expect(() => parseDependencies(text, 'd')).toThrow('d: expected a condition');
    }
  });

  it('name every index once', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(500), { minLength: 1 }), (indices) => {
        expect(parseIndices(arrayValue(indices, 3))).toEqual([...indices].sort((a, b) => a - b));
      }),
    );
    expect(arrayValue([9, 1, 2, 3, 7], 2)).toBe('1-3,7,9%2');
  });
});

/** The rendered script in a real bash, with an srun that runs the command and a Slurm that writes down what it is asked. */
describe('a rendered script', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-script-'));
  const inside = (name: string) => path.join(folder, name);
  beforeAll(() => {
    tool('srun', 'while [[ $1 == --* ]]; do shift; done; "$@"');
    tool('squeue', 'echo "$FAKE_STATE"');
    tool('scontrol', 'echo "$*" >> "$FAKE_LOG"');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function tool(name: string, body: string): void {
    writeFileSync(inside(name), `#!/bin/bash\n${body}\n`);
    chmodSync(inside(name), 0o755);
  }

  function run(spec: Partial<JobSpec>, env: NodeJS.ProcessEnv = {}) {
    const log = inside('scontrol.log');
    rmSync(log, { force: true });
    const { status, stdout } = spawnSync('bash', ['-s'], {
      input: renderScript({ ...base, ...spec }),
      env: { PATH: `${folder}:${process.env.PATH}`, FAKE_LOG: log, SLURM_JOB_ID: '7', ...env },
    });
    return { status, stdout: String(stdout), asked: existsSync(log) ? readFileSync(log, 'utf8') : '' };
  }
  const ends = (how: string): Partial<JobSpec> => ({ command: ['bash', '-c', how] });

  it('hands the program hostile arguments and variables unchanged', () => {
    const text = ' a"b\'c $(id) `id` \\n\n;#é';
    const { stdout } = run({
      environment: { TEXT: text },
      command: ['node', '-e', 'console.log(JSON.stringify([process.env.TEXT, process.argv[1]]))', text],
    });
    expect(JSON.parse(stdout)).toEqual([text, text]);
  });

  it('keeps the exit code of the program', () => {
    expect(run(ends('exit 3')).status).toBe(3);
    expect(run(ends('exit 0'))).toMatchObject({ status: 0, asked: '' });
  });

  it('requeues what a signal ended before it had handlers, and what asks for it', () => {
    const running = { FAKE_STATE: 'RUNNING None' };
    expect(run(ends('kill -TERM $$'), running)).toMatchObject({ status: 143, asked: 'requeue 7\n' });
    expect(run(ends('exit 85'), running).asked).toBe('requeue 7\n');
    expect(run(ends('kill -TERM $$'), { FAKE_STATE: 'COMPLETING TimeLimit' }).asked).toBe('requeue 7\n');
    const task = { ...running, SLURM_ARRAY_JOB_ID: '7', SLURM_ARRAY_TASK_ID: '3' };
    expect(run(ends('exit 85'), task).asked).toBe('requeue 7_3\n');
  });

  it('leaves cancelled jobs, other exit codes and --no-requeue alone', () => {
    expect(run(ends('kill -TERM $$'), { FAKE_STATE: 'COMPLETING None' }).asked).toBe('');
    expect(run(ends('kill -KILL $$'), { FAKE_STATE: 'RUNNING None' })).toMatchObject({
      status: 137,
      asked: '',
    });
    expect(run({ ...ends('kill -TERM $$'), requeue: false }, { FAKE_STATE: 'RUNNING None' }).asked).toBe('');
  });

  it('requeues what was killed only where the command counts its crashes', () => {
    const killed = { ...ends('kill -KILL $$'), requeueWhenKilled: true };
    expect(run(killed, { FAKE_STATE: 'RUNNING None' })).toMatchObject({ status: 137, asked: 'requeue 7\n' });
    expect(run(killed, { FAKE_STATE: 'COMPLETING None' }).asked).toBe('');
  });

  it('ends at once when its working directory is not there', () => {
    expect(run({ ...ends('echo ran'), workDir: inside('nowhere') })).toMatchObject({ status: 1, stdout: '' });
  });

  it('gives each task its rank and a common rendezvous', () => {
    const { stdout } = run(
      { gpusPerNode: 4, ...ends('echo $RANK $LOCAL_RANK $NODE_RANK $WORLD_SIZE $MASTER_ADDR $MASTER_PORT') },
      { SLURM_PROCID: '3', SLURM_LOCALID: '1', SLURM_NODEID: '2', SLURM_NTASKS: '4' },
    );
    expect(stdout).toBe('3 1 2 4 127.0.0.1 20007\n');
  });
});
