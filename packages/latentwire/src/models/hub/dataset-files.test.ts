import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchDatasetFiles } from './dataset-files.js';
import { FakeHub } from './fake-hub.fixture.js';

const ID = 'owner/questions';
const PARTS = ['part/train-0.parquet', 'part/train-1.parquet'];

let hub: FakeHub;
let home: string;

beforeEach(async () => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-hub-'));
  const files = PARTS.map(
    (name, i) => [name, { content: Buffer.alloc(70_000, `part ${i} `), large: true }] as const,
  );
  hub = new FakeHub(ID, new Map(files), 'datasets');
  await hub.start();
});

afterEach(async () => {
  await hub.stop();
  fs.rmSync(home, { recursive: true, force: true });
});

const fetchParts = (paths: readonly string[] = PARTS, more: NodeJS.ProcessEnv = {}) =>
  fetchDatasetFiles(ID, paths, {
    env: { HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...more },
    retryDelayMs: 1,
    attempts: 2,
  });

describe('files of a dataset', () => {
  it('are downloaded once, in order, into the cache folder of datasets', async () => {
    const files = await fetchParts();
    expect(files.map((file) => fs.readFileSync(file, 'utf8').slice(0, 6))).toEqual(['part 0', 'part 1']);
    expect(path.relative(home, files[0]!)).toMatch(
      /^hub\/datasets--owner--questions\/snapshots\/a{40}\/part\//,
    );
    expect(await fetchParts()).toEqual(files);
    expect(hub.fileRequests('train-0.parquet')).toHaveLength(2); // the hub, and the storage it points to
  });

  it('come from the cache without a connection', async () => {
    const files = await fetchParts();
    expect(await fetchParts(PARTS, { HF_HUB_OFFLINE: '1' })).toEqual(files);
    hub.apiFault = { status: 503 };
    expect(await fetchParts()).toEqual(files);
  });

  it('go on where a broken download stopped', async () => {
    hub.faults.set('part/train-0.parquet', [{ kind: 'drop', after: 30_000 }]);
    const [file] = await fetchParts();
    expect(fs.statSync(file!).size).toBe(70_000);
  });

  it('are named when the repository lacks them, and when nothing is cached offline', async () => {
    await expect(fetchParts(['part/absent.parquet'])).rejects.toThrow(
      'expected part/absent.parquet, got: part/train-0.parquet, part/train-1.parquet',
    );
    await expect(fetchParts(PARTS, { HF_HUB_OFFLINE: '1' })).rejects.toThrow(
      'expected a copy of the dataset',
    );
    await expect(
      fetchDatasetFiles('owner/other', PARTS, { env: { HF_HOME: home, HF_ENDPOINT: hub.endpoint } }),
    ).rejects.toThrow('expected a dataset, got 404');
  });
});
