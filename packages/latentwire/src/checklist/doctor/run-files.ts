/**
 * Everything that a run directory says, read so that nothing in it can stop the reading: what is damaged is part of the
 * answer. Nothing is changed.
 */
import fs from 'node:fs';
import path from 'node:path';
import {
  type DiagnosticsRow,
  type JsonRecord,
  lookAtLock,
  numberOf,
  type RunPaths,
  type RunStatus,
  readMonitorRows,
  readStatus,
  runLocation,
  runPaths,
} from '../../telemetry/index.js';
import { type CheckpointState, findCheckpoint, parseState, type RunIdentity } from '../../training/index.js';

export interface AttemptLog {
  /** Relative to the run directory. */
  readonly file: string;
  readonly lines: readonly string[];
}

export interface CheckpointFiles {
  /** Names in the folder, with their sizes. */
  readonly files: ReadonlyMap<string, number>;
  readonly found?: {
    readonly from: 'current' | 'backup';
    /** Why it is not the current one. */
    readonly problem?: string;
    readonly state: CheckpointState;
    readonly identity: RunIdentity;
    readonly bytes: number;
  };
  /** Why none of them is whole. */
  readonly problem?: string;
}

export interface DamagedFile {
  readonly file: string;
  readonly problem: string;
  /** The next attempt repairs it. */
  readonly harmless: boolean;
}

export interface RunFiles {
  readonly paths: RunPaths;
  readonly config: JsonRecord | undefined;
  readonly environment: JsonRecord | undefined;
  readonly status: RunStatus | undefined;
  /** Every row in file order, also those that later rows replace. */
  readonly allRows: readonly DiagnosticsRow[];
  /** Each step once. */
  readonly steps: readonly DiagnosticsRow[];
  /** Oldest first. */
  readonly logs: readonly AttemptLog[];
  readonly checkpoints: CheckpointFiles;
  readonly lock: ReturnType<typeof lookAtLock>;
  readonly monitor: readonly JsonRecord[];
  /** logs/slurm.jsonl */
  readonly slurm: readonly JsonRecord[];
  readonly freeBytes: number;
  readonly damaged: readonly DamagedFile[];
}

/** @param directory of a run that exists */
export function readRunFiles(directory: string): RunFiles {
  const { root, name } = runLocation(directory);
  const paths = runPaths(root, name);
  const damaged: DamagedFile[] = [];
  const place = (file: string): string => path.relative(paths.directory, file);
  const attempt = <T>(file: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      damaged.push({ file: place(file), problem: (error as Error).message, harmless: false });
      return undefined;
    }
  };
  const json = (file: string): JsonRecord | undefined =>
    fs.existsSync(file)
      ? attempt(file, () => JSON.parse(fs.readFileSync(file, 'utf8')) as JsonRecord)
      : undefined;
  const lines = (file: string): JsonRecord[] => readLines(file, place(file), damaged);

  const allRows = lines(paths.diagnostics).filter(({ step }) => Number.isInteger(step)) as DiagnosticsRow[];
  lines(paths.predictions);
  json(paths.metrics);
  return {
    paths,
    config: json(paths.config),
    environment: json(paths.environment),
    status: attempt(paths.status, () => readStatus(paths.status)),
    allRows,
    steps: eachOnce(allRows),
    logs: readLogs(paths),
    checkpoints: readCheckpoints(paths),
    lock: attempt(paths.lock, () => lookAtLock(paths.lock)),
    monitor: fs.existsSync(paths.logs) ? (attempt(paths.logs, () => readMonitorRows(paths.logs)) ?? []) : [],
    slurm: lines(path.join(paths.logs, 'slurm.jsonl')),
    freeBytes: freeBytes(paths.directory),
    damaged,
  };
}

/** Lines of all attempts, with the log they stand in. */
export function linesWith(logs: readonly AttemptLog[], pattern: RegExp): { file: string; line: string }[] {
  return logs.flatMap(({ file, lines }) =>
    lines.filter((line) => pattern.test(line)).map((line) => ({ file, line: line.trim() })),
  );
}

/** `name=12.5` in a log line. */
export function fieldOf(line: string, name: string): number | undefined {
  const found = new RegExp(`\\b${name}=(-?[\\d.]+(?:e[+-]?\\d+)?)`).exec(line)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** A setting of config.json, as it was recorded. */
export function settingOf({ config }: Pick<RunFiles, 'config'>, group: string, key: string): unknown {
  return (config?.[group] as JsonRecord | undefined)?.[key];
}

function readLines(file: string, place: string, damaged: DamagedFile[]): JsonRecord[] {
  if (!fs.existsSync(file)) return [];
  const all = fs.readFileSync(file, 'utf8').split('\n');
  return all.flatMap((line, i) => {
    if (line === '') return [];
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === 'object' && value !== null) return [value as JsonRecord];
    } catch {
      // Said below.
    }
    const last = i === all.length - 1;
    const problem = last ? `torn last line of ${line.length} bytes` : `line ${i + 1} is no JSON object`;
    damaged.push({ file: place, problem, harmless: last });
    return [];
  });
}

function eachOnce(rows: readonly DiagnosticsRow[]): DiagnosticsRow[] {
  const steps: DiagnosticsRow[] = [];
  for (const row of rows) {
    while (steps.length > 0 && steps.at(-1)!.step >= row.step) steps.pop();
    steps.push(row);
  }
  return steps;
}

function readLogs({ directory, logs }: RunPaths): AttemptLog[] {
  if (!fs.existsSync(logs)) return [];
  return fs
    .readdirSync(logs)
    .filter((name) => /^train_.*\.log$/.test(name))
    .sort()
    .map((name) => ({
      file: path.relative(directory, path.join(logs, name)),
      lines: fs.readFileSync(path.join(logs, name), 'utf8').split(/[\r\n]+/),
    }));
}

function readCheckpoints(paths: RunPaths): CheckpointFiles {
  const names = fs.existsSync(paths.checkpoints) ? fs.readdirSync(paths.checkpoints) : [];
  const files = new Map(names.map((name) => [name, fs.statSync(path.join(paths.checkpoints, name)).size]));
  try {
    const found = findCheckpoint(paths);
    if (found === undefined) return { files };
    using file = found.file;
    const state = parseState(file.metadata, file.path);
    const identity = JSON.parse(file.metadata.identity ?? '{"config":{},"facts":{}}') as RunIdentity;
    const bytes = fs.statSync(file.path).size;
    const { from, problem } = found;
    return { files, found: { from, state, identity, bytes, ...(problem !== undefined && { problem }) } };
  } catch (error) {
    return { files, problem: (error as Error).message };
  }
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = fs.statfsSync(directory);
  return bavail * bsize;
}

/** Seconds that a step took, by its row. */
export function secondsOf(row: DiagnosticsRow): number {
  return numberOf(row.seconds) ?? 0;
}
