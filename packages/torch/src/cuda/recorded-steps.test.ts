import { describe, expect, it } from 'vitest';
import { TorchError } from '../error.js';
import * as t from '../index.js';
import { native } from '../native.js';
import { RecordedSteps, record, walk } from './recorded-steps.js';

/** A small training step: embedding, product, loss, backward. */
function step(weight: t.Tensor, ids: number[], scale: number): t.Tensor {
  return t.scope(() => {
    const index = t.fromTypedArray(Int32Array.from(ids), [ids.length]).to({ dtype: 'int64' });
    const rows = t.scope(() => t.mul(t.embedding(weight, index), scale));
    const loss = t.mean(t.square(rows));
    t.backward(loss);
    return loss.detach();
  });
}

describe('a recorded step', () => {
  it('is walked without executing anything, and gets the shapes it asks for', () => {
    using weight = t.keep(t.reshape(t.arange(0, 12, 1, { dtype: 'float32' }), [4, 3])).setRequiresGrad();
    let shapes: unknown[] = [];
    const body = (ids: number[]) =>
      t.scope(() => {
        const index = t.fromTypedArray(Int32Array.from(ids), [ids.length]).to({ dtype: 'int64' });
        const rows = t.scope(() => t.embedding(weight, index));
        shapes = [rows.shape, rows.dtype, rows.device];
        return t.sum(rows);
      });
    const before = t.liveTensors();
    const { step: recorded, result } = record(() => body([0, 1]), false);
    expect(result.item()).toBe(15);
    const first = shapes;
    const again = walk(recorded, () => body([2, 3]));
    expect(again.whole).toBe(true);
    expect(shapes).toEqual(first);
    expect(shapes).toEqual([[2, 3], 'float32', 'cpu']);
    expect((again.result as t.Tensor).handle).toBe(result.handle);
    native.forgetStep(recorded);
    expect(t.liveTensors()).toBe(before);
  });

  it('notices another operator, number, tensor or amount of data before anything ran', () => {
    using weight = t.keep(t.reshape(t.arange(0, 12, 1, { dtype: 'float32' }), [4, 3])).setRequiresGrad();
    using other = t.keep(t.zerosLike(weight)).setRequiresGrad();
    const { step: recorded } = record(() => step(weight, [0, 1], 2), false);
    const gradient = weight.grad!.toArray();
    expect(walk(recorded, () => step(weight, [3, 2], 2)).whole).toBe(true);
    expect(walk(recorded, () => step(weight, [3, 2], 3)).whole).toBe(false);
    expect(walk(recorded, () => step(other, [3, 2], 2)).whole).toBe(false);
    expect(walk(recorded, () => step(weight, [3, 2, 1], 2)).whole).toBe(false);
    expect(walk(recorded, () => t.sum(weight)).whole).toBe(false);
    expect(walk(recorded, () => undefined).whole).toBe(false);
    expect(weight.grad!.toArray()).toEqual(gradient);
    expect(other.grad).toBeNull();
    // After a stopped walk everything works as before.
    expect(t.scope(() => t.sum(weight).item())).toBe(66);
    native.forgetStep(recorded);
  });

  it('refuses to read values inside and leaves no tensors behind after an error', () => {
    using weight = t.keep(t.reshape(t.arange(0, 12, 1, { dtype: 'float32' }), [4, 3]));
    const before = t.liveTensors();
    expect(() => record(() => t.scope(() => t.sum(weight).item()), false)).toThrow(/read them after it/);
    expect(() =>
      record(
        () =>
          t.scope(() => {
            t.sum(weight);
            throw new Error('own');
          }),
        false,
      ),
    ).toThrow('own');
    expect(t.liveTensors()).toBe(before);
  });

  it('lets an error of the body itself through a walk', () => {
    using weight = t.keep(t.reshape(t.arange(0, 12, 1, { dtype: 'float32' }), [4, 3]));
    const { step: recorded } = record(() => t.scope(() => t.sum(weight)), false);
    expect(() =>
      walk(recorded, () => {
        throw new RangeError('own');
      }),
    ).toThrow('own');
    native.forgetStep(recorded);
  });

  it('rehearses: the values of plain runs, and a count of steps that could not have been launched', () => {
    using steps = new RecordedSteps({ mode: 'rehearse' });
    using weight = t.keep(t.reshape(t.arange(0, 12, 1, { dtype: 'float32' }), [4, 3])).setRequiresGrad();
    const losses = [0, 1, 2, 1, 2].map((i) =>
      t.scope(() => steps.run('k', () => step(weight, [i], i === 1 ? 2 : 1)).item()),
    );
    expect(losses).toEqual([5 / 3, 200 / 3, 149 / 3, 200 / 3, 149 / 3].map(Math.fround));
    expect(steps.counts).toEqual({ plain: 4, recorded: 1, launched: 0, mismatches: 1 });
  });

  it('records nothing while that does not pay', () => {
    let pays = false;
    using steps = new RecordedSteps({ mode: 'rehearse', pays: () => pays });
    for (let i = 0; i < 6; i++) {
      if (i === 4) pays = true;
      t.scope(() => steps.run('k', () => t.zeros([2])));
    }
    expect(steps.counts).toEqual({ plain: 4, recorded: 1, launched: 1, mismatches: 0 });
  });

  it('gives the place of a key that was not used for long to another one', () => {
    using steps = new RecordedSteps({ mode: 'rehearse', limit: 2 });
    const run = (key: string, times: number): void => {
      for (let i = 0; i < times; i++) t.scope(() => void steps.run(key, () => t.zeros([2])));
    };
    const before = t.liveTensors();
    run('a', 3);
    run('b', 3);
    run('c', 5);
    // Both were used less than eight runs ago.
    expect(steps.counts).toEqual({ plain: 7, recorded: 2, launched: 2, mismatches: 0 });
    run('b', 1);
    run('c', 3);
    expect(steps.counts.recorded).toBe(3);
    run('b', 1);
    run('a', 1);
    expect(steps.counts).toEqual({ plain: 8, recorded: 3, launched: 6, mismatches: 0 });
    steps.dispose();
    expect(t.liveTensors()).toBe(before);
  });

  it('makes room before each recording, and only then', () => {
    let rooms = 0;
    using steps = new RecordedSteps({ mode: 'rehearse', makeRoom: () => rooms++ });
    for (const key of ['a', 'a', 'a', 'b', 'b', 'c']) t.scope(() => steps.run(key, () => t.zeros([2])));
    expect([rooms, steps.counts.recorded]).toEqual([2, 2]);
  });

  it.each([
    [
      'again when the memory it lacked was given back',
      1,
      { plain: 1, recorded: 1, launched: 2, mismatches: 0 },
    ],
    ['plainly when that is not enough', 2, { plain: 4, recorded: 0, launched: 0, mismatches: 0 }],
  ])('goes on %s', (_, failures, counts) => {
    let lacking = 0;
    using steps = new RecordedSteps({ mode: 'rehearse', makeRoom: () => (lacking = failures) });
    const body = (value: number): t.Tensor => {
      if (lacking-- > 0) throw new TorchError('CUDA out of memory. Tried to allocate 2.00 GiB');
      return t.fromTypedArray(Float32Array.of(value), [1]);
    };
    const values = [1, 2, 3, 4].map((value) => t.scope(() => steps.run('k', () => body(value)).item()));
    expect(values).toEqual([1, 2, 3, 4]);
    expect(steps.counts).toEqual(counts);
  });

  it('repeats a body as often as it is asked to', () => {
    using steps = new RecordedSteps({ mode: 'rehearse' });
    using sum = t.keep(t.zeros([1]));
    const add = (): void => void t.add_(sum, 1);
    steps.repeat('k', add, 5);
    steps.repeat('k', add, 1);
    expect(sum.item()).toBe(6);
    expect(steps.counts).toEqual({ plain: 1, recorded: 1, launched: 4, mismatches: 0 });
  });

  it('runs plainly where no graph can be captured', () => {
    using steps = new RecordedSteps({ mode: 'off' });
    using weight = t.keep(t.reshape(t.arange(0, 12, 1, { dtype: 'float32' }), [4, 3])).setRequiresGrad();
    const losses = [0, 1, 2].map((i) => t.scope(() => steps.run('k', () => step(weight, [i], 1)).item()));
    expect(losses).toEqual([5 / 3, 50 / 3, 149 / 3].map(Math.fround));
    expect(steps.counts).toEqual({ plain: 3, recorded: 0, launched: 0, mismatches: 0 });
  });
});

describe.skipIf(!native.graphsAvailable())('a captured step', () => {
  const run = (steps: RecordedSteps, device: t.Device): number[] => {
    using weight = t
      .keep(t.reshape(t.arange(0, 12, 1, { dtype: 'float32', device }), [4, 3]))
      .setRequiresGrad();
    weight.grad = t.zerosLike(weight);
    const losses: number[] = [];
    for (let i = 0; i < 8; i++) {
      t.scope(() => {
        const loss = steps.run('k', () =>
          t.scope(() => {
            const ids = t.fromTypedArray(Int32Array.of(i % 4, (i * 3) % 4), [2], { device });
            const value = t.mean(t.square(t.embedding(weight, ids.to({ dtype: 'int64' }))));
            t.backward(value);
            return value.detach();
          }),
        );
        losses.push(loss.item());
      });
    }
    return [...losses, ...weight.grad.toArray()];
  };
  const plain = (device: t.Device): number[] => run(new RecordedSteps({ mode: 'off' }), device);
  const counts = { plain: 1, recorded: 1, launched: 6, mismatches: 0 };

  it('gives the values of plain runs, on new data each time', () => {
    using captured = new RecordedSteps();
    expect(run(captured, 'cuda')).toEqual(plain('cuda'));
    expect(captured.counts).toEqual(counts);
  });

  it('can be captured when all recordings before it were freed, and their memory with them', () => {
    for (let i = 0; i < 3; i++) {
      using captured = new RecordedSteps();
      expect(run(captured, 'cuda')).toEqual(plain('cuda'));
      expect(captured.counts).toEqual(counts);
    }
  });

  it.each([
    ['is captured when the memory it lacked was given back', false, { plain: 1, recorded: 1, launched: 2 }],
    ['goes on plainly when that is not enough', true, { plain: 4, recorded: 0, launched: 0 }],
  ])('%s', (_, pinnedDown, counts) => {
    const device = 'cuda:0';
    const MIB = 2 ** 20;
    const floats = (mib: number): t.Tensor => t.ones([(mib * MIB) / 4], { device });
    t.emptyCache(device);
    const { reserved, total } = t.memoryStatistics(device)!;
    using steps = new RecordedSteps({ makeRoom: () => {} });
    try {
      t.limitMemory(device, (reserved + 900 * MIB) / total);
      // A block of which something is in use stays with torch's allocator.
      floats(516).dispose();
      using rest = floats(4);
      if (!pinnedDown) rest.dispose();
      for (let i = 0; i < 4; i++) {
        t.scope(() => {
          expect(steps.run('k', () => t.scope(() => t.sum(floats(512)))).item()).toBe(128 * MIB);
        });
      }
      expect(steps.counts).toMatchObject(counts);
    } finally {
      t.limitMemory(device, 1);
    }
  });

  it.skipIf(t.cudaDeviceCount() < 2)('works on another device than the first', () => {
    using captured = new RecordedSteps({ device: 'cuda:1' });
    expect(run(captured, 'cuda:1')).toEqual(plain('cuda:1'));
    expect(captured.counts).toEqual(counts);
  });
});
