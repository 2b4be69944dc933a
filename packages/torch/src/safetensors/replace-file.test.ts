import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileOperations, replaceFile } from './replace-file.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'replace-file-'));
  path = join(folder, 'model.safetensors');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const OLD = Buffer.from('old '.repeat(500));
const NEW = [Buffer.from('new1'.repeat(300)), Buffer.from('new2'.repeat(300))];
const writeNew = (operations?: FileOperations) =>
  replaceFile(
    path,
    (file) => {
      for (const part of NEW) file.append(part);
    },
    operations && { operations },
  );

/** The whole old or the whole new file; anything else is a torn one. */
function content(): 'absent' | 'old' | 'new' | 'torn' {
  if (!fs.existsSync(path)) return 'absent';
  const bytes = fs.readFileSync(path);
  if (bytes.equals(OLD)) return 'old';
  return bytes.equals(Buffer.concat(NEW)) ? 'new' : 'torn';
}

const leftovers = () => fs.readdirSync(folder).filter((name) => name !== basename(path));

type Fault = (name: keyof FileOperations, attempt: () => unknown) => unknown;

/** File operations that count their calls and replace call number `at` (from 0) by `fault`. */
function faulty(at: number, fault: Fault, forEver = false): FileOperations & { calls: string[] } {
  const calls: string[] = [];
  const real: FileOperations = fs;
  const names = [
    'openSync',
    'writeSync',
    'fsyncSync',
    'closeSync',
    'renameSync',
    'unlinkSync',
    'readdirSync',
  ] as const;
  const wrap = (name: (typeof names)[number]) => [
    name,
    (...args: unknown[]) => {
      const attempt = () => (real[name] as (...rest: unknown[]) => unknown)(...args);
      const index = calls.push(name) - 1;
      return index === at || (forEver && index > at) ? fault(name, attempt) : attempt();
    },
  ];
  return { ...Object.fromEntries(names.map(wrap)), calls } as FileOperations & { calls: string[] };
}

const errno = (code: string) => Object.assign(new Error(`${code}: injected`), { code });

/** Number of system calls of an undisturbed replacement. */
function callCount(): number {
  const probe = faulty(-1, () => {});
  writeNew(probe);
  return probe.calls.length;
}

describe('replaceFile', () => {
  it('writes a new file and replaces an old one, leaving nothing beside it', () => {
    writeNew();
    expect(content()).toBe('new');
    fs.writeFileSync(path, OLD);
    writeNew();
    expect(content()).toBe('new');
    expect(leftovers()).toEqual([]);
  });

  it('syncs the file before the rename and the folder after it', () => {
    const probe = faulty(-1, () => {});
    writeNew(probe);
    expect(probe.calls).toEqual(
      ['readdirSync', 'openSync', 'writeSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync'].concat([
        'openSync',
        'fsyncSync',
        'closeSync',
      ]),
    );
  });

  it('overwrites earlier bytes in place', () => {
    replaceFile(path, (file) => {
      file.append(Buffer.from('0000abcd'));
      expect(file.size).toBe(8);
      file.overwrite(2, Buffer.from('xy'));
      file.append(Buffer.from('ef'));
    });
    expect(fs.readFileSync(path, 'utf8')).toBe('00xyabcdef');
  });

  it.each(['ENOSPC', 'EIO', 'EACCES', 'EDQUOT'])(
    'keeps the old file whole and removes its own when any call fails with %s',
    (code) => {
      for (let at = 0; at < callCount(); at++) {
        fs.writeFileSync(path, OLD);
        const operations = faulty(at, () => {
          throw errno(code);
        });
        let thrown: unknown;
        try {
          writeNew(operations);
        } catch (error) {
          thrown = error;
        }
        const failed = operations.calls[at];
        // Listing the folder only serves to clean up; every other failure must be reported.
        expect((thrown as NodeJS.ErrnoException | undefined)?.code, `${failed} at ${at}`).toBe(
          failed === 'readdirSync' ? undefined : code,
        );
        const renamed = operations.calls.indexOf('renameSync');
        expect(content()).toBe(failed === 'readdirSync' || (renamed >= 0 && at > renamed) ? 'new' : 'old');
        expect(leftovers()).toEqual([]);
      }
    },
  );

  it('finishes a write that the device takes in small pieces', () => {
    const small: FileOperations = {
      ...fs,
      writeSync: (fd, bytes, offset, length, position) =>
        fs.writeSync(fd, bytes, offset, Math.min(7, length), position),
    };
    writeNew(small);
    expect(content()).toBe('new');
  });

  it('gives up when the device takes nothing', () => {
    fs.writeFileSync(path, OLD);
    expect(() => writeNew({ ...fs, writeSync: () => 0 })).toThrow(/took none of 1200 bytes/);
    expect(content()).toBe('old');
  });

  it('keeps the old file when the caller or its check throws', () => {
    fs.writeFileSync(path, OLD);
    const thrower = () => {
      throw new Error('no');
    };
    expect(() => replaceFile(path, thrower)).toThrow('no');
    let seen = '';
    const verify = (temporary: string) => {
      seen = fs.readFileSync(temporary, 'utf8');
      throw new Error('bad');
    };
    expect(() => replaceFile(path, (file) => file.append(Buffer.from('x')), { verify })).toThrow('bad');
    expect(seen).toBe('x');
    expect(content()).toBe('old');
    expect(leftovers()).toEqual([]);
  });

  it('holds the old or the new file after a crash before any call, and the next write cleans up', () => {
    const total = callCount();
    for (let at = 0; at <= total; at++) {
      fs.writeFileSync(path, OLD);
      // From the crash on nothing reaches the disk, the removal of the temporary file included.
      const crash = faulty(
        at,
        (name, attempt) => {
          if (name === 'closeSync') attempt();
          throw new Error('crash');
        },
        true,
      );
      try {
        writeNew(crash);
      } catch {}
      expect(['old', 'new']).toContain(content());
      writeNew();
      expect(content()).toBe('new');
      expect(leftovers()).toEqual([]);
    }
  });

  it('leaves files alone that are not its own', () => {
    const others = [
      '.model.safetensors.tmp',
      '.other.00000000-1-0.0.tmp',
      '.model.safetensors.0badc0de-1-0.0.tmp',
    ];
    for (const name of others) fs.writeFileSync(join(folder, name), '');
    writeNew();
    expect(leftovers().sort()).toEqual([...others].sort());
    // The last one is of another host: removed once nobody has written to it for an hour.
    const past = new Date(Date.now() - 2 * 3_600_000);
    for (const name of others) fs.utimesSync(join(folder, name), past, past);
    writeNew();
    expect(leftovers().sort()).toEqual(others.slice(0, 2).sort());
  });

  it('survives SIGKILL at any moment: the file is whole, and the next write cleans up', async () => {
    await build({
      logLevel: 'error',
      configFile: false,
      build: {
        ssr: fileURLToPath(new URL('./replace-file.ts', import.meta.url)),
        outDir: join(folder, 'built'),
        rollupOptions: { output: { entryFileNames: 'replace-file.mjs' } },
      },
    });
    const size = 1 << 20;
    fs.writeFileSync(
      join(folder, 'built', 'child.mjs'),
      `import { replaceFile } from './replace-file.mjs';
       for (let i = 0; ; i++) {
         const part = new Uint8Array(${size / 4}).fill(i);
         replaceFile(${JSON.stringify(path)}, (file) => { for (let k = 0; k < 4; k++) file.append(part); });
         if (i === 0) process.stdout.write('ready');
       }`,
    );
    let killedMidWrite = 0;
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [join(folder, 'built', 'child.mjs')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await sleep(3 + 5 * round);
      child.kill('SIGKILL');
      await ended;
      const bytes = fs.readFileSync(path);
      expect(bytes.byteLength).toBe(size);
      expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
      killedMidWrite += leftovers().filter((name) => name.endsWith('.tmp')).length;
    }
    expect(killedMidWrite).toBeGreaterThan(0);
    writeNew();
    expect(content()).toBe('new');
    expect(leftovers()).toEqual(['built']);
  });
});
