import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { compileSources } from '../../test/support/compile-sources.js';
import { faultyFileSystem } from '../../test/support/faulty-file-system.js';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { JsonLinesWriter, readJsonLines } from './json-lines.js';

const within = temporaryFolder();
let next = 0;
const fresh = () => within(`lines-${next++}.jsonl`);

describe('JSON-lines file', () => {
  it('makes one write call per record, and reads back what was written', () => {
    const system = faultyFileSystem();
    const file = fresh();
    const writer = new JsonLinesWriter(file, { fs: system });
    const records = [
      { step: 1, text: 'line\nbreak \u2028 🚋' },
      { step: 2, loss: Number.POSITIVE_INFINITY },
    ];
    for (const record of records) writer.append(record);
    writer.close();
    expect(system.calls.filter((call) => call === 'write')).toHaveLength(2);
    expect(readJsonLines(file)).toEqual([records[0], { step: 2, loss: 'Infinity' }]);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(3);
  });

  it('recovers from being cut at any byte: a prefix stays, and appending goes on (property)', () => {
    const record = fc.record({ step: fc.nat(), text: fc.string(), value: fc.double({ noNaN: true }) });
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (records, cut) => {
          const file = fresh();
          const writer = new JsonLinesWriter(file);
          for (const item of records) writer.append(item);
          writer.close();
          const whole = readJsonLines(file);
          truncateSync(file, Math.floor(cut * readFileSync(file).length));

          const wholeLines = readFileSync(file, 'utf8').split('\n').length - 1;
          const before = readJsonLines(file);
          expect(before).toEqual(whole.slice(0, before.length));
          const again = new JsonLinesWriter(file);
          again.append({ step: -1 });
          again.close();
          expect(readJsonLines(file)).toEqual([...before, { step: -1 }]);
          expect(before.length).toBeGreaterThanOrEqual(wholeLines);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('says how many bytes of a torn line it removed, and keeps a record that lost only its newline', () => {
    const file = fresh();
    writeFileSync(file, '{"a":1}\n{"b":2');
    expect(new JsonLinesWriter(file).repairedBytes).toBe(6);
    writeFileSync(file, `{"a":1}\n{"b":"${'x'.repeat(200_000)}"}`);
    expect(new JsonLinesWriter(file).repairedBytes).toBe(0);
    expect(readJsonLines(file)).toHaveLength(2);
    writeFileSync(file, 'y'.repeat(200_000));
    expect(new JsonLinesWriter(file).repairedBytes).toBe(200_000);
    expect(readFileSync(file)).toHaveLength(0);
  });

  it('stays whole when the disk fills up in the middle of a line, and goes on when there is room', () => {
    for (const code of ['ENOSPC', 'EIO', 'EDQUOT'] as const) {
      const file = fresh();
      const writer = new JsonLinesWriter(file, {
        fs: faultyFileSystem({ call: 'write', code, at: 1, times: 1, shortBy: 4 }),
      });
      writer.append({ step: 1 });
      expect(() => writer.append({ step: 2 })).toThrow(`(${code})`);
      expect(readFileSync(file, 'utf8')).toBe('{"step":1}\n');
      writer.append({ step: 3 });
      expect(readJsonLines(file)).toEqual([{ step: 1 }, { step: 3 }]);
    }
  });

  it('removes half a line later when it could not at once', () => {
    const file = fresh();
    const system = faultyFileSystem(
      { call: 'write', code: 'EIO', at: 1, times: 1, shortBy: 4 },
      { call: 'truncate', code: 'EIO', at: 0, times: 2 },
    );
    const writer = new JsonLinesWriter(file, { fs: system });
    writer.append({ step: 1 });
    expect(() => writer.append({ step: 2 })).toThrow('EIO');
    expect(() => writer.append({ step: 2 })).toThrow('EIO');
    expect(readJsonLines(file)).toEqual([{ step: 1 }]);
    writer.append({ step: 3 });
    expect(readJsonLines(file)).toEqual([{ step: 1 }, { step: 3 }]);
  });

  it('reports a damaged line before the last with its number, and reads an absent file as empty', () => {
    const file = fresh();
    writeFileSync(file, '{"a":1}\nnot json\n{"b":2}\n');
    expect(() => readJsonLines(file)).toThrow(`${file}:2, got "not json"`);
    appendFileSync(file, 'x');
    expect(() => readJsonLines(file)).toThrow(':2');
    expect(readJsonLines(fresh())).toEqual([]);
  });

  it('refuses an append after close, and a folder in place of the file', () => {
    const writer = new JsonLinesWriter(fresh());
    writer.close();
    writer.close();
    expect(() => writer.append({})).toThrow('append after close');
    expect(() => new JsonLinesWriter(within('.'))).toThrow('cannot open');
    expect(() => new JsonLinesWriter(`${within('none')}/there/rows.jsonl`)).toThrow(
      'a folder on the way there does not exist (ENOENT)',
    );
  });
});

describe('a process killed with SIGKILL', () => {
  const compiled = compileSources('telemetry/json-lines.ts');
  afterAll(() => compiled.remove());

  it('leaves every record that append returned from, whole', async () => {
    const file = fresh();
    // The child prints each step after its append; whatever it printed must be in the file.
    const program = `
      import { JsonLinesWriter } from ${JSON.stringify(compiled.file('telemetry/json-lines'))};
      import { writeSync } from 'node:fs';
      const writer = new JsonLinesWriter(${JSON.stringify(file)});
      for (let step = 1; ; step++) { writer.append({ step, pad: 'x'.repeat(step % 3000) }); writeSync(1, step + '\\n'); }`;
    for (const lines of [10, 300]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          printed += chunk.toString();
          if (printed.split('\n').length > lines) resolve();
        });
      });
      child.kill('SIGKILL');
      await once(child, 'close');
      const last = Number(printed.trimEnd().split('\n').at(-1));
      expect(last).toBeGreaterThan(1);
      const steps = readJsonLines(file).map((record) => record.step as number);
      expect(steps.at(-1)).toBeGreaterThanOrEqual(last);
    }
  });
});
