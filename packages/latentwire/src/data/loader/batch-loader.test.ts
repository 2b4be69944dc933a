import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { compileSources } from '../../../test/support/compile-sources.js';
import type * as LoaderModule from './index.js';
import { sharedViews, shareLists } from './index.js';

// Threads cannot run TypeScript: the loader under test is a compiled one.
const sources = compileSources('data/loader/index.ts', 'data/loader/loader-worker.ts');
afterAll(() => sources.remove());
const { BatchLoader } = (await import(sources.file('data/loader/index'))) as typeof LoaderModule;
const module = new URL('./sum-composer.fixture.mjs', import.meta.url);

interface Batch {
  readonly step: number;
  readonly ids: Int32Array;
  readonly lengths: Int32Array;
}
interface Request {
  readonly step: number;
  readonly indices: readonly number[];
  readonly fault: string | null;
}

const lists = shareLists(
  Array.from({ length: 50 }, (_, i) => Array.from({ length: i % 7 }, (_, k) => i * 10 + k)),
);

function loader(options: {
  workers: number;
  start?: number;
  end?: number;
  prefetch?: number;
  fault?: [number, string];
  asked?: number[];
}) {
  const { workers, start = 0, end = 40, prefetch = 2, fault, asked } = options;
  return new BatchLoader<Batch, unknown, Request>({
    ...{ module, data: { lists, slow: true }, workers, start, end, prefetch },
    request: (step) => {
      asked?.push(step);
      const indices = [0, 1, 2].map((k) => (step * 11 + k * 3) % 50);
      return { step, indices, fault: fault?.[0] === step ? fault[1] : null };
    },
  });
}

async function all(
  from: InstanceType<typeof LoaderModule.BatchLoader<Batch, unknown, Request>>,
  end: number,
): Promise<Batch[]> {
  const batches: Batch[] = [];
  while (from.position < end) batches.push(await from.next());
  await from.close();
  return batches;
}

describe('the batch loader', () => {
  it('gives the same batches in the same order for any number of workers and prefetch', async () => {
    const expected = await all(loader({ workers: 0 }), 40);
    expect(expected.map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, step) => step));
    expect(new Set(expected.map(({ ids }) => ids.join())).size).toBeGreaterThan(20);
    for (const [workers, prefetch] of [
      [1, 1],
      [2, 2],
      [4, 3],
    ] as const) {
      expect(await all(loader({ workers, prefetch }), 40)).toEqual(expected);
    }
  });

  it('starts at any step without composing the ones before', async () => {
    const expected = (await all(loader({ workers: 0 }), 40)).slice(33);
    for (const workers of [0, 2]) {
      const asked: number[] = [];
      expect(await all(loader({ workers, start: 33, asked }), 40)).toEqual(expected);
      expect(Math.min(...asked)).toBe(33);
    }
  });

  it('asks for no more than workers × prefetch batches ahead', async () => {
    const asked: number[] = [];
    const held = loader({ workers: 2, prefetch: 3, asked });
    await sleep(50);
    expect(asked).toHaveLength(6);
    await held.next();
    await sleep(20);
    expect(asked).toHaveLength(7);
    await held.close();
  });

  it('says at its own step that a batch cannot be composed, with workers as without', async () => {
    for (const workers of [0, 2]) {
      const failing = loader({ workers, fault: [5, 'throw'] });
      for (let step = 0; step < 5; step++) expect((await failing.next()).step).toBe(step);
      await expect(failing.next()).rejects.toThrow('cannot compose the batch of step 5: no batch 5');
      await failing.close();
    }
  });

  it('names the worker that died, and does not wait for it', async () => {
    for (const [fault, reason] of [
      ['exit', 'it ended with code 3'],
      ['crash', 'broken thread'],
    ] as const) {
      const dying = loader({ workers: 2, fault: [4, fault] });
      const error = await all(dying, 40).then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code: 'internal', hint: expect.stringContaining('--num-workers 0') });
      expect((error as Error).message).toMatch(/batch worker \d died/);
      expect((error as Error).message).toContain(reason);
      await dying.close();
    }
  });

  it('names a module that cannot be loaded', async () => {
    const absent = new BatchLoader({
      ...{ module: new URL('file:///no/such/module.mjs'), data: null, workers: 1, prefetch: 1 },
      ...{ start: 0, end: 3, request: (step: number) => step },
    });
    await expect(absent.next()).rejects.toThrow('/no/such/module.mjs');
    await absent.close();
  });

  it('ends while a batch is waited for, and gives nothing after its end', async () => {
    const closing = loader({ workers: 1 });
    const waiting = closing.next();
    const failed = expect(waiting).rejects.toMatchObject({ code: 'state' });
    await closing.close();
    await failed;
    await expect(closing.next()).rejects.toThrow('the loader is closed');
    const done = loader({ workers: 2, end: 1 });
    await done.next();
    await expect(done.next()).rejects.toThrow('the last step is 0');
    await done.close();
  });
});

describe('shared lists', () => {
  it('are the lists that were given, stored once for every array', () => {
    const twice = [1, 2, 3];
    const lists = shareLists([twice, [], null, twice, [4]]);
    expect(sharedViews(lists).map((view) => view && [...view])).toEqual([
      [1, 2, 3],
      [],
      null,
      [1, 2, 3],
      [4],
    ]);
    expect(lists.values).toHaveLength(4);
    // Whoever looks for equal texts by their array finds them here too.
    const views = sharedViews(lists);
    expect(views[3]).toBe(views[0]);
    expect(lists.values.buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});
