import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { compileSources } from '../../test/support/compile-sources.js';
import { type Fault, faultyFileSystem } from '../../test/support/faulty-file-system.js';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { LogTee, type TeeStream } from './log-tee.js';

const within = temporaryFolder();
let next = 0;
function fresh(): string {
  const folder = within(`logs-${next++}`);
  mkdirSync(folder);
  return folder;
}

/** A stream that keeps what passes through. */
function sink(): TeeStream & { text: () => string } {
  let all = '';
  const write = (chunk: string | Uint8Array) => {
    all += Buffer.from(chunk as string).toString();
    return true;
  };
  return { write: write as TeeStream['write'], text: () => all };
}

const clock = { now: () => new Date(2026, 0, 5, 11, 54, 7), monotonicMs: () => 0 };

describe('log tee', () => {
  it('copies both streams line by line and passes everything on', () => {
    const folder = fresh();
    const [stdout, stderr] = [sink(), sink()];
    const tee = new LogTee(folder, { stdout, stderr, clock });
    const log = () => readFileSync(tee.path, 'utf8');
    stdout.write('one ');
    stderr.write('warning\n');
    stdout.write('line\ntwo');
    expect(log()).toBe('warning\none line\n');
    stdout.write(Buffer.from(' \xc3\xa9'.slice(0, 2), 'latin1'));
    stdout.write(Buffer.from('\xa9\n', 'latin1'));
    stdout.write('progress 1\rprogress 2');
    expect(log()).toBe('warning\none line\ntwo é\nprogress 1\r');
    tee.close();
    tee.close();
    stdout.write('after\n');
    expect(log()).toBe('warning\none line\ntwo é\nprogress 1\rprogress 2');
    expect(stdout.text().startsWith('one line\ntwo ')).toBe(true);
    expect(stderr.text()).toBe('warning\n');
  });

  it('names the log by the time of the start, never reuses a name, and keeps latest.log on the newest', () => {
    const folder = fresh();
    const options = { stdout: sink(), stderr: sink(), clock };
    for (let i = 0; i < 3; i++) new LogTee(folder, options).close();
    expect(readdirSync(folder).sort()).toEqual([
      'latest.log',
      'train_20260105_115407.log',
      'train_20260105_115407_2.log',
      'train_20260105_115407_3.log',
    ]);
    expect(readlinkSync(`${folder}/latest.log`)).toBe('train_20260105_115407_3.log');
  });

  it('goes on without the log when the disk is full, warns once, and marks the gap afterwards', () => {
    const folder = fresh();
    const [stdout, stderr] = [sink(), sink()];
    const fault: Fault = { call: 'write', code: 'ENOSPC', at: 1, times: 2 };
    const tee = new LogTee(folder, { stdout, stderr, clock, fs: faultyFileSystem(fault) });
    for (const line of ['a\n', 'bb\n', 'ccc\n', 'd\n']) stdout.write(line);
    tee.close();
    expect(stdout.text()).toBe('a\nbb\nccc\nd\n');
    expect(stderr.text()).toMatch(
      /^warning: cannot write .*: the disk is full \(ENOSPC\); going on without the log\n$/,
    );
    expect(readFileSync(tee.path, 'utf8')).toBe(
      'a\n\n[7 bytes are missing here: the log could not be written]\nd\n',
    );
  });

  it('refuses to start where no log can be made', () => {
    expect(() => new LogTee(within('absent'), { stdout: sink(), stderr: sink() })).toThrow('cannot create');
  });
});

describe('log tee in a process', () => {
  const compiled = compileSources('telemetry/log-tee.ts');
  afterAll(() => compiled.remove());

  function run(body: string, options: 'plain' | 'capture' = 'plain') {
    const folder = fresh();
    const capture = options === 'capture';
    const program = `
      import { LogTee } from ${JSON.stringify(compiled.file('telemetry/log-tee'))};
      ${capture ? `import { captureOutput } from '@latentwire/torch';` : ''}
      const tee = new LogTee(${JSON.stringify(folder)}, ${capture ? '{ capture: captureOutput }' : '{}'});
      ${body}`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    return { ...child, log: readFileSync(`${folder}/latest.log`, 'utf8') };
  }

  it('preserves the exit code and logs unfinished output at exit', () => {
    const { status, stdout, log } = run(
      `console.log('out'); console.error('err'); process.stdout.write('end'); process.exitCode = 3;`,
    );
    expect(status).toBe(3);
    expect(stdout).toBe('out\nend');
    expect(log).toBe('out\nerr\nend');
    expect(run(`process.exit(2)`).status).toBe(2);
  });

  it('logs an uncaught error, which Node prints past the streams', () => {
    const { status, stderr, log } = run(`setTimeout(() => { throw new Error('lost'); }, 1);`);
    expect(status).toBe(1);
    expect(stderr).toContain('Error: lost');
    expect(log).toContain('Error: lost\n    at ');
  });

  it('keeps the last line through kill −9', () => {
    const { signal, log } = run(
      `console.log('step 1'); console.log('step 2'); process.kill(process.pid, 'SIGKILL'); for (;;);`,
    );
    expect(signal).toBe('SIGKILL');
    expect(log).toBe('step 1\nstep 2\n');
  });

  // A child process that inherits the descriptors writes the way a native library does: past Node's streams.
  const native = (text: string) => `
    (await import('node:child_process')).spawnSync('sh', ['-c', 'echo ${text}; echo ${text} 2 >&2'], { stdio: 'inherit' });`;

  it('has what native code writes past the streams, each line once, and passes it on', () => {
    const { status, stdout, stderr, log } = run(
      `console.log('before'); ${native('native')} console.error('after'); tee.close(); ${native('later')}
       console.log('end'); process.exitCode = 4;`,
      'capture',
    );
    expect(status).toBe(4);
    expect(stdout.split('\n').sort()).toEqual(['', 'before', 'end', 'later', 'native'].sort());
    expect(stderr.split('\n').sort()).toEqual(['', 'after', 'later 2', 'native 2'].sort());
    expect(log.split('\n').sort()).toEqual(['', 'after', 'before', 'native', 'native 2'].sort());
  });

  it('logs native output at exit, and keeps the last line through kill −9 with it', () => {
    expect(run(`${native('last words')} process.exit(3);`, 'capture')).toMatchObject({
      status: 3,
      log: expect.stringContaining('last words 2\n') as string,
    });
    const killed = run(`console.log('step 1'); process.kill(process.pid, 'SIGKILL'); for (;;);`, 'capture');
    expect([killed.signal, killed.log, killed.stdout]).toEqual(['SIGKILL', 'step 1\n', 'step 1\n']);
  });

  it('leaves stdout to the result when --json sends everything else to stderr', () => {
    const { stdout, stderr } = run(
      `const json = process.stdout.write; tee.close();
       process.stdout.write = process.stderr.write.bind(process.stderr);
       const second = new LogTee(tee.path.replace(/[^/]*$/, ''), { capture: captureOutput });
       console.log('library'); second.close();
       process.stdout.write = json; process.stdout.write('{}');`,
      'capture',
    );
    expect([stdout, stderr]).toEqual(['{}', 'library\n']);
  });
});
