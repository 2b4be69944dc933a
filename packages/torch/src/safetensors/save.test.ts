import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { add_, full, tensor } from '../ops/index.js';
import { scope } from '../scope.js';
import type { Tensor } from '../tensor.js';
import { openSafetensors } from './open.js';
import { SafetensorsSave, type SaveFault, type SaveOptions } from './save.js';

let folder: string;
let path: string;
let backup: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'save-'));
  path = join(folder, 'checkpoint_current.safetensors');
  backup = join(folder, 'checkpoint_backup.safetensors');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const values = (fill: number): Map<string, Tensor> =>
  new Map([
    ['weights', full([300, 7], fill)],
    ['odd', tensor([fill], { dtype: 'uint8' })],
  ]);

const save = (fill: number, options: Partial<SaveOptions> = {}) =>
  scope(() => SafetensorsSave.start(path, values(fill), { backup, ...options }).wait());

/** What a file holds when its digest is right. */
function read(file: string): number | 'absent' | 'damaged' {
  if (!fs.existsSync(file)) return 'absent';
  try {
    using source = openSafetensors(file);
    source.verifyDigest();
    return scope(() => source.load('odd').item());
  } catch {
    return 'damaged';
  }
}

const files = (): string[] => fs.readdirSync(folder).sort();

describe('SafetensorsSave', () => {
  it('writes a file that is read back to the byte, and leaves nothing beside it', () => {
    for (const snapshot of [true, false]) {
      const result = save(3, { snapshot, metadata: { step: '7' } });
      expect(result.bytes).toBe(fs.statSync(path).size);
      expect(result.digest).toMatch(/^[0-9a-f]{16}$/);
      expect(files()).toEqual([basename(path)]);
      using file = openSafetensors(path);
      file.verifyDigest();
      expect(file.metadata).toEqual({ step: '7', file_xxh64: result.digest });
      scope(() => expect(file.load('weights').toArray()).toEqual(Array(2100).fill(3)));
    }
  });

  it('knows the size beforehand', () => {
    scope(() => {
      const expected = SafetensorsSave.fileBytes(values(1), { a: 'b' });
      expect(save(1, { metadata: { a: 'b' } }).bytes).toBe(expected);
    });
  });

  it('takes a snapshot: what changes after waitForSnapshot is not in the file', () => {
    scope(() => {
      const tensors = values(5);
      SafetensorsSave.reserve(tensors.values());
      const running = SafetensorsSave.start(path, tensors, { backup });
      running.waitForSnapshot();
      for (const t of tensors.values()) add_(t, 1);
      running.wait();
      expect(running.finished).toBe(true);
      expect(read(path)).toBe(5);
    });
  });

  it.each(['ENOSPC', 'EIO', 'EDQUOT'] as const)('keeps a whole file whatever call fails with %s', (code) => {
    const calls = save(1).calls + 0;
    const replacing = save(1).calls;
    expect(replacing).toBeGreaterThanOrEqual(calls);
    for (let at = 0; at < replacing; at++) {
      for (const kind of ['error', 'short-error'] as const) {
        save(1);
        const fault: SaveFault = { at, kind, code };
        let failed = false;
        try {
          save(2, { fault });
        } catch (error) {
          failed = true;
          expect(String(error)).toContain(code);
          expect((error as { cause: { code: string } }).cause.code).toBe(code);
        }
        expect(failed, `call ${at}`).toBe(true);
        expect([1, 2], `call ${at} ${kind}`).toContain(read(path));
        expect(files().length, `call ${at}`).toBeLessThanOrEqual(2);
        expect(files().some((name) => name.endsWith('.tmp'))).toBe(false);
        // The next save works and clears up.
        save(3);
        expect([read(path), files()]).toEqual([3, [basename(path)]]);
      }
    }
  });

  it('goes on after a short write', () => {
    const { calls } = save(1);
    for (let at = 0; at < calls; at++)
      expect(save(at + 2, { fault: { at, kind: 'short' } }).bytes).toBeGreaterThan(0);
    expect(read(path)).toBe(calls + 1);
  });

  it('finds every flipped byte', () => {
    save(9);
    const good = fs.readFileSync(path);
    let found = 0;
    for (let i = 0; i < 1000; i++) {
      const bytes = Buffer.from(good);
      const position = (i * 7919 + 13) % bytes.length;
      bytes[position] = bytes[position]! ^ (1 + (i % 255));
      fs.writeFileSync(path, bytes);
      if (read(path) === 'damaged') found++;
    }
    expect(found).toBe(1000);
  });

  it('removes what a killed save left, and nothing else', () => {
    const foreign = ['.checkpoint_current.safetensors.keep', 'notes.txt', 'other.tmp'];
    for (const name of foreign) fs.writeFileSync(join(folder, name), name);
    fs.copyFileSync(join(folder, 'notes.txt'), join(folder, `.${basename(path)}.00000000-1-0.0.tmp`));
    fs.utimesSync(join(folder, `.${basename(path)}.00000000-1-0.0.tmp`), 1, 1);
    save(1);
    expect(files()).toEqual([...foreign, basename(path)].sort());
  });

  it('refuses a second save while one runs, and a folder that is not there', () => {
    scope(() => {
      const running = SafetensorsSave.start(path, values(1), { backup });
      running.wait();
      const absent = join(folder, 'absent', 'a.safetensors');
      expect(() => SafetensorsSave.start(absent, values(1), { backup: `${absent}.b` }).wait()).toThrow(
        'ENOENT',
      );
    });
  });
});
