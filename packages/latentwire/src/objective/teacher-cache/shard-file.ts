/**
 * One shard of the teacher cache: a safetensors file with the distributions of some examples. Its name is the digest of
 * everything that decides its content, so a shard is never out of date: it is there or it is not. It is written in one
 * step with a digest of its bytes inside; a shard that does not match is made anew.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as t from '@latentwire/torch';
import { LatentWireError } from '../../errors.js';
import { TEACHER_BATCH, type TeacherRow } from './read-teacher.js';
import type { TeacherPlan, TeacherValues } from './teacher-targets.js';

const FORMAT = 'latentwire-teacher';
const VERSION = '1';

/** What the values of all shards of a teacher depend on, beside the rows. */
export interface TeacherIdentity {
  /** Digest of the frozen model's configuration and weights. */
  readonly model: string;
  readonly tokenizer: string;
  /** Arithmetic: dtype of the weights, kind of device, version of libtorch. */
  readonly arithmetic: string;
}

/** Hex digest that names the folder of a teacher's shards. */
export function teacherKey(identity: TeacherIdentity, plan: TeacherPlan): string {
  const parts = [
    FORMAT,
    VERSION,
    identity.model,
    identity.tokenizer,
    identity.arithmetic,
    plan.positions,
    plan.topK,
    plan.tau,
    TEACHER_BATCH,
  ];
  return createHash('sha256').update(JSON.stringify(parts), 'utf8').digest('hex').slice(0, 32);
}

/** Hex digest of the tokens of the rows: prompt template and examples are in them. */
export function shardKey(rows: readonly TeacherRow[]): string {
  const hash = createHash('sha256');
  for (const { prompt, target } of rows) {
    hash.update(Int32Array.of(prompt.length, target.length));
    hash.update(prompt).update(target);
  }
  return hash.digest('hex').slice(0, 32);
}

/** Bytes of the values of a shard; its header adds less than 1 kB. */
export function shardBytes(rows: number, { positions, topK }: TeacherPlan): number {
  return rows * (4 + positions * (4 * topK + 2 * (topK + 1)));
}

export interface ShardStore {
  /** The stored values, or null when there are none or they cannot be trusted (then `onWarning` was called). */
  read(key: string, rows: number): TeacherValues | null;
  /** @throws t.SafetensorsError when the operating system refuses */
  write(key: string, arrays: TeacherValues): void;
}

/** @param operations fault injection in tests */
export function shardStore(
  folder: string,
  plan: TeacherPlan,
  onWarning: (message: string) => void,
  operations?: t.FileOperations,
): ShardStore {
  const { positions, topK } = plan;
  const pathOf = (key: string): string => join(folder, `${key}.safetensors`);
  const shapes = (rows: number) => ({
    counts: { dtype: 'int32', shape: [rows] },
    ids: { dtype: 'int32', shape: [rows, positions, topK] },
    log_probs: { dtype: 'float16', shape: [rows, positions, topK + 1] },
  });
  return {
    read(key, rows) {
      const path = pathOf(key);
      if (!existsSync(path)) return null;
      try {
        return readShard(path, shapes(rows));
      } catch (error) {
        if (!(error instanceof t.TorchError || error instanceof LatentWireError)) throw error;
        onWarning(`a shard of the teacher cache is damaged and is made anew: ${error.message}`);
        return null;
      }
    },
    write(key, { counts, ids, logProbs }) {
      t.scope(() => {
        const rounded = t.fromTypedArray(logProbs, [logProbs.length], { dtype: 'float16' }).toBytes();
        const { counts: c, ids: i, log_probs: l } = shapes(counts.length);
        t.writeSafetensors(
          pathOf(key),
          {
            counts: { dtype: 'int32', shape: c.shape, data: counts },
            ids: { dtype: 'int32', shape: i.shape, data: ids },
            log_probs: { dtype: 'float16', shape: l.shape, data: rounded },
          },
          {
            digest: true,
            metadata: { format: FORMAT, version: VERSION },
            ...(operations && { operations }),
          },
        );
      });
    },
  };
}

function readShard(
  path: string,
  shapes: Readonly<Record<string, { dtype: string; shape: readonly number[] }>>,
): TeacherValues {
  using file = t.openSafetensors(path);
  file.verifyDigest();
  for (const [name, { dtype, shape }] of Object.entries(shapes)) {
    const info = file.info(name);
    if (info.dtype !== dtype || info.shape.join() !== shape.join()) {
      throw new LatentWireError(
        `${path}: expected ${name} to be ${dtype} [${shape}], got ${info.dtype} [${info.shape}]`,
        { code: 'format' },
      );
    }
  }
  return t.scope(() => ({
    counts: integers(file.load('counts')),
    ids: integers(file.load('ids')),
    logProbs: file.load('log_probs').toFloat32Array(),
  }));
}

function integers(tensor: t.Tensor): Int32Array {
  const bytes = tensor.toBytes();
  return new Int32Array(bytes.buffer, bytes.byteOffset, tensor.numel);
}
