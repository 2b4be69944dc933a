/**
 * A run that is stopped, killed, damaged or moved: it goes on to the byte, or says clearly why not. Real trainings on
 * the bundled model, in this process; stopping is asked for through the same poll that signals go through.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as t from '@latentwire/torch';
import { beforeAll, describe, expect, it } from 'vitest';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../src/config/index.js';
import { type Logger, RunLock, readDiagnostics, readStatus, silentLogger } from '../src/telemetry/index.js';
import { decodeRecords } from '../src/telemetry/tensorboard/index.js';
import {
  compareRuns,
  type StoppedReport,
  type TrainReport,
  train,
  verifyRun,
} from '../src/training/index.js';
import { temporaryFolder } from './support/temporary-folder.js';

const within = temporaryFolder();
const model = fileURLToPath(new URL('../assets/tiny-llama', import.meta.url));
const STEPS = 6;

type Changes = { readonly [G in keyof RunConfigInput]?: object };

function settings(name: string, changes: Changes = {}): RunConfig {
  const base: Record<string, object> = {
    model: { ids: [model] },
    encoder: { id: model },
    data: { dataset: 'facts', samples: 16, token_cache_mb: 0 },
    wire: { latent_len: 2, d_z: 8 },
    adapter: { hidden: 8 },
    objective: { pretrain_share: 0.3, teacher_cache: within('teacher') },
    training: { batch_size: 2, grad_accum: 2, max_steps: STEPS, epochs: 4 },
    evaluation: { eval_samples: 4, eval_batch_size: 2, max_new_tokens: 3, eval_modes: ['latent'] },
    checkpoint: { interval: 0.001, auto_resume: true, digest_every: 2 },
    system: { device: 'cpu' },
    run: { save_dir: within(name) },
  };
  for (const [group, values] of Object.entries(changes)) base[group] = { ...base[group], ...values };
  return runConfigSchema.parse(base);
}

interface Options {
  /** Asks to stop when the stop notice is polled for this time. */
  readonly stopAtPoll?: number;
  readonly saveFault?: () => t.SaveFault | undefined;
  readonly warnings?: string[];
}

async function attempt(config: RunConfig, options: Options = {}): Promise<TrainReport | StoppedReport> {
  let polls = 0;
  const logger: Logger = { ...silentLogger, warn: (message) => void options.warnings?.push(message) };
  return train(config, {
    logger,
    stopNotice: () =>
      ++polls >= (options.stopAtPoll ?? Number.POSITIVE_INFINITY)
        ? { name: 'SIGTERM', monotonicMs: performance.now() }
        : undefined,
    ...(options.saveFault && { saveFault: options.saveFault }),
  });
}

/** Another copy of the run, on a node whose processes cannot be seen from here. */
const OTHER_OWNER = {
  ...{ host: 'n2', pid: 7, process_start: null, started_at: '2026-01-05T10:00:00.000Z' },
  ...{ slurm_job: '77', slurm_restarts: 1 },
};

const checkpoint = (name: string): string =>
  within(name, 'preempt_checkpoint', 'checkpoint_current.safetensors');

const readLoss = (name: string, step: number): number =>
  readDiagnostics(within(name, 'logs', 'diagnostics.jsonl')).find((row) => row.step === step)!.loss!;

async function message(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => 'it went on',
    (error: Error) => error.message,
  );
}

beforeAll(async () => {
  expect((await attempt(settings('twin'))).state).toBe('completed');
}, 60_000);

describe('an interrupted run', () => {
  it('equals one that was left alone, wherever it was stopped and however often', async () => {
    // One second of grace is too short for a step and a save: its gradients are dropped and computed again.
    const config = (attempts: number) =>
      settings('stopped', { checkpoint: { grace: attempts % 2 ? 120 : 1 } });
    let report: TrainReport | StoppedReport | undefined;
    let stops = 0;
    // Each attempt is stopped a little later: while loading, reading the teacher, in micro-batches, in evaluation.
    for (let poll = 1; report?.state !== 'completed'; poll += 3) {
      report = await attempt(config(stops), { stopAtPoll: poll });
      if (report.state === 'completed') break;
      stops++;
      expect(report).toMatchObject({ state: 'preempted', signal: 'SIGTERM' });
      expect(readStatus(within('stopped', 'status.json'))).toMatchObject({
        state: 'preempted',
        step: report.steps,
      });
      expect(fs.existsSync(within('stopped', 'run.lock'))).toBe(false);
    }
    expect(stops).toBeGreaterThan(4);
    expect(compareRuns(within('twin'), within('stopped'))).toMatchObject({ ok: true });
    expect(verifyRun(within('stopped'))).toMatchObject({ ok: true });
  }, 120_000);

  it('has each step once for readers of diagnostics and of TensorBoard', () => {
    const steps = Array.from({ length: STEPS }, (_, i) => i + 1);
    const rows = readDiagnostics(within('stopped', 'logs', 'diagnostics.jsonl'));
    expect(rows.map(({ step }) => step)).toEqual(steps);
    const folder = within('stopped', 'logs', 'tensorboard');
    const points = fs
      .readdirSync(folder)
      .flatMap((file) => decodeRecords(fs.readFileSync(path.join(folder, file))))
      .filter(({ data }) => data.includes('loss'));
    expect(points).toHaveLength(STEPS);
  });

  it('is not trained again when it is complete', async () => {
    const before = fs.readFileSync(checkpoint('twin'));
    const report = await attempt(settings('twin'));
    expect(report).toMatchObject({ state: 'completed', steps: STEPS });
    expect(fs.readFileSync(checkpoint('twin')).equals(before)).toBe(true);
  });

  it('goes on in another directory from a named checkpoint', async () => {
    await attempt(settings('origin'), { stopAtPoll: 25 });
    const report = await attempt(settings('moved', { checkpoint: { resume_from: within('origin') } }));
    expect(report.state).toBe('completed');
    const [, tensors, predictions] = compareRuns(within('twin'), within('moved')).checks;
    expect([tensors?.ok, predictions?.ok]).toEqual([true, true]);
  }, 60_000);
});

describe('a run that starts from the weights of another', () => {
  const started = (name: string, changes: Changes = {}) =>
    settings(name, { ...changes, run: { save_dir: within(name), init_from: within('twin') } });

  it('scores as that one does before it learns anything, and then goes its own way', async () => {
    const still = await attempt(started('still', { optimizer: { lr: 1e-9, encoder_lr: 1e-9 } }));
    const twin = readLoss('twin', STEPS);
    // The last step of the other run saw weights that were one step younger.
    expect(still.state).toBe('completed');
    expect(Math.abs(readLoss('still', STEPS) - twin)).toBeLessThan(0.05);
    const first = readLoss('twin', 1);
    expect(readLoss('still', 1)).not.toBe(first);
    expect(compareRuns(within('twin'), within('still')).ok).toBe(false);
  }, 60_000);

  it('resumes to the byte, without reading those weights into it again', async () => {
    await attempt(started('whole-start'));
    expect((await attempt(started('cut-start'), { stopAtPoll: 25 })).state).toBe('preempted');
    expect((await attempt(started('cut-start'))).state).toBe('completed');
    expect(compareRuns(within('whole-start'), within('cut-start'))).toMatchObject({ ok: true });
  }, 60_000);

  it('is refused when the file has become another one', async () => {
    const file = within('start.safetensors');
    fs.copyFileSync(checkpoint('twin'), file);
    const config = settings('changed-start', { run: { save_dir: within('changed-start'), init_from: file } });
    expect((await attempt(config, { stopAtPoll: 25 })).state).toBe('preempted');
    fs.copyFileSync(checkpoint('whole-start'), file);
    expect(await message(attempt(config))).toContain('starting weights was');
  }, 60_000);

  it('names what does not fit', async () => {
    const other = started('unfit', { wire: { d_z: 9 } });
    expect(await message(attempt(other))).toMatch(/weights of the checkpoint do not fit.*expected shape/);
  });
});

describe('a failing disk', () => {
  it('does not end the run, is warned of, and costs no step', async () => {
    const warnings: string[] = [];
    let saves = 0;
    const report = await attempt(settings('full'), {
      warnings,
      saveFault: () => (++saves <= 1 ? { at: 2, kind: 'short-error', code: 'ENOSPC' } : undefined),
    });
    expect(report.state).toBe('completed');
    expect(warnings.join()).toContain('the disk is full (ENOSPC)');
    expect(warnings.join()).toContain('training goes on');
    expect(compareRuns(within('twin'), within('full')).ok).toBe(true);
  }, 60_000);

  it('ends in a named state without losing the last good checkpoint', async () => {
    // Within the steps, whatever number of saves is polled for as well.
    await attempt(settings('broken'), { stopAtPoll: 16 });
    const good = fs.readFileSync(checkpoint('broken'));
    const failing = attempt(settings('broken'), { saveFault: () => ({ at: 1, kind: 'error', code: 'EIO' }) });
    expect(await message(failing)).toContain('the disk reports an error (EIO)');
    expect(readStatus(within('broken', 'status.json'))).toMatchObject({
      state: 'failed',
      error: { code: 'io' },
    });
    expect(fs.readFileSync(checkpoint('broken')).equals(good)).toBe(true);
    expect((await attempt(settings('broken'))).state).toBe('completed');
    expect(compareRuns(within('twin'), within('broken')).ok).toBe(true);
  }, 60_000);
});

describe('a run that does not fit its checkpoint', () => {
  beforeAll(async () => {
    expect(await attempt(settings('base'), { stopAtPoll: 25 })).toMatchObject({ state: 'preempted' });
  }, 60_000);

  const other = (changes: Changes, name = 'base') => attempt(settings(name, changes));

  it('names the setting that changed', async () => {
    expect(await message(other({ optimizer: { lr: 0.5 } }))).toContain('optimizer.lr was 0.001, is now 0.5');
  });

  it('refuses the checkpoint of another run, naming the difference, unless drift is allowed', async () => {
    const from = { checkpoint: { resume_from: within('base') }, training: { max_steps: STEPS - 1 } };
    expect(await message(other(from, 'foreign'))).toMatch(
      /belongs to something else:\n {2}training.max_steps was 6/,
    );
    const drift = { ...from, checkpoint: { ...from.checkpoint, allow_drift: true } };
    expect((await other(drift, 'foreign-allowed')).state).toBe('completed');
  }, 60_000);

  it('refuses another model, though its folder has the same name', async () => {
    const folder = within('models', 'tiny-llama');
    fs.cpSync(model, folder, { recursive: true });
    const named = { model: { ids: [folder] }, encoder: { id: folder } };
    await attempt(settings('own-model', named), { stopAtPoll: 25 });
    const weights = path.join(folder, 'model.safetensors');
    const bytes = fs.readFileSync(weights);
    bytes[bytes.length - 100] = bytes[bytes.length - 100]! ^ 1;
    fs.writeFileSync(weights, bytes);
    expect(await message(other(named, 'own-model'))).toMatch(
      /weights of model 0 \(tiny-llama\) was \w+, is now/,
    );
  }, 60_000);

  it('refuses a dataset file that changed by one byte', async () => {
    const example = (i: number) => ({
      title: 't',
      paragraphs: [
        {
          context: `Person ${i} lives in Rome.`,
          qas: [{ id: `${i}`, question: 'Where?', answers: [{ text: 'Rome', answer_start: 0 }] }],
        },
      ],
    });
    const file = within('squad.json');
    const data = { version: '1.1', data: Array.from({ length: 16 }, (_, i) => example(i)) };
    fs.writeFileSync(file, JSON.stringify(data).replace('"answer_start":0', '"answer_start":0 '));
    const named = { data: { dataset: 'squad', train_file: file, dev_file: file, samples: 16 } };
    const report = await attempt(settings('file', named), { stopAtPoll: 25 });
    expect(report.state).toBe('preempted');
    fs.writeFileSync(file, JSON.stringify(data));
    expect(await message(other(named, 'file'))).toMatch(/data \(train\) was \w{16}, is now \w{16}/);
  }, 60_000);

  it('refuses a second process on one run directory, naming the first', async () => {
    const lock = RunLock.acquire(within('base', 'run.lock'), {});
    const text = await message(other({}));
    expect(text).toContain(`process ${process.pid} on `);
    lock.release();
  });

  it.each(['at work', 'done'])(
    'writes nothing more once another process took it over and is %s',
    async (other) => {
      const name = `taken-${other.replace(' ', '-')}`;
      const files = ['status.json', 'run.lock', 'preempt_checkpoint/checkpoint_current.safetensors'];
      const theirs = JSON.stringify({ ...OTHER_OWNER, token: 'theirs' });
      let saves = 0;
      const text = await message(
        attempt(settings(name), {
          saveFault: () => {
            // What the other copy of the job, started after the loss of this one's node, has done meanwhile.
            if (++saves === 2) {
              const lock = within(name, 'run.lock');
              fs.rmSync(lock);
              if (other === 'at work') fs.writeFileSync(lock, theirs);
              fs.writeFileSync(within(name, 'status.json'), '{"theirs": true}');
            }
            return undefined;
          },
        }),
      );
      expect(text).toContain("to be still this process's run");
      expect(saves).toBe(2);
      const [status, lock, saved] = files.map((file) => within(name, file));
      expect(fs.readFileSync(status!, 'utf8')).toBe('{"theirs": true}');
      expect(fs.existsSync(lock!) ? fs.readFileSync(lock!, 'utf8') : null).toBe(
        other === 'at work' ? theirs : null,
      );
      expect(fs.existsSync(saved!)).toBe(true);
    },
  );

  it('refuses to overwrite a checkpoint without being told to', async () => {
    const text = await message(other({ checkpoint: { auto_resume: false } }));
    expect(text).toMatch(/expected a new run, but .*base has a checkpoint of step \d/);
  });

  it.each([
    ['truncated', (file: string) => fs.truncateSync(file, 5000)],
    ['empty', (file: string) => fs.truncateSync(file, 0)],
    [
      'flipped',
      (file: string) => {
        const bytes = fs.readFileSync(file);
        bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 4;
        fs.writeFileSync(file, bytes);
      },
    ],
    [
      'a folder',
      (file: string) => {
        fs.rmSync(file);
        fs.mkdirSync(file);
      },
    ],
  ])(
    'refuses a checkpoint that is %s, and takes the backup when there is one',
    async (kind, damage) => {
      const name = `damaged-${kind.replace(' ', '-')}`;
      fs.cpSync(within('base'), within(name), { recursive: true });
      const good = fs.readFileSync(checkpoint(name));
      damage(checkpoint(name));
      expect(await message(other({}, name))).toContain('expected a whole checkpoint, got');
      fs.writeFileSync(checkpoint(name).replace('current', 'backup'), good);
      if (kind === 'a folder') return;
      const warnings: string[] = [];
      const report = await attempt(settings(name), { warnings });
      expect(report.state).toBe('completed');
      expect(warnings.join()).toContain('went back to the backup');
      expect(compareRuns(within('twin'), within(name)).ok).toBe(true);
    },
    60_000,
  );
});
