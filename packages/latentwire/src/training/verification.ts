/**
 * Proofs from what a run left behind: that it is whole and continuous, and that two runs are the same to the byte.
 * Steps that were computed twice (an attempt was killed, the next one went on from the checkpoint before) are evidence:
 * both rows must show the same losses and digests.
 */
import fs from 'node:fs';
import * as t from '@latentwire/torch';
import {
  type DiagnosticsRow,
  type RunPaths,
  readDiagnostics,
  readJsonLines,
  readPredictionRows,
  runLocation,
  runPaths,
} from '../telemetry/index.js';
import { findCheckpoint, parseState, savedDigests } from './checkpoint/index.js';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, in words. */
  readonly found: string;
}

export interface Verification {
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/** What a step must be a function of; times are not. */
const COMPARED = ['loss', 'grad_norm', 'lr', 'epoch', 'stage', 'samples', 'tokens', 'target_tokens'] as const;

/** @param directory of a run @throws LatentWireError when files cannot be read at all */
export function verifyRun(directory: string): Verification {
  const paths = pathsOf(directory);
  const checks: Check[] = [];
  const rows = readDiagnostics(paths.diagnostics);
  checks.push(verifyCheckpoint(paths, rows), ...verifySteps(rows), verifyRepeats(paths));
  return { ok: checks.every(({ ok }) => ok), checks };
}

/** Compares two runs: steps, then final tensors, then predictions; names the first step and tensor that differ. */
export function compareRuns(first: string, second: string): Verification {
  const a = pathsOf(first);
  const b = pathsOf(second);
  const checks = [compareSteps(a, b), compareTensors(a, b), comparePredictions(a, b)];
  return { ok: checks.every(({ ok }) => ok), checks };
}

function pathsOf(directory: string): RunPaths {
  const { root, name } = runLocation(directory);
  return runPaths(root, name);
}

function verifyCheckpoint(paths: RunPaths, rows: readonly DiagnosticsRow[]): Check {
  const name = 'checkpoint';
  try {
    const found = findCheckpoint(paths);
    if (found === undefined) return { name, ok: false, found: 'none' };
    using file = found.file;
    const state = parseState(file.metadata, file.path);
    const now = savedDigests(file, state);
    const row = rows.find(({ step }) => step === state.step);
    const recorded = state.digests ?? digestsOf(row);
    const at = `step ${state.step} of ${state.total_steps}, every byte as written${found.from === 'backup' ? ' (the backup)' : ''}`;
    if (state.step > 0 && row === undefined) return { name, ok: false, found: `${at}; no row of that step` };
    for (const [where, digests] of [
      ['its header', state.digests],
      ['diagnostics.jsonl', digestsOf(row)],
    ] as const) {
      if (digests == null) continue;
      const different = (['weights', 'optimizer', 'cursor'] as const).filter(
        (key) => digests[key] !== now[key],
      );
      if (different.length > 0) {
        return {
          name,
          ok: false,
          found: `${at}; ${different.join(', ')} differ from the digests in ${where}`,
        };
      }
    }
    return { name, ok: true, found: recorded === undefined ? at : `${at}; digests recomputed and equal` };
  } catch (error) {
    return { name, ok: false, found: error instanceof Error ? error.message : String(error) };
  }
}

function verifySteps(rows: readonly DiagnosticsRow[]): Check[] {
  const gap = rows.findIndex(({ step }, i) => step !== i + 1);
  const attempts = new Set(rows.map(({ attempt }) => attempt)).size;
  const found =
    gap < 0
      ? `1 to ${rows.length}, each once, by ${attempts} attempt${attempts === 1 ? '' : 's'}`
      : `expected step ${gap + 1}, found ${rows[gap]!.step}`;
  return [{ name: 'steps', ok: gap < 0 && rows.length > 0, found }];
}

/** Rows of one step that different attempts computed must agree. */
function verifyRepeats(paths: RunPaths): Check {
  const name = 'steps computed again';
  const first = new Map<number, DiagnosticsRow>();
  let repeats = 0;
  for (const record of readJsonLines(paths.diagnostics)) {
    const row = record as DiagnosticsRow;
    const before = first.get(row.step);
    if (before === undefined) {
      first.set(row.step, row);
      continue;
    }
    repeats++;
    const difference = rowDifference(before, row);
    if (difference !== undefined) {
      const attempts = `attempts ${before.attempt} and ${row.attempt}`;
      return { name, ok: false, found: `step ${row.step} differs between ${attempts}: ${difference}` };
    }
  }
  return { name, ok: true, found: repeats === 0 ? 'none' : `${repeats}, each with the same result` };
}

function compareSteps(a: RunPaths, b: RunPaths): Check {
  const name = 'steps';
  const left = readDiagnostics(a.diagnostics);
  const right = readDiagnostics(b.diagnostics);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i], right[i]];
    if (x === undefined || y === undefined) {
      return { name, ok: false, found: `${left.length} in one, ${right.length} in the other` };
    }
    const difference = rowDifference(x, y);
    if (difference !== undefined) {
      return {
        name,
        ok: false,
        found: `first difference at step ${x.step}: ${difference}${tensorAt(a, x, y)}`,
      };
    }
  }
  return { name, ok: true, found: `${left.length}, losses and digests equal` };
}

/** Name of the first weight whose digest differs in two rows. */
function tensorAt(paths: RunPaths, x: DiagnosticsRow, y: DiagnosticsRow): string {
  const [left, right] = [digestsOf(x)?.tensors, digestsOf(y)?.tensors];
  if (left === undefined || right === undefined) return '';
  const at = Array.from({ length: left.length / 8 }, (_, i) => i).find(
    (i) => left.slice(8 * i, 8 * i + 8) !== right.slice(8 * i, 8 * i + 8),
  );
  if (at === undefined) return '';
  const found = findCheckpoint(paths);
  if (found === undefined) return `; weight number ${at}`;
  using file = found.file;
  const names = file.names.filter((each) => !each.startsWith('optimizer.')).sort();
  return `; first in ${names[at]}`;
}

function rowDifference(x: DiagnosticsRow, y: DiagnosticsRow): string | undefined {
  for (const key of COMPARED) {
    if (x[key] !== y[key]) return `${key} ${JSON.stringify(x[key])} and ${JSON.stringify(y[key])}`;
  }
  const [left, right] = [digestsOf(x), digestsOf(y)];
  if (left === undefined || right === undefined) return undefined;
  const part = (['weights', 'optimizer', 'cursor'] as const).find((key) => left[key] !== right[key]);
  return part && `digest of ${part}`;
}

interface RowDigests {
  readonly weights: string;
  readonly optimizer: string;
  readonly cursor: string;
  readonly tensors: string;
}

function digestsOf(row: DiagnosticsRow | undefined): RowDigests | undefined {
  return row?.digests as RowDigests | undefined;
}

function compareTensors(a: RunPaths, b: RunPaths): Check {
  const name = 'checkpoints';
  try {
    const [first, second] = [findCheckpoint(a), findCheckpoint(b)];
    if (first === undefined || second === undefined) {
      return { name, ok: false, found: 'a checkpoint is missing' };
    }
    using left = first.file;
    using right = second.file;
    const steps = [left, right].map((file) => parseState(file.metadata, file.path).step);
    if (steps[0] !== steps[1]) return { name, ok: false, found: `steps ${steps.join(' and ')}` };
    const names = [...new Set([...left.names, ...right.names])].sort();
    let bytes = 0;
    for (const tensor of names) {
      if (!left.has(tensor) || !right.has(tensor)) {
        return { name, ok: false, found: `${tensor} is in one only` };
      }
      const same = t.scope(() => {
        const [x, y] = [left.load(tensor), right.load(tensor)];
        bytes += x.nbytes;
        const [dx, dy] = t.tensorDigests([x, y]);
        return dx === dy && x.shape.join() === y.shape.join() && x.dtype === y.dtype;
      });
      if (!same) return { name, ok: false, found: `first difference in ${tensor}` };
    }
    return { name, ok: true, found: `${names.length} tensors, ${bytes} bytes, equal` };
  } catch (error) {
    return { name, ok: false, found: error instanceof Error ? error.message : String(error) };
  }
}

function comparePredictions(a: RunPaths, b: RunPaths): Check {
  const name = 'predictions';
  const [left, right] = [a.predictions, b.predictions].map((file) =>
    fs.existsSync(file) ? readPredictionRows(file) : [],
  );
  if (left!.length === 0 && right!.length === 0) return { name, ok: true, found: 'none in both' };
  for (let i = 0; i < Math.max(left!.length, right!.length); i++) {
    if (JSON.stringify(left![i]) !== JSON.stringify(right![i])) {
      return {
        name,
        ok: false,
        found: `first difference in row ${i + 1} (question ${left![i]?.id ?? right![i]?.id})`,
      };
    }
  }
  return { name, ok: true, found: `${left!.length}, equal` };
}
