/** §3: what a run leaves behind. Is the tree there, is every byte that was printed in it, also of a run that failed or was killed? */
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { runConfigSchema } from '../../config/index.js';
import {
  readDiagnostics,
  readMetrics,
  readMonitorRows,
  readPredictionRows,
  readStatus,
} from '../../telemetry/index.js';
import { endingOf } from '../../training/index.js';
import type { Bench } from '../bench.js';
import { experiment, notApplicable, type Section, verdict } from '../experiment.js';

/** Written to descriptors 1 and 2 past Node's streams, as native libraries write. */
const NATIVE = { 1: 'past the streams to stdout: ünïcödé ✓', 2: 'past the streams to stderr' } as const;

/** Loaded into the training: waits until it has a log, writes with write(2), and is gone. */
const INTRUDER = `
import fs from 'node:fs';
import { isMainThread } from 'node:worker_threads';
const log = process.env.CHECKLIST_LOG;
const timer = isMainThread && setInterval(() => {
  if (!fs.existsSync(log)) return;
  clearInterval(timer);
  fs.writeSync(1, ${JSON.stringify(`${NATIVE[1]}\n`)});
  fs.writeSync(2, ${JSON.stringify(`${NATIVE[2]}\n`)});
}, 1);
if (timer) timer.unref();
`;

export interface TreeEvidence {
  readonly on_gpu: boolean;
  /** Path in the run directory → what it is, or what is wrong with it. */
  readonly files: readonly { readonly path: string; readonly ok: boolean; readonly found: string }[];
  readonly printed_lines: number;
  /** Lines that came out of the process and are not in the log. */
  readonly missing_lines: readonly string[];
  readonly native_in_log: readonly string[];
  readonly native_came_out: readonly string[];
  readonly progress: readonly string[];
  readonly monitor: {
    readonly files: readonly string[];
    readonly rows: number;
    readonly fields: readonly string[];
  };
}

async function logEverything(bench: Bench): Promise<TreeEvidence> {
  const intruder = bench.in('intruder.mjs');
  fs.writeFileSync(intruder, INTRUDER);
  const paths = bench.paths('run');
  const options = [process.env.NODE_OPTIONS, `--import=${pathToFileURL(intruder).href}`];
  const result = await bench.trained('run', [], {
    NODE_OPTIONS: options.filter((text) => text !== undefined).join(' '),
    CHECKLIST_LOG: path.join(paths.logs, 'latest.log'),
  });
  const log = fs.readFileSync(path.join(paths.logs, 'latest.log'), 'utf8');
  const names = fs.readdirSync(paths.logs);
  const monitors = names.filter((name) => name.startsWith('gpu_monitor_'));
  const rows = monitors.length === 0 ? [] : readMonitorRows(paths.logs);
  const native = Object.values(NATIVE);
  return {
    on_gpu: bench.hasGpu,
    files: treeOf(bench),
    printed_lines: result.lines.length,
    missing_lines: linesMissing(result.stderr, log),
    native_in_log: native.filter((line) => log.includes(line)),
    native_came_out: native.filter((line) => `${result.stdout}${result.stderr}`.includes(line)),
    progress: result.lines.filter((line) => /^step \d+\/\d+ \d+%/.test(line)),
    monitor: {
      files: monitors,
      rows: rows.length,
      fields: [...new Set(rows.flatMap((row) => Object.keys(row)))],
    },
  };
}

/** Every file of the log structure, opened by what reads it. */
function treeOf(bench: Bench): TreeEvidence['files'] {
  const paths = bench.paths('run');
  const files: { path: string; ok: boolean; found: string }[] = [];
  const look = (file: string, read: () => string): void => {
    const place = path.relative(paths.directory, file);
    try {
      files.push({ path: place, ok: true, found: read() });
    } catch (error) {
      files.push({ path: place, ok: false, found: error instanceof Error ? error.message : String(error) });
    }
  };
  const parse = (file: string): unknown => JSON.parse(fs.readFileSync(file, 'utf8'));
  const [log] = fs.readdirSync(paths.logs).filter((name) => /^train_\d{8}_\d{6}\.log$/.test(name));
  look(
    path.join(paths.logs, log ?? 'train_YYYYMMDD_HHMMSS.log'),
    () => `${bytes(path.join(paths.logs, log ?? ''))} B`,
  );
  look(
    paths.config,
    () => `${Object.keys(runConfigSchema.parse(parse(paths.config))).length} groups of settings`,
  );
  look(paths.environment, () => `${Object.keys(parse(paths.environment) as object).length} entries`);
  look(paths.status, () => readStatus(paths.status)!.state);
  look(paths.metrics, () => `F1 of ${Object.keys(readMetrics(paths.metrics)!.latent!).join(', ')}`);
  look(paths.diagnostics, () => `${readDiagnostics(paths.diagnostics).length} steps`);
  look(paths.predictions, () => `${readPredictionRows(paths.predictions).length} answers`);
  look(path.join(paths.checkpoints, 'checkpoint_current.safetensors'), () => {
    return `${bytes(path.join(paths.checkpoints, 'checkpoint_current.safetensors'))} B`;
  });
  look(path.join(paths.checkpoints, 'checkpoint_current.json'), () => {
    const { state } = parse(path.join(paths.checkpoints, 'checkpoint_current.json')) as {
      state: { step: number };
    };
    return `step ${state.step}`;
  });
  look(path.join(paths.figures, '*.png'), () => {
    const figures = fs.readdirSync(paths.figures).filter((name) => name.endsWith('.png'));
    const whole = figures.filter((name) => isPng(path.join(paths.figures, name)));
    if (whole.length === 0 || whole.length < figures.length) throw new Error(`${whole.length} whole figures`);
    return whole.join(', ');
  });
  look(
    path.join(paths.logs, 'tensorboard'),
    () => `${fs.readdirSync(path.join(paths.logs, 'tensorboard')).length} files`,
  );
  return files;
}

export interface EndsEvidence {
  readonly killed: {
    readonly ending: string;
    readonly printed_lines: number;
    readonly missing_lines: readonly string[];
  };
  readonly failed: {
    readonly code: number | null;
    readonly ending: string;
    readonly state: string | undefined;
    readonly error: string | null;
  };
}

/** A run that is killed keeps its last line; one that fails keeps its exit code. */
async function badEnds(bench: Bench): Promise<EndsEvidence> {
  const killed = await bench.attempt('killed', { hit: { signal: 'SIGKILL', when: (steps) => steps >= 5 } });
  const log = fs.readFileSync(path.join(bench.paths('killed').logs, 'latest.log'), 'utf8');
  const whole = killed.stderr.slice(0, killed.stderr.lastIndexOf('\n') + 1);
  const failed = await bench.attempt('failed', {
    args: ['--max-steps', '4'],
    env: { LATENTWIRE_SAVE_FAULT: 'EIO:1-99' },
  });
  const status = readStatus(bench.paths('failed').status);
  return {
    killed: {
      ending: endingOf(killed),
      printed_lines: killed.lines.length,
      missing_lines: linesMissing(whole, log),
    },
    failed: {
      ...{ code: failed.code, ending: endingOf(failed), state: status?.state },
      error: status?.state === 'failed' ? status.error.code : null,
    },
  };
}

export const logging: Section = {
  number: 3,
  component: 'Logging Capture',
  command: 'cat RUN/logs/latest.log',
  headline: '3.1',
  experiments: [
    experiment<TreeEvidence>({
      name: 'log-tree',
      collect: logEverything,
      checks: [
        {
          id: '3.1',
          says: 'All stdout/stderr captured, of native code too',
          claims: [10],
          judge: (e) =>
            verdict(
              e.missing_lines.length === 0 && e.native_in_log.length === 2 && e.native_came_out.length === 2,
              e.missing_lines.length > 0
                ? `not in the log: ${e.missing_lines[0]}`
                : `${e.printed_lines} printed lines, all in the log; ${e.native_in_log.length} of 2 lines past Node's streams in it, ${e.native_came_out.length} came out as well`,
            ),
        },
        {
          id: '3.2',
          says: 'Log structure: time-stamped log, metrics.json, diagnostics, checkpoint, figures, each read by its reader',
          claims: [11],
          judge: ({ files }) => {
            const wrong = files.find(({ ok }) => !ok);
            return verdict(
              wrong === undefined && files.length >= 11,
              wrong === undefined
                ? files.map((file) => `${file.path} (${file.found})`).join(', ')
                : `${wrong.path}: ${wrong.found}`,
            );
          },
        },
        {
          id: '3.3',
          says: 'Progress indicators',
          claims: [11],
          judge: ({ progress }) => verdict(progress.length > 0, progress.at(-1) ?? 'no progress line'),
        },
        {
          id: '3.4',
          says: 'GPU utilisation tracked in gpu_monitor_*.jsonl',
          claims: [11, 16],
          judge: ({ on_gpu, monitor }) =>
            on_gpu
              ? verdict(
                  monitor.rows > 0 && monitor.fields.includes('gpu_utilization'),
                  `${monitor.rows} rows in ${monitor.files.join(', ') || 'no file'}: ${monitor.fields.join(', ')}`,
                )
              : notApplicable('no GPU here'),
        },
      ],
    }),
    experiment<EndsEvidence>({
      name: 'bad-ends',
      collect: badEnds,
      checks: [
        {
          id: '3.5',
          says: 'The last line survives kill -9',
          claims: [10],
          judge: ({ killed }) =>
            verdict(
              killed.missing_lines.length === 0 && killed.ending.startsWith('SIGKILL'),
              killed.missing_lines.length > 0
                ? `not in the log: ${killed.missing_lines[0]}`
                : `${killed.ending}: ${killed.printed_lines} printed lines, all in the log`,
            ),
        },
        {
          id: '3.6',
          says: 'The exit code of a failure survives the log (a pipe to tee hides it)',
          claims: [10],
          judge: ({ failed }) =>
            verdict(
              failed.code === 1 && failed.state === 'failed',
              `disk with I/O errors: ${failed.ending.slice(0, 120)}; status.json says ${failed.state} (${failed.error})`,
            ),
        },
      ],
    }),
  ],
};

/** Whole lines of an output that a log does not hold, in this order. */
function linesMissing(output: string, log: string): string[] {
  const missing: string[] = [];
  let from = 0;
  for (const line of output.split(/[\r\n]+/)) {
    if (line === '') continue;
    const at = log.indexOf(line, from);
    if (at < 0) missing.push(line);
    else from = at;
  }
  return missing;
}

function bytes(file: string): number {
  return fs.statSync(file).size;
}

function isPng(file: string): boolean {
  return fs.readFileSync(file).subarray(0, 8).toString('latin1') === '\x89PNG\r\n\x1a\n';
}
