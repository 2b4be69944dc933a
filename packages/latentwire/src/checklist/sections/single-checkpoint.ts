/** §2: the folder of checkpoints is watched while saves run, killed in the middle of one, filled up and damaged. */
import fs from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import {
  compareRuns,
  type DrillResult,
  endingOf,
  type Check as FileCheck,
  findCheckpoint,
  runDrill,
  verifyRun,
} from '../../training/index.js';
import type { Bench } from '../bench.js';
import { experiment, type Section, verdict } from '../experiment.js';
import { allOf, figure } from './preemption.js';

/** What a wire for an 8B reader trains, with its moments: weights of 0.2 GB. */
const LARGE_STATE_BYTES = 0.6e9;
const GRACE_SECONDS = 120;

export interface WatchEvidence {
  readonly looks: number;
  readonly saves: number;
  /** Least and most checkpoint files (temporary ones are counted) seen at once after the first was there. */
  readonly least: number;
  readonly most: number;
  readonly most_bytes: number;
  /** Names in the folder at rest, besides the readable copy. */
  readonly at_rest: readonly string[];
  readonly announced_bytes: number | null;
  readonly free_bytes: number | null;
  readonly file_bytes: number;
  readonly weights: number;
  readonly optimizer: number;
  readonly trainable_parameters: number;
}

async function watchSaves(bench: Bench): Promise<WatchEvidence> {
  const { checkpoints } = bench.paths('run');
  let looks = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  let mostBytes = 0;
  let began = false;
  const result = await bench.attempt('run', {
    args: ['--checkpoint-interval', '0.01'],
    lookMs: 1,
    onLook: () => {
      const files = filesIn(checkpoints);
      const whole = files.filter((name) => name.endsWith('.safetensors'));
      began ||= whole.length > 0;
      if (!began) return;
      looks++;
      least = Math.min(least, whole.length);
      most = Math.max(most, files.length);
      mostBytes = Math.max(mostBytes, bytesOf(checkpoints, files));
    },
  });
  if (result.code !== 0) throw new Error(endingOf(result));
  const found = findCheckpoint(bench.paths('run'));
  if (found === undefined) throw new Error(`no checkpoint in ${checkpoints} after a training`);
  using file = found.file;
  const numbers = (names: readonly string[]): number =>
    t.scope(() => names.reduce((sum, name) => sum + file.load(name).numel, 0));
  const metrics = JSON.parse(fs.readFileSync(bench.paths('run').metrics, 'utf8')) as {
    trainable_parameters: number;
  };
  const optimizer = file.names.filter((name) => name.startsWith('optimizer.'));
  return {
    ...{ looks, least, most, most_bytes: mostBytes, at_rest: filesIn(checkpoints) },
    saves: result.lines.filter((line) => line.includes('saved checkpoint')).length,
    announced_bytes: figure(result.stderr, /checkpoint budget bytes=(\d+)/),
    free_bytes: figure(result.stderr, /checkpoint budget .*free=(\d+)/),
    file_bytes: fs.statSync(file.path).size,
    weights: numbers(file.names.filter((name) => !name.startsWith('optimizer.'))),
    optimizer: numbers(optimizer),
    trainable_parameters: metrics.trainable_parameters,
  };
}

export interface KilledSaveEvidence {
  readonly ending: string;
  /** Files of the folder right after kill -9. */
  readonly after_kill: readonly string[];
  readonly checkpoint: FileCheck;
  readonly resumed: string;
  readonly after_resume: readonly string[];
  /** Files of somebody else that were laid there before. */
  readonly foreign: readonly string[];
  readonly foreign_left: readonly string[];
  readonly equal: readonly FileCheck[];
}

async function killInSave(bench: Bench): Promise<KilledSaveEvidence> {
  const twin = await bench.twin();
  const { checkpoints, logs, directory } = bench.paths('run');
  const foreign = [
    path.join(checkpoints, 'notes.txt'),
    path.join(logs, 'mine.log'),
    path.join(directory, 'lora.bin'),
  ];
  for (const file of foreign) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, 'not ours\n');
  }
  const killed = await bench.attempt('run', {
    args: ['--checkpoint-interval', '0.01'],
    lookMs: 1,
    hit: {
      signal: 'SIGKILL',
      when: (steps) => {
        const files = filesIn(checkpoints);
        const current = files.includes('checkpoint_current.safetensors');
        const inside = files.some((name) => !name.endsWith('.safetensors') && name !== 'notes.txt');
        return current && (inside || steps > 15);
      },
    },
  });
  const afterKill = filesIn(checkpoints);
  const checkpoint = verifyRun(directory).checks.find(({ name }) => name === 'checkpoint')!;
  const resumed = await bench.attempt('run');
  return {
    ...{ ending: endingOf(killed), after_kill: afterKill, checkpoint, resumed: endingOf(resumed) },
    after_resume: filesIn(checkpoints),
    foreign: foreign.map((file) => path.relative(directory, file)),
    foreign_left: foreign.filter((file) => fs.existsSync(file)).map((file) => path.relative(directory, file)),
    equal: compareRuns(twin, directory).checks,
  };
}

function drill(name: 'corrupt' | 'disk-full') {
  return async (bench: Bench): Promise<DrillResult> => {
    const { program, device, stop } = bench.settings;
    const small = [
      '--model',
      'bundled:tiny-llama',
      '--encoder-id',
      'bundled:tiny-llama',
      '--dataset',
      'facts',
    ];
    const short = [
      '--samples',
      '64',
      '--latent-len',
      '4',
      '--d-z',
      '16',
      '--batch-size',
      '4',
      '--max-steps',
      '12',
    ];
    const score = ['--eval-samples', '4', '--max-new-tokens', '4', '--eval-modes', 'latent'];
    const settings = [...small, ...short, ...score, '--deterministic', '--device', device];
    return runDrill(name, {
      ...{ command: [...program, 'train', ...settings], folder: bench.folder, hits: 1 },
      ...(stop && { stop }),
    });
  };
}

const judgeDrill = ({ checks }: DrillResult) => {
  const wrong = checks.find(({ ok }) => !ok);
  const heart = checks.filter(({ name }) => !name.startsWith('equal') && !name.startsWith('continuous'));
  return wrong === undefined
    ? verdict(checks.length > 3, `${heart.map(({ name }) => name).join('; ')}; equal to the byte`)
    : verdict(false, `${wrong.name}: ${wrong.found}`);
};

export interface SpeedEvidence {
  readonly bytes: number;
  readonly save_seconds: number;
  readonly load_seconds: number;
}

/** Save with fsync and read-back, load with its digest; the medians of three. */
async function speed(bench: Bench): Promise<SpeedEvidence> {
  const file = bench.in('speed.safetensors');
  const tensors = t.scope(
    () => new Map(Array.from({ length: 8 }, (_, i) => [`w${i}`, t.keep(t.randn([1 << 21]))])),
  );
  const saves: number[] = [];
  const loads: number[] = [];
  let bytes = 0;
  try {
    for (let round = 0; round < 3; round++) {
      const save = t.SafetensorsSave.start(file, tensors, { backup: `${file}.backup` });
      const result = save.wait();
      saves.push(result.seconds);
      bytes = result.bytes;
      const began = performance.now();
      using opened = t.openSafetensors(file);
      opened.verifyDigest();
      loads.push((performance.now() - began) / 1000);
    }
  } finally {
    for (const tensor of tensors.values()) tensor.dispose();
    fs.rmSync(file, { force: true });
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[1]!;
  return { bytes, save_seconds: median(saves), load_seconds: median(loads) };
}

export const singleCheckpoint: Section = {
  number: 2,
  component: 'Single Checkpoint',
  command: 'ls RUN/preempt_checkpoint/*.safetensors | wc -l',
  headline: '2.1',
  experiments: [
    experiment<WatchEvidence>({
      name: 'watched-saves',
      collect: watchSaves,
      checks: [
        {
          id: '2.1',
          says: 'Only ONE checkpoint kept at any time: never none after the first, ≤ 2 during a save, 1 after',
          claims: [7],
          judge: (e) => {
            const one = e.at_rest.length === 1 && e.at_rest[0] === 'checkpoint_current.safetensors';
            return verdict(
              e.least >= 1 && e.most <= 2 && one && e.saves >= 3,
              `${e.looks} looks over ${e.saves} saves: ${e.least} to ${e.most} files; at rest ${e.at_rest.join(', ')}`,
            );
          },
        },
        {
          id: '2.2',
          says: 'Space: the exact size is known before training and compared with what is free',
          claims: [9],
          judge: (e) => {
            const error = Math.abs(e.file_bytes / (e.announced_bytes ?? Number.NaN) - 1);
            return verdict(
              error < 0.001 && e.free_bytes !== null && e.most_bytes <= 2.002 * e.file_bytes,
              `announced ${megabytes(e.announced_bytes)}, written ${megabytes(e.file_bytes)}, at most ${megabytes(e.most_bytes)} on disk during a save, ${megabytes(e.free_bytes)} free`,
            );
          },
        },
        {
          id: '2.3',
          says: 'Only what trains is saved (weights and two moments), no frozen weights',
          claims: [9, 32],
          judge: (e) => {
            // Two moments of each weight, and a step count for each tensor.
            const moments = e.optimizer / e.weights;
            return verdict(
              e.weights === e.trainable_parameters && moments >= 2 && moments < 2.01,
              `${e.weights} weights saved of ${e.trainable_parameters} that train; optimiser ${moments.toFixed(3)} times that`,
            );
          },
        },
      ],
    }),
    experiment<KilledSaveEvidence>({
      name: 'killed-save',
      collect: killInSave,
      checks: [
        {
          id: '2.4',
          says: 'Atomic writes: kill -9 in the middle of a save leaves a whole checkpoint',
          claims: [7],
          judge: (e) =>
            verdict(
              e.checkpoint.ok && e.ending.startsWith('SIGKILL'),
              `${e.ending}; left ${e.after_kill.join(', ')}; ${e.checkpoint.found}`,
            ),
        },
        {
          id: '2.5',
          says: 'Automatic cleanup: leftovers of the killed save go, files of others stay',
          claims: [7],
          judge: (e) => {
            const rest = e.after_resume.filter((name) => name !== 'notes.txt');
            const clean = rest.length === 1 && rest[0] === 'checkpoint_current.safetensors';
            const kept = e.foreign_left.length === e.foreign.length;
            const equal = allOf(e.equal);
            return verdict(
              clean && kept && equal.status === 'pass',
              `${e.resumed}; left ${rest.join(', ')}; ${e.foreign_left.length} of ${e.foreign.length} foreign files kept; ${equal.status === 'pass' ? 'equal to the byte' : equal.found}`,
            );
          },
        },
      ],
    }),
    experiment<DrillResult>({
      name: 'corrupt',
      collect: drill('corrupt'),
      checks: [
        {
          id: '2.6',
          says: 'Backup protection: one flipped bit is refused, the backup is used',
          claims: [7],
          judge: judgeDrill,
        },
      ],
    }),
    experiment<DrillResult>({
      name: 'disk-full',
      collect: drill('disk-full'),
      checks: [
        {
          id: '2.7',
          says: 'A full disk costs no training and no checkpoint',
          claims: [7],
          judge: judgeDrill,
        },
      ],
    }),
    experiment<SpeedEvidence>({
      name: 'speed',
      collect: speed,
      checks: [
        {
          id: '2.8',
          says: 'Fast save/load: 0.6 GB (a wire for an 8B reader with its moments) within the grace time',
          claims: [8],
          judge: ({ bytes, save_seconds: save, load_seconds: load }) => {
            const needed = (LARGE_STATE_BYTES / bytes) * save;
            return verdict(
              needed < GRACE_SECONDS,
              `${(bytes / save / 1e6).toFixed(0)} MB/s saved (fsync, read back), ${(bytes / load / 1e6).toFixed(0)} MB/s loaded (digest): 0.6 GB in ${needed.toFixed(1)} s`,
            );
          },
        },
      ],
    }),
  ],
};

/** Files of a checkpoint folder, temporary ones too, without the readable copy; none while there is no folder. */
function filesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder).filter((name) => !name.endsWith('.json') && !name.includes('.json.'));
  } catch {
    return [];
  }
}

function bytesOf(folder: string, files: readonly string[]): number {
  let bytes = 0;
  for (const name of files) {
    try {
      bytes += fs.statSync(path.join(folder, name)).size;
    } catch {
      // Renamed since the look.
    }
  }
  return bytes;
}

function megabytes(bytes: number | null): string {
  return bytes === null ? '–' : `${(bytes / 1e6).toFixed(bytes > 1e9 ? 0 : 2)} MB`;
}
