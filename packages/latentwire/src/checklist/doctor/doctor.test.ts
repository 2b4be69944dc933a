/**
 * Every cause is planted in a copy of a real run and must be found, with its evidence; what is planted must be the only
 * thing found. The real runs themselves, whole or stopped, are healthy. Long, since it is one list of causes.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { runConfigSchema } from '../../config/index.js';
import { silentLogger } from '../../telemetry/index.js';
import { train } from '../../training/index.js';
import { diagnose } from './diagnose.js';
import type { Cause } from './finding.js';

const within = temporaryFolder();
const model = fileURLToPath(new URL('../../../assets/tiny-llama', import.meta.url));

async function realRun(name: string, stopAtPoll = Number.POSITIVE_INFINITY): Promise<void> {
  let polls = 0;
  const config = runConfigSchema.parse({
    model: { ids: [model] },
    encoder: { id: model },
    data: { dataset: 'facts', samples: 32, token_cache_mb: 0 },
    wire: { latent_len: 2, d_z: 8 },
    adapter: { hidden: 8 },
    objective: { disable_kd: true },
    training: { epochs: 2, batch_size: 4 },
    evaluation: { eval_samples: 2, max_new_tokens: 2, eval_modes: ['latent'] },
    checkpoint: { interval: 0, auto_resume: true },
    system: { device: 'cpu' },
    run: { save_dir: within(name) },
  });
  const stopNotice = () =>
    ++polls >= stopAtPoll ? { name: 'SIGTERM', monotonicMs: performance.now() } : undefined;
  await train(config, { logger: silentLogger, stopNotice });
}

beforeAll(async () => {
  await realRun('complete');
  await realRun('stopped', 14);
}, 60_000);

let copies = 0;
/** A run of its own folder, so that no other run lies beside it. */
function copyOf(name: 'complete' | 'stopped'): PlantedRun {
  const directory = within(`copy-${++copies}`, 'run');
  fs.cpSync(within(name), directory, { recursive: true });
  return new PlantedRun(directory);
}

class PlantedRun {
  constructor(readonly directory: string) {}

  in(...parts: string[]): string {
    return path.join(this.directory, ...parts);
  }

  json(file: string): Record<string, unknown> {
    return JSON.parse(fs.readFileSync(this.in(file), 'utf8'));
  }

  change(file: string, changes: object): void {
    fs.writeFileSync(this.in(file), JSON.stringify({ ...this.json(file), ...changes }));
  }

  setting(group: string, changes: object): void {
    this.change('config.json', { [group]: { ...(this.json('config.json')[group] as object), ...changes } });
  }

  running(step: number): void {
    const { run, attempt } = this.json('status.json');
    const process = { pid: 999_999_999, host: 'elsewhere', started_at: '2026-01-01T00:00:00Z' };
    fs.writeFileSync(
      this.in('status.json'),
      JSON.stringify({
        state: 'running',
        phase: 'train',
        run,
        attempt,
        updated_at: '2026-01-01T00:00:00Z',
        step,
        ...process,
      }),
    );
  }

  failed(state: 'failed' | 'oom', code: string, message: string): void {
    const { run, attempt } = this.json('status.json');
    const error = { code, message };
    fs.writeFileSync(
      this.in('status.json'),
      JSON.stringify({ state, run, attempt, updated_at: '2026-01-01T00:00:00Z', step: 3, error }),
    );
  }

  /** One more attempt's log. */
  log(...lines: string[]): void {
    const count = fs.readdirSync(this.in('logs')).length;
    fs.writeFileSync(this.in('logs', `train_20990101_0000${10 + count}.log`), `${lines.join('\n')}\n`);
  }

  /** Replaces the training by steps a second apart. */
  rows(count: number, row: (i: number) => object = () => ({})): void {
    const start = Date.UTC(2026, 0, 1);
    const lines = Array.from({ length: count }, (_, i) =>
      JSON.stringify({
        ...{ step: i + 1, attempt: 1, time: new Date(start + 1000 * i).toISOString(), stage: 'answers' },
        ...{ loss: 2, grad_norm: 1, seconds: 1, ...row(i) },
      }),
    );
    fs.writeFileSync(this.in('logs/diagnostics.jsonl'), `${lines.join('\n')}\n`);
  }

  /** A GPU that was watched once a second meanwhile. */
  gpu(utilization: number, memory = 40_000, more: object = {}): void {
    const start = Date.UTC(2026, 0, 1);
    const lines = Array.from({ length: 60 }, (_, i) =>
      JSON.stringify({
        ...{ time: new Date(start + 1000 * i).toISOString(), gpu: 0, gpu_utilization: utilization },
        ...{ memory_used_mib: memory, memory_total_mib: 80_000, power_w: 300, temperature_c: 50, ...more },
      }),
    );
    fs.writeFileSync(this.in('logs/gpu_monitor_20260101_000000.jsonl'), `${lines.join('\n')}\n`);
  }

  causes(): Cause[] {
    return diagnose(this.directory).findings.map(({ cause }) => cause);
  }
}

const FOLDER = 'preempt_checkpoint';
const CURRENT = `${FOLDER}/checkpoint_current.safetensors`;

function flipBit(file: string): void {
  const bytes = fs.readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  fs.writeFileSync(file, bytes);
}

describe('a healthy run', () => {
  it('that is complete has nothing to be said of', () => {
    const diagnosis = diagnose(within('complete'));
    expect(diagnosis).toMatchObject({ healthy: true, findings: [] });
    expect(diagnosis.sound).toHaveLength(9);
  });

  it('that was stopped is healthy, and is told how to go on', () => {
    const diagnosis = diagnose(copyOf('stopped').directory);
    expect(diagnosis.healthy).toBe(true);
    expect(diagnosis.findings.map(({ cause }) => cause)).toEqual(['not-asked-to-resume']);
  });

  it('with a busy GPU is healthy', () => {
    const run = copyOf('complete');
    run.rows(60);
    run.gpu(96);
    expect(run.causes()).toEqual([]);
  });

  it('is not changed by being looked at', () => {
    const run = copyOf('stopped');
    fs.writeFileSync(run.in(FOLDER, 'checkpoint_current.safetensors.1-0.0.tmp'), 'x');
    const files = () =>
      fs
        .readdirSync(run.directory, { recursive: true })
        .map((name) => [name, fs.statSync(run.in(String(name))).mtimeMs]);
    const before = files();
    diagnose(run.directory);
    expect(files()).toEqual(before);
  });
});

type Plant = (run: PlantedRun) => void;
const SAVED = 'saved checkpoint step=3 bytes=400 seconds=0.1 gb_per_s=0.4 blocked_seconds=0.01';

/** What is planted → what is found. Problems unless the last word says `note`. */
const CASES: readonly (readonly [
  title: string,
  from: 'complete' | 'stopped',
  plant: Plant,
  causes: readonly Cause[],
  healthy?: 'note',
])[] = [
  [
    'killed before the first save',
    'stopped',
    (run) => {
      fs.rmSync(run.in(FOLDER), { recursive: true });
      for (const name of fs.readdirSync(run.in('logs')))
        if (name.endsWith('.log')) fs.rmSync(run.in('logs', name));
      run.running(2);
    },
    ['checkpoint-missing', 'killed-without-save'],
  ],
  [
    'a checkpoint that somebody deleted',
    'stopped',
    (run) => {
      run.log(SAVED);
      fs.rmSync(run.in(CURRENT));
    },
    ['checkpoint-missing'],
  ],
  [
    'the same run begun under another name',
    'stopped',
    (run) => {
      fs.cpSync(run.directory, `${run.directory}_20260101`, { recursive: true });
      fs.rmSync(run.in(FOLDER), { recursive: true });
    },
    ['checkpoint-elsewhere'],
  ],
  ['a damaged checkpoint', 'stopped', (run) => flipBit(run.in(CURRENT)), ['checkpoint-damaged']],
  [
    'a damaged checkpoint with a backup',
    'stopped',
    (run) => {
      fs.copyFileSync(run.in(CURRENT), run.in(FOLDER, 'checkpoint_backup.safetensors'));
      flipBit(run.in(CURRENT));
    },
    ['checkpoint-damaged', 'not-asked-to-resume'],
    'note',
  ],
  [
    'the checkpoint of other settings',
    'stopped',
    (run) => run.setting('optimizer', { lr: 0.5 }),
    ['checkpoint-of-another-run', 'not-asked-to-resume'],
  ],
  [
    'a checkpoint of other data',
    'stopped',
    (run) =>
      run.failed(
        'failed',
        'state',
        'the checkpoint x belongs to something else:\n  data (train) was a, is now b',
      ),
    ['checkpoint-of-another-run'],
  ],
  [
    'a GPU that waits for data',
    'complete',
    (run) => {
      run.rows(60);
      run.gpu(55);
      run.log('step 60/60 100%  loss 2  data wait 42%');
    },
    ['gpu-data-bound'],
  ],
  [
    'a GPU that waits for saves',
    'complete',
    (run) => {
      run.rows(60);
      run.gpu(55);
      run.log(SAVED.replace('blocked_seconds=0.01', 'blocked_seconds=20'));
    },
    ['gpu-waits-for-saves'],
  ],
  [
    'a GPU that idles between steps',
    'complete',
    (run) => {
      run.rows(60, () => ({ seconds: 0.4 }));
      run.gpu(40);
    },
    ['gpu-idle-between-steps'],
  ],
  [
    'a GPU whose kernels are launched one by one',
    'complete',
    (run) => {
      run.rows(60);
      run.gpu(60);
      run.setting('system', { disable_graphs: true });
      fs.rmSync(run.in(FOLDER), { recursive: true });
    },
    ['gpu-launch-bound'],
  ],
  [
    'a GPU with a small batch',
    'complete',
    (run) => {
      run.rows(60);
      run.gpu(60, 4000);
    },
    ['gpu-small-batch'],
  ],
  [
    'a GPU that is too hot',
    'complete',
    (run) => {
      run.rows(60);
      run.gpu(97, 40_000, { throttle_reasons: '0x0000000000000040' });
    },
    ['gpu-throttled'],
    'note',
  ],
  [
    'a GPU that nobody watched',
    'complete',
    (run) => {
      run.rows(60);
      run.log('12:00:00 info  loaded model model=x family=llama dtype=bfloat16 device=cuda:0 seconds=1');
    },
    ['gpu-not-watched'],
    'note',
  ],
  [
    'too little memory',
    'stopped',
    (run) => run.failed('oom', 'oom', 'out of memory: tried to allocate 2.00 GiB'),
    ['out-of-memory'],
  ],
  [
    'memory in pieces',
    'stopped',
    (run) =>
      run.failed(
        'oom',
        'oom',
        'CUDA out of memory. Of the allocated memory 40.00 GiB is allocated by PyTorch, and 30.00 GiB is reserved by PyTorch but unallocated.',
      ),
    ['out-of-memory', 'memory-fragmented'],
  ],
  [
    'memory that is nearly full',
    'complete',
    (run) => {
      run.rows(60);
      run.gpu(97, 79_000);
    },
    ['memory-nearly-full'],
    'note',
  ],
  ['a process that was killed', 'stopped', (run) => run.running(9), ['killed-without-save']],
  [
    'a save that came after the grace time',
    'stopped',
    (run) => run.log(`${SAVED} signal_to_durable_seconds=150.2`),
    ['saved-too-late', 'not-asked-to-resume'],
  ],
  [
    'a job that Slurm may not requeue',
    'stopped',
    (run) =>
      slurmDecision(run, 'time-limit', 'the time limit is near; the job was submitted with --no-requeue'),
    ['slurm-no-requeue', 'not-asked-to-resume'],
  ],
  [
    'a job that gave up',
    'stopped',
    (run) => slurmDecision(run, 'crash', 'the same crash twice in a row'),
    ['slurm-gave-up', 'not-asked-to-resume'],
  ],
  [
    'a loss that is no number',
    'complete',
    (run) => run.rows(60, (i) => (i >= 40 ? { loss: 'NaN', grad_norm: 'NaN' } : {})),
    ['loss-not-finite'],
  ],
  [
    'a loss that grows',
    'complete',
    (run) => run.rows(100, (i) => ({ loss: i < 50 ? 2 - i / 50 : 1 + (i - 50) / 10 })),
    ['loss-diverged'],
  ],
  [
    'slow saves',
    'complete',
    (run) => run.log('saved checkpoint step=3 bytes=40000000 seconds=30 gb_per_s=0.0013 blocked_seconds=0.1'),
    ['slow-saves'],
  ],
  [
    'a full disk that ended the run',
    'stopped',
    (run) => run.failed('failed', 'io', 'cannot save x: the disk is full (ENOSPC)'),
    ['disk-full'],
  ],
  [
    'a disk that was full for a while',
    'complete',
    (run) => run.log('12:00:00 warn  cannot save x: the disk is full (ENOSPC); training goes on'),
    ['disk-full'],
    'note',
  ],
  [
    'a lock of a dead process',
    'stopped',
    (run) => fs.writeFileSync(run.in('run.lock'), JSON.stringify(OWNER)),
    ['not-asked-to-resume', 'stale-lock'],
    'note',
  ],
  [
    'two processes in one directory',
    'complete',
    (run) => run.rows(60, (i) => ({ attempt: i === 30 ? 2 : 1 })),
    ['two-owners'],
  ],
  [
    'a second process that was refused',
    'complete',
    (run) => run.log('error: expected x to be free, but process 7 on h has been working on it since then'),
    ['two-owners'],
    'note',
  ],
  [
    'attempts that come to nothing',
    'stopped',
    (run) => {
      const { step } = run.json('status.json');
      for (let i = 0; i < 3; i++) run.log(`12:00:00 info  going on step=${step} of=16 checkpoint=x`);
    },
    ['no-progress', 'not-asked-to-resume'],
  ],
  ['a failure', 'stopped', (run) => run.failed('failed', 'internal', 'x is not a function'), ['failed']],
  [
    'the same failure again and again',
    'stopped',
    (run) => {
      run.failed('failed', 'network', 'cannot reach the hub');
      for (let i = 0; i < 2; i++) run.log('error: cannot reach the hub');
    },
    ['same-failure'],
  ],
  [
    'a torn last line',
    'complete',
    (run) => fs.appendFileSync(run.in('logs/diagnostics.jsonl'), '{"step": 17, "lo'),
    ['torn-file'],
    'note',
  ],
  [
    'a damaged line',
    'complete',
    (run) => {
      const file = run.in('logs/diagnostics.jsonl');
      fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"step":5,', '"st'));
    },
    ['damaged-file'],
  ],
  ['a damaged status', 'complete', (run) => fs.writeFileSync(run.in('status.json'), '{'), ['damaged-file']],
  [
    'damaged metrics',
    'complete',
    (run) => fs.writeFileSync(run.in('logs/metrics.json'), '{"f1": '),
    ['damaged-file'],
  ],
  [
    'a save that was killed',
    'complete',
    (run) => fs.writeFileSync(run.in(FOLDER, '.checkpoint_current.safetensors.7-0.1.tmp'), 'half'),
    ['left-by-killed-save'],
    'note',
  ],
];

const OWNER = {
  ...{ host: os.hostname(), pid: 999_999_999, process_start: null, started_at: '2026-01-01T00:00:00Z' },
  ...{ slurm_job: null, slurm_restarts: 0, token: 'x' },
};

function slurmDecision(run: PlantedRun, cause: string, why: string): void {
  const event = {
    event: 'decision',
    at: '2026-01-01T00:00:00Z',
    job: '7',
    action: 'exit-failed',
    cause,
    why,
  };
  fs.writeFileSync(run.in('logs/slurm.jsonl'), `${JSON.stringify(event)}\n`);
}

describe('the doctor finds', () => {
  const cases = CASES.map(([title, from, plant, causes, healthy]) => ({
    title,
    from,
    plant,
    causes,
    healthy,
  }));
  it.each(cases)('$title', ({ from, plant, causes, healthy }) => {
    const run = copyOf(from);
    plant(run);
    const diagnosis = diagnose(run.directory);
    expect(diagnosis.findings.map(({ cause }) => cause).sort()).toEqual([...causes].sort());
    expect(diagnosis.healthy).toBe(healthy === 'note');
    for (const { evidence, fix, what } of diagnosis.findings) {
      expect(evidence.length).toBeGreaterThan(0);
      expect(`${what}${fix}${JSON.stringify(evidence)}`).not.toMatch(/undefined|NaN %|\[object/);
    }
  });

  it('every cause that it knows', () => {
    const planted = new Set(CASES.flatMap(([, , , causes]) => causes));
    const source = fs.readFileSync(new URL('./finding.ts', import.meta.url), 'utf8');
    const known = [...source.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, cause]) => cause);
    expect(known.filter((cause) => !planted.has(cause as Cause))).toEqual([]);
  });
});
