/** Protects the promise of claims: one holder at a time, and none is lost to a crash. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { type ClaimRecord, Claims } from './claims.js';
import { hostIdentity, isAlive, processIdentity } from './process-identity.js';

const within = temporaryFolder();

/** A claim as another process, or another machine, would have left it. */
function leave(folder: string, name: string, holder: ClaimRecord['holder'], owner = 'them'): void {
  const record: ClaimRecord = {
    owner,
    holder,
    worker: null,
    claimed_at: new Date().toISOString(),
    released: false,
    detail: null,
  };
  writeFileSync(`${folder}/${name}`, JSON.stringify(record));
}

describe('a claim', () => {
  it('has one holder, and is free again when released', () => {
    const [ours, theirs] = [new Claims(within('a')), new Claims(within('a'))];
    const claim = ours.tryClaim('cell');
    expect(claim).toBeDefined();
    expect(ours.look('cell').kind).toBe('held');
    expect(theirs.look('cell').kind).toBe('held'); // The same process: it lives.
    expect(theirs.tryClaim('cell')).toBeUndefined();
    claim!.release();
    expect(theirs.look('cell').kind).toBe('free');
    expect(theirs.tryClaim('cell')).toBeDefined();
    ours.close();
    theirs.close();
    expect(readdirSync(within('a')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('of a process that is gone is taken over at once, with what it had started', () => {
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    const claims = new Claims(within('b'));
    claims.tryClaim('other')!.release();
    leave(within('b'), 'cell.1', { ...processIdentity(gone), started: '1' });
    expect(claims.look('cell').kind).toBe('abandoned');
    const claim = claims.tryClaim('cell')!;
    expect(claim.inherited?.owner).toBe('them');
    claims.close();
  });

  it('of a pid that now belongs to another program is taken over', () => {
    const claims = new Claims(within('c'));
    claims.tryClaim('other')!.release();
    leave(within('c'), 'cell.1', { ...processIdentity(process.pid), started: '1' });
    expect(claims.look('cell').kind).toBe('abandoned');
    claims.close();
  });

  it('of another machine lasts as long as its heartbeat, by the clock of the file server', () => {
    const claims = new Claims(within('d'), { leaseSeconds: 30 });
    claims.tryClaim('other')!.release();
    leave(within('d'), 'cell.1', { host: 'elsewhere/boot/ns', pid: 1, started: null });
    const beat = within('d', '.beat-them');
    expect(claims.look('cell').kind).toBe('abandoned');
    writeFileSync(beat, '');
    expect(claims.look('cell').kind).toBe('held');
    const old = new Date(Date.now() - 40_000);
    utimesSync(beat, old, old);
    expect(claims.look('cell').kind).toBe('abandoned');
    claims.close();
  });

  it('tells its holder when it was taken over', () => {
    const slow = new Claims(within('e'));
    const claim = slow.tryClaim('cell')!;
    expect(claim.lost).toBe(false);
    leave(within('e'), 'cell.2', processIdentity(process.pid));
    expect(claim.lost).toBe(true);
    claim.release(); // Must not free what is now theirs.
    expect(new Claims(within('e')).look('cell').kind).toBe('held');
    slow.close();
  });

  it('goes to exactly one of many that want it at once', async () => {
    const folder = within('race');
    const script = `
      import { linkSync, writeFileSync, mkdirSync } from 'node:fs';
      const wait = () => new Promise((r) => setTimeout(r, 1));
      mkdirSync(${JSON.stringify(folder)}, { recursive: true });
      writeFileSync(process.argv[1], 'x');
      while (Date.now() < Number(process.argv[2])) await wait();
      let won = 0;
      for (let i = 1; i <= 200; i++) {
        try { linkSync(process.argv[1], ${JSON.stringify(folder)} + '/cell-' + i + '.1'); won++; } catch (e) { if (e.code !== 'EEXIST') throw e; }
      }
      console.log(won);`;
    const start = Date.now() + 600;
    const wins = await Promise.all(
      [0, 1, 2, 3].map(
        (i) =>
          new Promise<number>((resolve) => {
            const child = spawn(process.execPath, [
              '--input-type=module',
              '-e',
              script,
              within(`t${i}`),
              String(start),
            ]);
            let text = '';
            child.stdout.on('data', (chunk) => {
              text += chunk;
            });
            child.on('close', () => resolve(Number(text)));
          }),
      ),
    );
    expect(wins.reduce((a, b) => a + b, 0)).toBe(200);
  });
});

describe('a process', () => {
  it('is known to live, to be gone, or not known', () => {
    expect(isAlive(processIdentity(process.pid))).toBe(true);
    expect(isAlive({ host: hostIdentity(), pid: spawnSync('true').pid, started: '1' })).toBe(false);
    expect(isAlive({ host: 'elsewhere', pid: process.pid, started: null })).toBeUndefined();
  });
});
