/**
 * Distributions of the text-reading model, once per example: from the disk where they are, from a forward pass where
 * they are not. Filling works shard by shard, so a run that is stopped or killed goes on at the shard it was in.
 *
 *     <folder>/<teacher key>/<shard key>.safetensors
 *
 * A cache that cannot be written costs time only: the values stay in memory and are computed again next time. Two runs
 * that fill the same shard write the same bytes.
 */
import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../../models/decoder/index.js';
import { readTeacher, type TeacherRow } from './read-teacher.js';
import {
  type ShardStore,
  shardBytes,
  shardKey,
  shardStore,
  type TeacherIdentity,
  teacherKey,
} from './shard-file.js';
import {
  emptyArrays,
  type TeacherArrays,
  type TeacherPlan,
  TeacherTargets,
  type TeacherValues,
} from './teacher-targets.js';

/** Examples per shard: seconds of work for a large model, half a megabyte on disk. */
export const SHARD_ROWS = 512;
/** Left free for others on the file system of the cache. */
const RESERVE_BYTES = 64 * 2 ** 20;

export interface TeacherOptions {
  readonly plan: TeacherPlan;
  /** Folder of all teachers; null keeps the values in memory only. */
  readonly folder: string | null;
  /** Digests of model and tokenizer. */
  readonly identity: Pick<TeacherIdentity, 'model' | 'tokenizer'>;
  /** Asked before each forward pass; true ends the filling. What was filled stays. */
  readonly shouldStop?: () => boolean;
  /** Called after each shard. `computed` counts rows that were not on disk. */
  readonly onProgress?: (done: number, total: number, computed: number) => void;
  readonly onWarning?: (message: string) => void;
  /** Fault injection. */
  readonly system?: { freeBytes(folder: string): number; readonly operations?: t.FileOperations };
}

/** @returns null when `shouldStop` ended it */
export async function teacherTargets(
  model: LanguageModel,
  rows: readonly TeacherRow[],
  options: TeacherOptions,
): Promise<TeacherTargets | null> {
  const { plan, shouldStop = () => false } = options;
  const warn = options.onWarning ?? (() => {});
  const total = emptyArrays(rows.length, plan);
  let store = openStore(model, rows.length, options, warn);
  let computed = 0;
  for (let start = 0; start < rows.length; start += SHARD_ROWS) {
    if (shouldStop()) return null;
    const members = rows.slice(start, start + SHARD_ROWS);
    const key = shardKey(members);
    let arrays = store?.read(key, members.length) ?? null;
    if (arrays === null) {
      arrays = await readTeacher(model, members, plan, shouldStop);
      if (arrays === null) return null;
      computed += members.length;
      try {
        store?.write(key, arrays);
      } catch (error) {
        if (!(error instanceof t.TorchError)) throw error;
        warn(`the teacher cache is not written further, values are kept in memory: ${error.message}`);
        store = null;
      }
    }
    place(total, arrays, start, plan);
    options.onProgress?.(Math.min(start + SHARD_ROWS, rows.length), rows.length, computed);
  }
  return new TeacherTargets(plan, total);
}

function openStore(
  model: LanguageModel,
  rows: number,
  { plan, folder, identity, system }: TeacherOptions,
  warn: (message: string) => void,
): ShardStore | null {
  if (folder === null) return null;
  const arithmetic = `${model.dtype} ${model.device.split(':')[0]} ${t.torchVersion()}`;
  const own = join(folder, teacherKey({ ...identity, arithmetic }, plan));
  const needed = shardBytes(rows, plan);
  try {
    mkdirSync(own, { recursive: true });
    const free = (system?.freeBytes ?? freeBytes)(own);
    if (free < needed + RESERVE_BYTES) {
      warn(
        `the teacher cache needs ${megabytes(needed)} MB in ${own} and ${megabytes(free)} MB are free: nothing is ` +
          'written, values are kept in memory (another folder: --teacher-cache)',
      );
      return { read: shardStore(own, plan, warn).read, write: () => {} };
    }
  } catch (error) {
    warn(`the teacher cache cannot be used, values are kept in memory: ${(error as Error).message}`);
    return null;
  }
  return shardStore(own, plan, warn, system?.operations);
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function place(total: TeacherArrays, part: TeacherValues, start: number, plan: TeacherPlan): void {
  part.counts.forEach((count, row) => {
    const from = (start + row) * plan.positions;
    for (let slot = 0; slot < count; slot++) total.places[from + slot] = slot;
  });
  total.counts.set(part.counts, start);
  total.ids.set(part.ids, start * plan.positions * plan.topK);
  total.logProbs.set(part.logProbs, start * plan.positions * (plan.topK + 1));
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
