/**
 * Names and places of a run. A run is found again by its name alone (`runs/{name}`), never by a time stamp,
 * so a requeued job continues the run it began.
 */
import path from 'node:path';
import { LatentWireError } from '../errors.js';

declare const runId: unique symbol;
/** A checked run name: safe as one path part on any file system. */
export type RunId = string & { readonly [runId]: true };

const NAME = /^[A-Za-z0-9][A-Za-z0-9._+=-]{0,127}$/;

/** @throws LatentWireError `input` for names that are empty, too long, hidden, or could leave their folder. */
export function runIdOf(name: string): RunId {
  if (!NAME.test(name) || name.includes('..') || name.endsWith('.')) {
    throw new LatentWireError(
      `expected a run name of letters, digits and . _ + = - that begins with a letter or digit (at most 128), got ${JSON.stringify(name)}`,
      { code: 'input', hint: 'for example --save-dir runs/squad-m32' },
    );
  }
  return name as RunId;
}

/** Splits `--save-dir`: the last part is the name, what is before it the root. */
export function runLocation(saveDir: string): { readonly root: string; readonly name: RunId } {
  const absolute = path.resolve(saveDir);
  return { root: path.dirname(absolute), name: runIdOf(path.basename(absolute)) };
}

export interface RunPaths {
  readonly directory: string;
  readonly config: string;
  readonly environment: string;
  readonly status: string;
  /** Exists while a process works on the run. */
  readonly lock: string;
  readonly predictions: string;
  readonly logs: string;
  readonly metrics: string;
  readonly diagnostics: string;
  readonly checkpoints: string;
  readonly figures: string;
}

/** The files of a run (design §4); nothing is created. */
export function runPaths(root: string, name: RunId): RunPaths {
  const directory = path.resolve(root, name);
  const logs = path.join(directory, 'logs');
  return {
    directory,
    config: path.join(directory, 'config.json'),
    environment: path.join(directory, 'environment.json'),
    status: path.join(directory, 'status.json'),
    lock: path.join(directory, 'run.lock'),
    predictions: path.join(directory, 'predictions.jsonl'),
    logs,
    metrics: path.join(logs, 'metrics.json'),
    diagnostics: path.join(logs, 'diagnostics.jsonl'),
    checkpoints: path.join(directory, 'preempt_checkpoint'),
    figures: path.join(directory, 'figures'),
  };
}
