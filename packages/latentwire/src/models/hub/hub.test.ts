import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LatentWireError } from '../../errors.js';
import { FakeHub, type Fault, gitHash, sha256 } from './fake-hub.fixture.js';
import { parseReference } from './reference.js';
import { type ResolveOptions, resolveModel } from './resolve-model.js';
import type { DownloadProgress } from './snapshot.js';

const ID = 'owner/tiny-model';
const MAIN = 'a'.repeat(40);
const WEIGHTS = Buffer.alloc(300_000, 'weights ');

let hub: FakeHub;
let home: string;

beforeEach(async () => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-hub-'));
  hub = new FakeHub(
    ID,
    new Map([
      ['config.json', { content: Buffer.from('{"model_type":"llama"}') }],
      ['tokenizer.json', { content: Buffer.alloc(50_000, 'tok '), large: true }],
      ['tokenizer_config.json', { content: Buffer.from('{}') }],
      ['README.md', { content: Buffer.from('not needed') }],
      ['pytorch_model.bin', { content: Buffer.from('not needed'), large: true }],
      ['model.safetensors', { content: WEIGHTS, large: true }],
      ['quantised/tiny.Q8_0.gguf', { content: Buffer.from('GGUF'), large: true }],
    ]),
  );
  await hub.start();
});

afterEach(async () => {
  await hub.stop();
  fs.rmSync(home, { recursive: true, force: true });
});

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...more };
}

function resolve(reference = ID, options: ResolveOptions = {}) {
  return resolveModel(reference, { env: environment(), retryDelayMs: 1, stallMs: 2000, ...options });
}

async function errorOf(promise: Promise<unknown>): Promise<LatentWireError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason as LatentWireError,
  );
  if (error === undefined) throw new Error('expected an error');
  return error;
}

function fault(file: string, ...faults: Fault[]): void {
  hub.faults.set(file, faults);
}

const repository = () => path.join(home, 'hub', 'models--owner--tiny-model');
const blobs = () => fs.readdirSync(path.join(repository(), 'blobs')).sort();

describe('a hub model', () => {
  it('is downloaded into the cache layout of huggingface_hub', async () => {
    const model = await resolve();
    expect(model).toEqual({ kind: 'folder', path: path.join(repository(), 'snapshots', MAIN), commit: MAIN });
    expect(fs.readFileSync(path.join(repository(), 'refs', 'main'), 'utf8')).toBe(MAIN);
    const link = path.join(model.path, 'model.safetensors');
    expect(fs.readlinkSync(link)).toBe(path.join('..', '..', 'blobs', sha256(WEIGHTS)));
    expect(fs.readFileSync(link).equals(WEIGHTS)).toBe(true);
    const config = hub.files.get('config.json')!.content;
    expect(fs.readlinkSync(path.join(model.path, 'config.json'))).toMatch(gitHash(config));
  });

  it('brings only the files a model needs', async () => {
    const model = await resolve();
    expect(fs.readdirSync(model.path).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  it('leaves the weights out when only the tokenizer is asked for, and adds them later', async () => {
    const model = await resolve(ID, { parts: 'tokenizer' });
    expect(fs.existsSync(path.join(model.path, 'model.safetensors'))).toBe(false);
    await resolve();
    expect(fs.existsSync(path.join(model.path, 'model.safetensors'))).toBe(true);
    expect(hub.fileRequests('tokenizer.json').filter(({ server }) => server === 'storage')).toHaveLength(1);
  });

  it('takes sharded weights by their index', async () => {
    hub.files.delete('model.safetensors');
    const index = {
      weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors', c: 'model-1.safetensors' },
    };
    hub.files.set('model.safetensors.index.json', { content: Buffer.from(JSON.stringify(index)) });
    hub.files.set('model-1.safetensors', { content: Buffer.alloc(1000, 1), large: true });
    hub.files.set('model-2.safetensors', { content: Buffer.alloc(2000, 2), large: true });
    hub.files.set('model-9.safetensors', { content: Buffer.alloc(10, 9), large: true });
    const model = await resolve();
    expect(
      fs
        .readdirSync(model.path)
        .filter((name) => name.startsWith('model'))
        .sort(),
    ).toEqual(['model-1.safetensors', 'model-2.safetensors', 'model.safetensors.index.json']);
  });

  it('may be one GGUF file of a repository', async () => {
    const model = await resolve(`${ID}/quantised/tiny.Q8_0.gguf`);
    expect(model.kind).toBe('gguf');
    expect(fs.readFileSync(model.path, 'utf8')).toBe('GGUF');
    expect(hub.fileRequests('config.json')).toHaveLength(0);
  });

  it('is asked for again only when its revision may have moved', async () => {
    await resolve();
    const before = hub.requests.length;
    await resolve();
    expect(hub.requests.length - before).toBe(1);
    await resolve(`${ID}@${MAIN}`);
    expect(hub.requests.length - before).toBe(1);
  });

  it('follows a revision that moved, sharing unchanged files', async () => {
    await resolve();
    hub.revisions = { main: 'b'.repeat(40), 'refs/pr/1': MAIN };
    const moved = await resolve();
    expect(moved.commit).toBe('b'.repeat(40));
    expect(hub.fileRequests('model.safetensors').filter(({ server }) => server === 'storage')).toHaveLength(
      1,
    );
    expect((await resolve(`${ID}@refs/pr/1`)).commit).toBe(MAIN);
  });

  it('reports progress up to the sum of the needed files', async () => {
    const seen: DownloadProgress[] = [];
    await resolve(ID, { onProgress: (progress) => seen.push(progress) });
    const last = seen.at(-1)!;
    expect(last.bytesDone).toBe(last.bytesTotal);
    expect(last.bytesTotal).toBe(WEIGHTS.length + 50_000 + 22 + 2);
    expect(seen.every(({ bytesDone, bytesTotal }) => bytesDone <= bytesTotal)).toBe(true);
  });

  it('written by huggingface_hub is found without a download', async () => {
    const snapshot = path.join(repository(), 'snapshots', MAIN);
    fs.mkdirSync(snapshot, { recursive: true });
    fs.mkdirSync(path.join(repository(), 'refs'));
    fs.writeFileSync(path.join(repository(), 'refs', 'main'), MAIN);
    for (const name of ['config.json', 'tokenizer.model', 'model.safetensors']) {
      fs.writeFileSync(path.join(snapshot, name), 'x');
    }
    const model = await resolve(ID, { env: environment({ HF_HUB_OFFLINE: '1' }) });
    expect(model.path).toBe(snapshot);
    expect(hub.requests).toHaveLength(0);
  });
});

describe('a download that goes wrong', () => {
  it('goes on where the connection broke off, through the redirect', async () => {
    fault('model.safetensors', { kind: 'drop', after: 100_000 }, { kind: 'drop', after: 50_000 });
    const model = await resolve();
    expect(fs.readFileSync(path.join(model.path, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
    const ranges = hub.fileRequests('model.safetensors').filter(({ server }) => server === 'storage');
    expect(ranges.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
  });

  it('goes on after a stall', async () => {
    fault('model.safetensors', { kind: 'stall', after: 200_000 });
    const model = await resolve(ID, { stallMs: 150 });
    expect(fs.readFileSync(path.join(model.path, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
  });

  it('goes on in a later run, from what an interrupted process left', async () => {
    const folder = path.join(repository(), 'blobs');
    fs.mkdirSync(folder, { recursive: true });
    const left = path.join(folder, `${sha256(WEIGHTS)}.${os.hostname()}-4194999.incomplete`);
    fs.writeFileSync(left, WEIGHTS.subarray(0, 123_456));
    await resolve();
    const [first] = hub.fileRequests('model.safetensors').filter(({ server }) => server === 'storage');
    expect(first!.range).toBe('bytes=123456-');
    expect(blobs().filter((name) => name.endsWith('.incomplete'))).toEqual([]);
  });

  it('leaves the partial file of a living process alone', async () => {
    const folder = path.join(repository(), 'blobs');
    fs.mkdirSync(folder, { recursive: true });
    const other = path.join(folder, `${sha256(WEIGHTS)}.${os.hostname()}-${process.ppid}.incomplete`);
    fs.writeFileSync(other, 'half');
    await resolve();
    expect(fs.readFileSync(other, 'utf8')).toBe('half');
  });

  it('starts again when what was left is of another file', async () => {
    const folder = path.join(repository(), 'blobs');
    fs.mkdirSync(folder, { recursive: true });
    const left = path.join(folder, `${sha256(WEIGHTS)}.${os.hostname()}-4194999.incomplete`);
    fs.writeFileSync(left, Buffer.alloc(1000, 'other'));
    const model = await resolve();
    expect(fs.readFileSync(path.join(model.path, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
  });

  it('starts again when the server ignores the range', async () => {
    fault('model.safetensors', { kind: 'drop', after: 100_000 }, { kind: 'ignore-range' });
    const model = await resolve();
    expect(fs.readFileSync(path.join(model.path, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
  });

  it('waits out a busy server', async () => {
    fault(
      'config.json',
      { kind: 'status', status: 503 },
      { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
    );
    await resolve();
    expect(hub.fileRequests('config.json')).toHaveLength(3);
  });

  it('gives up after attempts that bring nothing, keeping what is there', async () => {
    fault(
      'model.safetensors',
      { kind: 'drop', after: 1000 },
      ...Array<Fault>(5).fill({ kind: 'status', status: 500 }),
    );
    const error = await errorOf(resolve(ID, { attempts: 3 }));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/owner\/tiny-model@a{40}: expected an answer, got 500/);
    const partial = blobs().find((name) => name.endsWith('.incomplete'))!;
    expect(fs.statSync(path.join(repository(), 'blobs', partial)).size).toBe(1000);
    expect(fs.existsSync(path.join(repository(), 'refs', 'main'))).toBe(false);
  });

  it('never keeps damaged bytes', async () => {
    fault('model.safetensors', { kind: 'damage' });
    const error = await errorOf(resolve());
    expect(error.message).toMatch(
      /owner\/tiny-model\/model\.safetensors: expected sha256 [0-9a-f]{64}, got another/,
    );
    expect(blobs()).not.toContain(sha256(WEIGHTS));
    expect(blobs().some((name) => name.endsWith('.incomplete'))).toBe(false);
    await resolve();
    expect(blobs()).toContain(sha256(WEIGHTS));
  });

  it('checks small files by their git hash', async () => {
    fault('config.json', { kind: 'damage' });
    expect((await errorOf(resolve())).message).toMatch(
      /config\.json: expected git-sha1 [0-9a-f]{40}, got another/,
    );
  });

  it.each([
    [401, /expected access, got 401/, /needs HF_TOKEN/],
    [403, /expected access, got 403/, /licence accepted at/],
  ])('says what to do about %i', async (status, message, hint) => {
    hub.apiFault = { status };
    const error = await errorOf(resolve());
    expect(error.code).toBe('network');
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it('names a model or revision that is not there', async () => {
    expect((await errorOf(resolve('owner/absent'))).message).toMatch(
      /owner\/absent@main: expected a model, got 404/,
    );
    const error = await errorOf(resolve(`${ID}@v9`));
    expect(error.code).toBe('input');
    expect(error.message).toMatch(/owner\/tiny-model@v9: expected this revision, got 404/);
  });

  it.each([
    ['stated', false, /model\.safetensors: expected 300000 bytes \(file list\), got a file of 300007/],
    ['found at the end', true, /model\.safetensors: expected 300000 bytes, got more/],
  ])('notices a file of another size than listed, %s', async (_, chunked, message) => {
    fault('model.safetensors', { kind: 'other-size', bytes: 300_007, chunked });
    const error = await errorOf(resolve());
    expect(error.code).toBe('network');
    expect(error.message).toMatch(message);
    expect((await resolve()).commit).toBe(MAIN);
  });

  it('lists what a repository without a usable model holds', async () => {
    hub.files.delete('model.safetensors');
    const error = await errorOf(resolve());
    expect(error.code).toBe('input');
    expect(error.message).toMatch(
      /expected model\.safetensors or model\.safetensors\.index\.json, got: config\.json/,
    );
  });

  it('stops at once when aborted', async () => {
    fault('model.safetensors', { kind: 'stall', after: 10 });
    const abort = new AbortController();
    const promise = resolve(ID, { signal: abort.signal, stallMs: 60_000 });
    setTimeout(() => abort.abort(new Error('stopped by the user')), 100);
    await expect(promise).rejects.toThrow('stopped by the user');
  });

  it('stops the other files when one cannot be had', async () => {
    fault('model.safetensors', { kind: 'stall', after: 10 });
    fault('config.json', { kind: 'status', status: 403 });
    const error = await errorOf(resolve(ID, { stallMs: 60_000 }));
    expect(error.message).toMatch(/expected access, got 403/);
  });

  it('says when the cache folder cannot be written', async () => {
    const file = path.join(home, 'occupied');
    fs.writeFileSync(file, '');
    const error = await errorOf(resolve(ID, { env: environment({ HF_HUB_CACHE: path.join(file, 'hub') }) }));
    expect(error.code).toBe('io');
    expect(error.message).toMatch(/expected a writable cache folder, got ENOTDIR/);
  });
});

describe('the token', () => {
  it('goes to the hub but never to the storage it redirects to', async () => {
    hub.token = 'secret';
    await resolve(ID, { env: environment({ HF_TOKEN: 'secret' }) });
    const seen = (server: 'hub' | 'storage') =>
      new Set(
        hub.requests.filter((request) => request.server === server).map((request) => request.authorization),
      );
    expect(seen('hub')).toEqual(new Set(['Bearer secret']));
    expect(seen('storage')).toEqual(new Set([undefined]));
  });

  it('may stand in the file that the Python tools write', async () => {
    hub.token = 'from-file';
    fs.writeFileSync(path.join(home, 'token'), 'from-file\n');
    expect((await resolve()).commit).toBe(MAIN);
  });
});

describe('without a connection', () => {
  it('offline mode takes the cache and asks nobody', async () => {
    const online = await resolve();
    hub.requests.length = 0;
    const offline = await resolve(ID, { env: environment({ HF_HUB_OFFLINE: 'yes' }) });
    expect(offline).toEqual(online);
    expect(hub.requests).toHaveLength(0);
  });

  it('offline mode says what is not in the cache', async () => {
    const error = await errorOf(resolve(ID, { env: environment({ HF_HUB_OFFLINE: '1' }) }));
    expect(error.message).toMatch(/owner\/tiny-model@main: expected a complete copy in .*hub, got none/);
  });

  it('an incomplete copy does not count', async () => {
    const { path: snapshot } = await resolve();
    fs.rmSync(path.join(snapshot, 'model.safetensors'));
    await expect(resolve(ID, { env: environment({ HF_HUB_OFFLINE: '1' }) })).rejects.toThrow(
      /expected a complete copy/,
    );
  });

  it('a hub that cannot be reached is replaced by the cache, with a warning', async () => {
    const online = await resolve();
    await hub.stop();
    const warnings: string[] = [];
    expect(await resolve(ID, { onWarning: (message) => warnings.push(message) })).toEqual(online);
    expect(warnings[0]).toMatch(/using owner\/tiny-model from the cache.*ECONNREFUSED/s);
    const error = await errorOf(resolve('owner/other'));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/ECONNREFUSED/);
    await hub.start();
  });
});

describe('references', () => {
  it('are paths when something is there, else hub names', () => {
    expect(parseReference(home)).toEqual({ kind: 'folder', path: home });
    const gguf = path.join(home, 'x.gguf');
    fs.writeFileSync(gguf, '');
    expect(parseReference(gguf)).toEqual({ kind: 'gguf', path: gguf });
    expect(parseReference('Qwen/Qwen2.5-0.5B@v1.0')).toEqual({
      kind: 'hub',
      id: 'Qwen/Qwen2.5-0.5B',
      revision: 'v1.0',
      file: undefined,
    });
    expect(parseReference('a/b/sub/c.gguf')).toMatchObject({
      id: 'a/b',
      revision: 'main',
      file: 'sub/c.gguf',
    });
  });

  it.each([
    '',
    'model',
    './absent',
    '/absent/folder',
    'a/../b',
    'a/b@..',
    'a/b@x/../y',
    'a/b/c',
    'a/b.gguf',
    'a b/c',
    'a/b@@',
  ])('refuse %j', (reference) => {
    expect(() => parseReference(reference)).toThrow(/expected a model folder, a \.gguf file or owner\/name/);
  });

  it('name bundled models alike on every machine', () => {
    const found = parseReference('bundled:tiny-llama');
    expect(found).toMatchObject({ kind: 'folder', path: expect.stringMatching(/assets.tiny-llama$/) });
    expect(() => parseReference('bundled:tiny-lama')).toThrow(
      expect.objectContaining({ code: 'input', hint: 'did you mean bundled:tiny-llama?' }),
    );
  });

  it('refuse a file that is no model', () => {
    const file = path.join(home, 'config.json');
    fs.writeFileSync(file, '{}');
    expect(() => parseReference(file)).toThrow(/expected a model folder or a \.gguf file, got the file/);
  });
});
