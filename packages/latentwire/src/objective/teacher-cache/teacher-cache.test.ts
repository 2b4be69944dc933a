import * as fs from 'node:fs';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as t from '@latentwire/torch';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tinySession } from '../../training/tiny-session.fixture.js';
import type { TeacherRow } from './read-teacher.js';
import { shardBytes } from './shard-file.js';
import { SHARD_ROWS, type TeacherOptions, teacherTargets } from './teacher-cache.js';

const { reader, data } = tinySession(3, SHARD_ROWS + 60);
const rows: TeacherRow[] = data.readers[0]!.targets.map((target, i) => ({
  prompt: data.readers[0]!.texts![i]!,
  target,
}));
const plan = { positions: 2, topK: 5, tau: 2 };

let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'teacher-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fill = (more: Partial<TeacherOptions> = {}, some = rows) => {
  let computed = 0;
  const options: TeacherOptions = {
    ...{ plan, folder, identity: { model: 'm', tokenizer: 't' } },
    onWarning: (message) => warnings.push(message),
    onProgress: (_done, _total, fresh) => {
      computed = fresh;
    },
    ...more,
  };
  return teacherTargets(reader.model, some, options).then((targets) => ({ targets, computed }));
};

/** Shard files of all teachers in the folder. */
const shards = (): string[] =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.safetensors'))
    .map((name) => join(folder, name));

describe('teacherTargets', () => {
  it('gives a cached run the bytes of a fresh one, and computes nothing again', async () => {
    const inMemory = await fill({ folder: null });
    const fresh = await fill();
    expect(shards()).toHaveLength(2);
    const cached = await fill();
    expect([inMemory.computed, fresh.computed, cached.computed]).toEqual([rows.length, rows.length, 0]);
    expect(fresh.targets!.arrays).toEqual(inMemory.targets!.arrays);
    expect(cached.targets!.arrays).toEqual(inMemory.targets!.arrays);
    expect(warnings).toEqual([]);
  });

  it('holds the distributions that the model has when it reads the text', async () => {
    const { targets } = await fill({ folder: null });
    t.scope(() => {
      const { prompt, target } = rows[1]!; // its answer has two tokens and the stop token
      const ids = t.tensor([[...prompt, ...target.subarray(0, 1)]], { dtype: 'int64' });
      const logits = reader.model.logits(reader.model.hidden(reader.model.embed(ids)));
      const batch = targets!.batch([1], Int32Array.of(0, 0, 0));
      expect([...batch.targets]).toEqual([0, 1]);
      for (const p of [0, 1]) {
        const at = t.div(t.select(t.select(logits, 0, 0), 0, prompt.length - 1 + p), plan.tau);
        const all = t.logSoftmax(at).toArray();
        const kept = [...batch.ids.subarray(p * 5, p * 5 + 5)];
        expect(kept.map((id) => all[id]!)).toEqual([...all].sort((a, b) => b - a).slice(0, 5));
        const stored = batch.logProbs.subarray(p * 6, p * 6 + 6);
        kept.forEach((id, j) => {
          expect(Math.abs(stored[j]! - all[id]!)).toBeLessThan(4e-3);
        });
        const rest = all.filter((_, id) => !kept.includes(id)).reduce((sum, x) => sum + Math.exp(x), 0);
        expect(Math.abs(stored[5]! - Math.log(rest))).toBeLessThan(4e-3);
      }
    });
  });

  it('goes on where it was stopped, and asks before each batch', async () => {
    let asked = 0;
    // The first shard has 16 batches; stop in the second.
    const stopped = await fill({ shouldStop: () => ++asked > 19 });
    expect(stopped.targets).toBeNull();
    expect(shards()).toHaveLength(1);
    const resumed = await fill();
    expect(resumed.computed).toBe(rows.length - SHARD_ROWS);
    expect(resumed.targets!.arrays).toEqual((await fill({ folder: null })).targets!.arrays);
  });

  it('makes a damaged shard anew, says so, and gives the same values', async () => {
    const { targets } = await fill();
    const damages: ((path: string) => void)[] = [
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 9]! ^= 1;
        writeFileSync(path, bytes);
      },
      (path) => truncateSync(path, 100),
      (path) => truncateSync(path, 0),
      (path) => writeFileSync(path, 'not a shard'),
      (path) =>
        t.writeSafetensors(
          path,
          { counts: { dtype: 'int32', shape: [1], data: Int32Array.of(1) } },
          { digest: true },
        ),
    ];
    for (const damage of damages) {
      warnings = [];
      const path = shards()[0]!;
      damage(path);
      const again = await fill();
      expect(warnings, String(damage)).toHaveLength(1);
      expect(warnings[0]).toContain(path);
      expect(again.targets!.arrays).toEqual(targets!.arrays);
      expect(again.computed).toBeGreaterThan(0);
      expect((await fill()).computed).toBe(0);
    }
  });

  it('keeps another plan, model, tokenizer or other texts apart', async () => {
    await fill({}, rows.slice(0, 4));
    for (const change of [
      { plan: { ...plan, tau: 1 } },
      { plan: { ...plan, topK: 4 } },
      { plan: { ...plan, positions: 1 } },
      { identity: { model: 'other', tokenizer: 't' } },
      { identity: { model: 'm', tokenizer: 'other' } },
    ]) {
      expect((await fill(change, rows.slice(0, 4))).computed).toBe(4);
    }
    const other = rows.slice(0, 4).map((row) => ({ ...row, prompt: row.prompt.slice(1) }));
    expect((await fill({}, other)).computed).toBe(4);
    expect((await fill({}, rows.slice(0, 4))).computed).toBe(0);
  });

  it('keeps values in memory when the disk has too little room, fails, or is no folder', async () => {
    const expected = (await fill({ folder: null })).targets!.arrays;
    const full = await fill({ system: { freeBytes: () => shardBytes(rows.length, plan) } });
    expect(full.targets!.arrays).toEqual(expected);
    expect(warnings.splice(0)).toEqual([expect.stringMatching(/--teacher-cache/)]);

    const operations: t.FileOperations = {
      ...fs,
      fsyncSync: () => {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      },
    };
    const failing = await fill({ system: { freeBytes: () => 1e12, operations } });
    expect(failing.targets!.arrays).toEqual(expected);
    expect(warnings.splice(0)).toEqual([expect.stringMatching(/no space left/)]);
    expect(shards()).toEqual([]);

    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect((await fill({ folder: file })).targets!.arrays).toEqual(expected);
    expect(warnings).toHaveLength(1);
  });

  it('leaves nothing half-written at any moment of a write', async () => {
    const few = rows.slice(0, 3);
    const { targets } = await fill({ folder: null }, few);
    // The process dies at call number `death` on the operating system; even cleaning up does not happen.
    for (let death = 0; ; death++) {
      let calls = 0;
      const dying =
        <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) =>
        (...args) => {
          if (calls++ >= death) throw Object.assign(new Error('killed'), { code: 'EINTR' });
          return call(...args);
        };
      const operations: t.FileOperations = {
        openSync: dying((path: string, flags: string) => fs.openSync(path, flags)),
        writeSync: dying((fd: number, bytes: Uint8Array, offset: number, length: number, at: number) =>
          fs.writeSync(fd, bytes, offset, length, at),
        ),
        fsyncSync: dying(fs.fsyncSync),
        closeSync: dying(fs.closeSync),
        renameSync: dying((from: string, to: string) => fs.renameSync(from, to)),
        unlinkSync: dying((path: string) => fs.unlinkSync(path)),
        readdirSync: dying((path: string) => fs.readdirSync(path)),
      };
      await fill({ system: { freeBytes: () => 1e12, operations } }, few);
      const survived = calls <= death;
      warnings = [];
      const after = await fill({}, few);
      expect(after.targets!.arrays).toEqual(targets!.arrays);
      expect(warnings).toEqual([]);
      for (const path of shards()) rmSync(path);
      if (survived) break;
      expect(death).toBeLessThan(100);
    }
  });
});

describe('TeacherTargets', () => {
  it('finds the targets of each row of a batch, in any order of examples', async () => {
    const { targets } = await fill({ folder: null }, rows.slice(0, 8));
    const order = [5, 0, 3];
    const lengths = order.map((i) => rows[i]!.target.length);
    const targetRows = Int32Array.from(lengths.flatMap((n, row) => new Array<number>(n).fill(row)));
    const batch = targets!.batch(order, targetRows);
    const starts = lengths.map((_, row) => lengths.slice(0, row).reduce((a, b) => a + b, 0));
    expect([...batch.targets]).toEqual(
      order.flatMap((i, row) => Array.from({ length: targets!.count(i) }, (_, p) => starts[row]! + p)),
    );
    let at = 0;
    for (const i of order) {
      const alone = targets!.batch([i], new Int32Array(rows[i]!.target.length));
      expect(batch.ids.slice(at * 5, (at + targets!.count(i)) * 5)).toEqual(alone.ids);
      at += targets!.count(i);
    }
  });

  it('tells how often the teacher would have said what is right', async () => {
    const few = rows.slice(0, 20);
    const { targets } = await fill({ folder: null }, few);
    const said = few.map((_, i) => {
      const batch = targets!.batch([i], new Int32Array(few[i]!.target.length));
      return Int32Array.from({ length: targets!.count(i) }, (_, p) => batch.ids[p * 5]!);
    });
    expect(targets!.agreement(said)).toBe(1);
    expect(targets!.agreement(said.map((ids) => ids.map((id) => id + 1)))).toBe(0);
  });

  it('keeps only the positions at which the teacher is right, each with its own target', async () => {
    const few = rows.slice(0, 30);
    const { targets } = await fill({ folder: null }, few);
    // Golds that the teacher says at its second position, and at its first in every third example.
    const golds = few.map((row, i) => {
      const said = targets!.batch([i], new Int32Array(row.target.length)).ids;
      const first = i % 3 === 0 ? said[0]! : said[0]! + 1;
      return Int32Array.from({ length: row.target.length }, (_, p) => (p === 0 ? first : (said[5] ?? 0)));
    });
    const right = targets!.whereRight(golds);
    few.forEach((row, i) => {
      const whole = targets!.batch([i], new Int32Array(row.target.length));
      const expected = [...whole.targets].filter((p) => p > 0 || i % 3 === 0);
      const kept = right.batch([i], new Int32Array(row.target.length));
      expect([...kept.targets]).toEqual(expected);
      expect(right.count(i)).toBe(expected.length);
      expected.forEach((p, slot) => {
        expect(kept.ids.slice(slot * 5, slot * 5 + 5)).toEqual(whole.ids.slice(p * 5, p * 5 + 5));
        expect(kept.logProbs.slice(slot * 6, slot * 6 + 6)).toEqual(whole.logProbs.slice(p * 6, p * 6 + 6));
      });
    });
  });
});
