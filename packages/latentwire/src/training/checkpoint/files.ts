/**
 * The files of a checkpoint and how a whole one is found: the current file when its digest is right, else the backup
 * that an interrupted save left, else a refusal with the reason.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import { LatentWireError } from '../../errors.js';
import type { RunPaths } from '../../telemetry/index.js';

/** The single checkpoint of a run. */
export function checkpointPath(paths: Pick<RunPaths, 'checkpoints'>): string {
  return path.join(paths.checkpoints, 'checkpoint_current.safetensors');
}

/** Exists only while a save is under way. */
export function backupPath(paths: Pick<RunPaths, 'checkpoints'>): string {
  return path.join(paths.checkpoints, 'checkpoint_backup.safetensors');
}

/** Readable copy of the metadata; never needed to load. */
export function metadataPath(paths: Pick<RunPaths, 'checkpoints'>): string {
  return path.join(paths.checkpoints, 'checkpoint_current.json');
}

/**
 * Opens a checkpoint and checks every byte against its digest.
 * @throws LatentWireError `format` saying what is wrong with the file
 */
export function openVerified(file: string): t.SafetensorsFile {
  let opened: t.SafetensorsFile | undefined;
  try {
    if (fs.statSync(file).isDirectory()) throw new Error(`${file}: it is a folder`);
    opened = t.openSafetensors(file);
    opened.verifyDigest();
    return opened;
  } catch (cause) {
    opened?.close();
    throw new LatentWireError(
      `expected a whole checkpoint, got ${cause instanceof Error ? cause.message : String(cause)}`,
      { code: 'format', cause, hint: 'restore the file from a copy, or begin again with --restart' },
    );
  }
}

export interface FoundCheckpoint {
  readonly file: t.SafetensorsFile;
  /** Which of the two it is, and why not the first. */
  readonly from: 'current' | 'backup';
  readonly problem?: string;
}

/**
 * The newest whole checkpoint of a run, only looked at; undefined when there is none at all.
 * @throws LatentWireError `format` when there are files, but none is whole
 */
export function findCheckpoint(paths: Pick<RunPaths, 'checkpoints'>): FoundCheckpoint | undefined {
  const current = checkpointPath(paths);
  const backup = backupPath(paths);
  let problem: unknown;
  if (fs.existsSync(current)) {
    try {
      return { file: openVerified(current), from: 'current' };
    } catch (error) {
      problem = error;
    }
  }
  if (!fs.existsSync(backup)) {
    if (problem !== undefined) throw problem;
    return undefined;
  }
  try {
    const file = openVerified(backup);
    return {
      file,
      from: 'backup',
      problem: problem instanceof Error ? problem.message : `${current} is missing`,
    };
  } catch (error) {
    throw problem ?? error;
  }
}

/**
 * Brings the folder of a run that this process holds into its resting state: one checkpoint, no leftovers of killed
 * saves. Files of others are never touched. Returns what `findCheckpoint` finds.
 */
export function settleCheckpoint(
  paths: Pick<RunPaths, 'checkpoints'>,
  warn: (message: string) => void,
): t.SafetensorsFile | undefined {
  const current = checkpointPath(paths);
  const backup = backupPath(paths);
  t.removeStaleSaves(current);
  const found = findCheckpoint(paths);
  if (found === undefined) return undefined;
  if (found.from === 'current') {
    fs.rmSync(backup, { force: true });
    return found.file;
  }
  warn(`went back to the backup of the checkpoint: ${found.problem}`);
  if (fs.existsSync(current) && fs.statSync(current).isDirectory()) return found.file;
  found.file.close();
  fs.renameSync(backup, current);
  return openVerified(current);
}
