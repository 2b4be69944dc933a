import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { faultyFileSystem, type SystemCall } from '../../test/support/faulty-file-system.js';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { LatentWireError } from '../errors.js';
import { removeLeftovers, writeFileAtomic, writeJsonAtomic } from './atomic-file.js';

const within = temporaryFolder();

describe('atomic file write', () => {
  it('writes, syncs the file, renames, and syncs the directory, in that order', () => {
    const system = faultyFileSystem();
    writeFileAtomic(within('order.json'), 'x', system);
    expect(system.calls).toEqual(['open', 'write', 'fsync', 'close', 'rename', 'open', 'fsync', 'close']);
  });

  it('leaves the old or the new content and no temporary, whichever call fails and how', () => {
    const calls: SystemCall[] = ['open', 'write', 'fsync', 'close', 'rename'];
    for (const code of ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS'] as const) {
      for (const call of calls) {
        for (const at of [0, 1]) {
          const folder = within(`${code}-${call}-${at}`);
          mkdirSync(folder);
          const file = `${folder}/status.json`;
          writeFileSync(file, 'old');
          const system = faultyFileSystem({
            call,
            code,
            at,
            times: 1,
            ...(call === 'write' && { shortBy: 1 }),
          });
          let error: unknown;
          try {
            writeFileAtomic(file, 'new!', system);
          } catch (caught) {
            error = caught;
          }
          if (error !== undefined) {
            expect(error).toBeInstanceOf(LatentWireError);
            expect((error as LatentWireError).message).toContain(`(${code})`);
          }
          const renamed = system.calls.includes('rename') && !(call === 'rename' && at === 0);
          expect(readFileSync(file, 'utf8')).toBe(renamed ? 'new!' : 'old');
          expect(readdirSync(folder)).toEqual(['status.json']);
        }
      }
    }
  });

  it('goes on after short writes', () => {
    const system = faultyFileSystem();
    const dribble = {
      ...system,
      write: (fd: number, bytes: Uint8Array) => system.write(fd, bytes.subarray(0, 3)),
    };
    writeFileAtomic(within('dribble'), '0123456789', dribble);
    expect(readFileSync(within('dribble'), 'utf8')).toBe('0123456789');
  });

  it('keeps non-finite numbers visible in JSON', () => {
    writeJsonAtomic(within('nan.json'), { loss: Number.NaN, best: -Infinity, ok: 1.5 });
    expect(JSON.parse(readFileSync(within('nan.json'), 'utf8'))).toEqual({
      loss: 'NaN',
      best: '-Infinity',
      ok: 1.5,
    });
  });

  it('cleans up after killed writers, and touches nothing else', () => {
    const folder = within('leftovers');
    mkdirSync(folder);
    const foreign = ['.status.json.tmp', '.other.json.tmp-1-1', 'status.json.tmp-1-1', 'status.json'];
    for (const name of [...foreign, '.status.json.tmp-99-3']) writeFileSync(`${folder}/${name}`, '');
    expect(removeLeftovers(folder, new Set(['status.json']))).toEqual(['.status.json.tmp-99-3']);
    expect(readdirSync(folder).sort()).toEqual(foreign.sort());
  });
});
