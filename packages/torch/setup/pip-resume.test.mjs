/**
 * A wheel whose download is cut off, or whose pip is killed, is continued: checked with the real pip of the cache
 * against an index on this machine. Skipped where the set-up has had no need of a pip of its own.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cacheFolders } from './cache.mjs';
import { download } from './pip.mjs';
import { run } from './process.mjs';

const PYTHON = join(cacheFolders().pip, 'bin/python');
const WHEEL = 'torch-9.9.9-py3-none-any.whl';
/** Bytes after which the server goes silent. */
const CUT = 3_000_000;

/** @type {string} */
let folder;
/** @type {Buffer} */
let wheel;
/** @type {(string | undefined)[]} Range headers of the requests for the wheel */
let ranges;
/** @type {'stall' | 'drop' | 'serve' | 'ignore-range' | 'refuse'} */
let behaviour;
/** @type {import('node:http').Server} */
let server;

describe.skipIf(!existsSync(PYTHON))('continuing a download', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'latentwire-pip-'));
    wheel = await makeWheel(folder);
    ranges = [];
    behaviour = 'serve';
    server = createServer(answer);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  test('after pip was killed, only the rest is asked for and the file is whole', async () => {
    const kept = await killMidway();
    behaviour = 'serve';
    const result = await get();
    expect(result).toMatchObject({ ok: true, bytes: wheel.length - kept });
    expect(ranges).toEqual([undefined, `bytes=${kept}-`]);
    expect(downloaded().equals(wheel)).toBe(true);
  });

  test('a dropped connection is continued within the same run', async () => {
    behaviour = 'drop';
    expect((await get()).ok).toBe(true);
    expect(ranges.length).toBeGreaterThan(1);
    expect(ranges[1]).toMatch(/^bytes=\d+-$/);
    expect(downloaded().equals(wheel)).toBe(true);
  });

  test('a server that ignores ranges is downloaded from the start', async () => {
    await killMidway();
    behaviour = 'ignore-range';
    expect(await get()).toMatchObject({ ok: true, bytes: wheel.length });
    expect(downloaded().equals(wheel)).toBe(true);
  });

  test('a wrong beginning is noticed by its hash, thrown away, and the next run succeeds', async () => {
    await killMidway();
    const part = partFile();
    writeFileSync(part, randomBytes(statSync(part).size));
    behaviour = 'serve';
    const result = await get();
    expect(result.ok).toBe(false);
    expect(result.detail).toMatch(/HASH|hash/);
    expect((await get()).ok).toBe(true);
    expect(downloaded().equals(wheel)).toBe(true);
  });

  test('a complete part, killed before it was moved, is used without another download', async () => {
    await killMidway();
    writeFileSync(partFile(), wheel);
    behaviour = 'serve';
    expect((await get()).ok).toBe(true);
    expect(downloaded().equals(wheel)).toBe(true);
  });

  test('a server error is no partial file', async () => {
    behaviour = 'refuse';
    const result = await get();
    expect(result).toMatchObject({ ok: false, problem: 'network' });
    expect(existsSync(join(folder, 'wheels', WHEEL))).toBe(false);
  });
});

const index = () =>
  `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/simple/`;
const downloaded = () => readFileSync(join(folder, 'wheels', WHEEL));
const environment = () => ({
  PATH: process.env.PATH,
  HOME: folder,
  NO_PROXY: '127.0.0.1',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
});

function get() {
  const pip = { python: PYTHON, env: environment(), log: join(folder, 'pip.log'), version: '26.3' };
  return download(pip, ['torch'], {
    folder: join(folder, 'wheels'),
    parts: join(folder, 'parts'),
    index: index(),
  });
}

function partFile() {
  const [name = 'none'] = readdirSync(join(folder, 'parts')).filter((file) => file !== 'tmp');
  return join(folder, 'parts', name);
}

/**
 * Starts a download, kills pip when the server has gone silent.
 * @returns {Promise<number>} bytes that are kept
 */
async function killMidway() {
  behaviour = 'stall';
  mkdirSync(join(folder, 'parts/tmp'), { recursive: true });
  const script = join(import.meta.dirname, 'pip_resume.py');
  const args = [
    '-I',
    script,
    join(folder, 'parts'),
    'download',
    '--no-deps',
    '--no-cache-dir',
    '--index-url',
    index(),
  ];
  const child = spawn(PYTHON, [...args, '--dest', join(folder, 'wheels'), 'torch'], {
    env: environment(),
    stdio: 'ignore',
  });
  const size = () => (existsSync(partFile()) ? statSync(partFile()).size : 0);
  while (size() < CUT / 2) await sleep(20);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
  return size();
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
function answer(request, response) {
  if (request.url === '/simple/torch/') {
    const hash = createHash('sha256').update(wheel).digest('hex');
    response.setHeader('content-type', 'text/html');
    response.end(`<!DOCTYPE html><a href="/files/${WHEEL}#sha256=${hash}">${WHEEL}</a>`);
    return;
  }
  ranges.push(request.headers.range);
  if (behaviour === 'refuse') {
    response.statusCode = 503;
    response.end();
    return;
  }
  const from =
    behaviour === 'ignore-range' ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from >= wheel.length) {
    response.statusCode = 416;
    response.setHeader('content-range', `bytes */${wheel.length}`);
    response.end();
    return;
  }
  response.statusCode = from > 0 ? 206 : 200;
  if (from > 0) response.setHeader('content-range', `bytes ${from}-${wheel.length - 1}/${wheel.length}`);
  response.setHeader('content-length', wheel.length - from);
  response.setHeader('accept-ranges', 'bytes');
  if (behaviour === 'serve' || behaviour === 'ignore-range') {
    response.end(wheel.subarray(from));
    return;
  }
  response.write(wheel.subarray(from, from + CUT), () => {
    if (behaviour === 'drop') {
      behaviour = 'serve';
      response.destroy();
    }
  });
}

/**
 * A wheel of 8 MB that does not compress.
 * @param {string} where
 */
async function makeWheel(where) {
  const script = `
import os, zipfile
with zipfile.ZipFile('${WHEEL}', 'w') as z:
    z.writestr('torch/blob', os.urandom(8_000_000))
    z.writestr('torch-9.9.9.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: torch\\nVersion: 9.9.9\\n')
    z.writestr('torch-9.9.9.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('torch-9.9.9.dist-info/RECORD', '')
`;
  const { ok, output } = await run(PYTHON, ['-I', '-c', script], { cwd: where });
  if (!ok) throw new Error(output);
  return readFileSync(join(where, WHEEL));
}
