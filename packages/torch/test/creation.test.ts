/** Tensors made from JavaScript data or from random numbers, and the state of the generators behind them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { backward } from '../src/autograd.js';
import { cudaIsAvailable, type Device } from '../src/device.js';
import { dtypeBytes, dtypes } from '../src/dtype.js';
import {
  add,
  arange,
  dropout,
  empty,
  emptyLike,
  eye,
  fromBytes,
  fromTypedArray,
  full,
  linspace,
  mean,
  mul,
  ones,
  rand,
  randint,
  randn,
  randperm,
  sum,
  tensor,
  zeros,
} from '../src/ops/index.js';
import {
  defaultGeneratorState,
  Generator,
  manualSeed,
  restoreDefaultGenerator,
} from '../src/random/generator.js';
import { scope } from '../src/scope.js';
import type { Tensor } from '../src/tensor.js';

interface GoldenRandom {
  readonly seed: number;
  readonly rand: readonly number[];
  readonly randn: readonly number[];
  readonly randint: readonly number[];
  readonly randperm: readonly number[];
  readonly dropout: readonly number[];
}
const golden: GoldenRandom = JSON.parse(
  readFileSync(new URL('./golden/operators.json', import.meta.url), 'utf8'),
).random;

const devices: readonly Device[] = cudaIsAvailable() ? ['cpu', 'cuda'] : ['cpu'];

/** One draw of every kind, as numbers. */
const drawAll = (o: { device: Device; generator?: Generator }): number[] =>
  [rand([3], o), randn([5], o), randint(0, 1000, [3], o), randperm(4, o)].flatMap((t) => t.toArray());

describe('tensors from JavaScript data', () => {
  it('keep the numbers and take the dtype of the array', () => {
    scope(() => {
      const arrays = [
        ['float32', Float32Array.of(1.5, -2)],
        ['float64', Float64Array.of(0.1, 1e300)],
        ['int32', Int32Array.of(-5, 2 ** 31 - 1)],
        ['int16', Int16Array.of(-5, 32767)],
        ['int8', Int8Array.of(-128, 127)],
        ['uint8', Uint8Array.of(0, 255)],
        ['int64', BigInt64Array.of(-1n, 2n ** 53n - 1n)],
      ] as const;
      for (const [dtype, data] of arrays) {
        const made = fromTypedArray(data, [2, 1]);
        expect([made.dtype, made.shape]).toEqual([dtype, [2, 1]]);
        expect(made.toArray()).toEqual(Array.from(data as ArrayLike<number | bigint>, Number));
      }
      expect(fromTypedArray(Float32Array.of(1, 0), [2], { dtype: 'bool' }).tolist()).toEqual([1, 0]);
    });
  });

  it('keep every byte in every dtype', () => {
    scope(() => {
      for (const dtype of dtypes) {
        const bytes = Uint8Array.from({ length: 6 * dtypeBytes(dtype) }, (_, i) =>
          dtype === 'bool' ? i % 2 : (i * 37) % 251,
        );
        const made = fromBytes(bytes, [2, 3], dtype);
        expect(made.dtype).toBe(dtype);
        expect(made.toBytes()).toEqual(bytes);
      }
    });
  });

  it('are copies', () => {
    scope(() => {
      const data = Float32Array.of(1, 2);
      const made = fromTypedArray(data, [2]);
      data[0] = 9;
      expect(made.toArray()).toEqual([1, 2]);
    });
  });

  it('take the shape of nested arrays and refuse ragged ones', () => {
    scope(() => {
      expect(tensor(3).shape).toEqual([]);
      expect(tensor([]).shape).toEqual([0]);
      expect(
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]).tolist(),
      ).toEqual([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      expect(tensor([true, false]).dtype).toBe('bool');
      expect(tensor([1, 2], { dtype: 'int64' }).dtype).toBe('int64');
      expect(() => tensor([[1, 2], [3]])).toThrow(/expected 2 items in dimension 1, got 1/);
      expect(() => tensor([[1], 2] as never)).toThrow(/tensor\(\)/);
      expect(() => fromTypedArray(Float32Array.of(1), [2])).toThrow(/bytes/);
    });
  });
});

describe.each(devices)('on %s', (device) => {
  it('creation makes tensors there, of the asked dtype', () => {
    scope(() => {
      const made: Tensor[] = [
        empty([2], { device, dtype: 'float16' }),
        zeros([2], { device, dtype: 'float16' }),
        ones([2], { device, dtype: 'float16' }),
        full([2], 3, { device, dtype: 'float16' }),
        arange(0, 2, 1, { device, dtype: 'float16' }),
        linspace(0, 1, 2, { device, dtype: 'float16' }),
        eye(2, { device, dtype: 'float16' }),
        tensor([1, 2], { device, dtype: 'float16' }),
        rand([2], { device, dtype: 'float16' }),
        randn([2], { device, dtype: 'float16' }),
        emptyLike(zeros([2], { device, dtype: 'float16' })),
      ];
      for (const t of made) {
        expect(t.device.startsWith(device)).toBe(true);
        expect(t.dtype).toBe('float16');
        expect(t.size(0)).toBe(2);
      }
      expect(emptyLike(made[0]!, 'int32').dtype).toBe('int32');
      expect(randint(0, 2, [2], { device }).dtype).toBe('int64');
    });
  });

  it('random tensors lie in their range and are spread as they should', () => {
    scope(() => {
      const generator = new Generator(device, 3);
      const n = 20_000;
      const uniform = rand([n], { device, generator }).toArray();
      expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...uniform)).toBeLessThan(1);
      expect(mean(randn([n], { device, generator })).item()).toBeCloseTo(0, 1);
      expect(new Set(randint(-2, 3, [n], { device, generator }).toArray())).toEqual(
        new Set([-2, -1, 0, 1, 2]),
      );
      expect(
        randperm(50, { device, generator })
          .toArray()
          .sort((a, b) => a - b),
      ).toEqual([...Array(50).keys()]);
    });
  });

  it('equal seeds give equal numbers, other seeds others', () => {
    scope(() => {
      const draw = (seed: number) => drawAll({ device, generator: new Generator(device, seed) });
      expect(draw(1)).toEqual(draw(1));
      expect(draw(1)).not.toEqual(draw(2));
      manualSeed(5);
      const first = drawAll({ device });
      manualSeed(5);
      expect(drawAll({ device })).toEqual(first);
    });
  });

  it('a restored generator goes on exactly where its state was taken', () => {
    scope(() => {
      const generator = new Generator(device, 1);
      // An odd number of normals leaves half a pair inside the CPU generator.
      randn([3], { device, generator });
      const state = generator.state();
      const expected = drawAll({ device, generator });
      const other = new Generator(device, 99);
      other.restore(state);
      expect(drawAll({ device, generator: other })).toEqual(expected);
      generator.restore(state);
      expect(drawAll({ device, generator })).toEqual(expected);
    });
  });

  it('the default generator goes on from a state that went through bytes, dropout included', () => {
    scope(() => {
      manualSeed(11);
      randn([3], { device });
      const bytes = defaultGeneratorState(device).toBytes();
      const x = ones([64], { device });
      const draw = () => [...drawAll({ device }), ...dropout(x, 0.5, true).toArray()];
      const expected = draw();
      manualSeed(0);
      restoreDefaultGenerator(device, fromBytes(bytes, [bytes.length], 'uint8'));
      expect(draw()).toEqual(expected);
    });
  });

  it('a generator of its own leaves the default one alone', () => {
    scope(() => {
      manualSeed(4);
      const expected = drawAll({ device });
      manualSeed(4);
      drawAll({ device, generator: new Generator(device, 8) });
      expect(drawAll({ device })).toEqual(expected);
    });
  });

  it('dropout zeroes about p of the elements, scales the rest, and its gradient is its own mask', () => {
    scope(() => {
      manualSeed(2);
      const n = 10_000;
      const x = ones([n], { device }).setRequiresGrad();
      const y = dropout(x, 0.25, true);
      const values = y.toArray();
      const zeroed = values.filter((value) => value === 0).length;
      expect(Math.abs(zeroed / n - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / n));
      expect(new Set(values.map(Math.fround))).toEqual(new Set([0, Math.fround(4 / 3)]));
      backward(sum(y));
      expect(x.grad!.toArray()).toEqual(values);
      expect(add(dropout(x, 0.25, false), 0).toArray()).toEqual(x.toArray());
    });
  });
});

describe('the CPU generator', () => {
  it('gives the numbers that PyTorch gives for the same seed', () => {
    scope(() => {
      manualSeed(golden.seed);
      const close = (got: Tensor, want: readonly number[]) =>
        got.toArray().forEach((value, i) => {
          expect(Math.abs(value - want[i]!)).toBeLessThanOrEqual(1e-6);
        });
      close(rand([4]), golden.rand);
      close(randn([4]), golden.randn);
      expect(randint(0, 1000, [4]).toArray()).toEqual(golden.randint);
      expect(randperm(6).toArray()).toEqual(golden.randperm);
      expect(dropout(ones([12]), 0.5, true).toArray()).toEqual(golden.dropout);
    });
  });
});

describe.each(devices)('numbers read later, %s', (device) => {
  it('are those at the time of asking, once, whatever was issued and freed since', () => {
    const read = scope(() => {
      const numbers = mul(tensor([1.5, -2, 3], { device }), 2).readLater();
      return () => numbers();
    });
    for (let i = 0; i < 20; i++) scope(() => void full([3], 7, { device }));
    expect(read()).toEqual([3, -4, 6]);
    expect(read).toThrow('read already');
    expect(() => scope(() => tensor([1, 2], { device, dtype: 'float64' }).readLater())).toThrow(
      'expected float32, got float64',
    );
  });
});
