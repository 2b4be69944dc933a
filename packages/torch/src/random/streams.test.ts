import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomRoot, type RandomStream } from './streams.js';

const stream = (seed: number | bigint = 7, name = 'init'): RandomStream => new RandomRoot(seed).stream(name);

describe('RandomStream', () => {
  it('keeps its numbers: a change here would change every run ever made', () => {
    const s = stream();
    expect([0, 1, 2, 3, 4, 2 ** 40].map((i) => s.uint32At(i))).toMatchInlineSnapshot(`
      [
        3820935099,
        375815616,
        757332522,
        3234524976,
        3936065028,
        4187246327,
      ]
    `);
    expect(s.uint64At(5).toString(16)).toMatchInlineSnapshot(`"4d34c4727917614a"`);
    expect(s.uniformAt(0)).toMatchInlineSnapshot(`0.31879739526537654`);
    expect(s.normalAt(0).toFixed(12)).toMatchInlineSnapshot(`"0.321332762422"`);
  });

  it('gives element i without the elements before it, in any order', () => {
    const s = stream();
    const forward = Array.from({ length: 40 }, (_, i) => [s.uint32At(i), s.uniformAt(i), s.normalAt(i)]);
    for (let i = 39; i >= 0; i--) {
      expect([s.uint32At(i), s.uniformAt(i), s.normalAt(i)]).toEqual(forward[i]);
    }
  });

  it('differs between seeds and names, and child streams are streams of the joined name', () => {
    const first = (s: RandomStream) => [s.uint32At(0), s.uint32At(1)].join();
    const all = [stream(7, 'a'), stream(8, 'a'), stream(7, 'b'), stream(71, ''), stream(7, '1')].map(first);
    expect(new Set(all).size).toBe(all.length);
    expect(stream(7, 'a').child('b').uint32At(3)).toBe(stream(7, 'a/b').uint32At(3));
    expect(stream(7n).uint32At(3)).toBe(stream(7).uint32At(3));
    expect(stream(2n ** 200n).uint32At(3)).not.toBe(stream(2n ** 200n + 1n).uint32At(3));
  });

  it('fills arrays with the elements it gives one by one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), fc.integer({ min: 0, max: 33 }), (offset, length) => {
        const s = stream();
        const uniform = new Float32Array(length);
        const normal = new Float32Array(length);
        s.fillUniform(uniform, offset);
        s.fillNormal(normal, offset);
        for (let j = 0; j < length; j++) {
          expect(uniform[j]).toBe(Math.floor(s.uniformAt(offset + j) * 2 ** 24) / 2 ** 24);
          expect(normal[j]).toBe(Math.fround(s.normalAt(offset + j)));
        }
      }),
    );
  });

  it('is uniform: 256 cells pass a chi-square test', () => {
    const s = stream();
    const n = 100_000;
    for (const draw of [(i: number) => s.uint32At(i) / 2 ** 32, (i: number) => s.uniformAt(i)]) {
      const cells = new Array<number>(256).fill(0);
      for (let i = 0; i < n; i++) cells[Math.floor(draw(i) * 256)]!++;
      const expected = n / 256;
      const chiSquare = cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(chiSquare).toBeLessThan(340); // 255 degrees of freedom: mean 255, p = 0.0003 at 340
      expect(chiSquare).toBeGreaterThan(185);
    }
  });

  it('has normal moments, and neighbours are uncorrelated', () => {
    const n = 100_000;
    const x = new Float32Array(n);
    stream().fillNormal(x, 12_345);
    const moment = (power: number) => x.reduce((sum, value) => sum + value ** power, 0) / n;
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    let lag = 0;
    for (let i = 1; i < n; i++) lag += x[i]! * x[i - 1]!;
    expect(Math.abs(lag / n)).toBeLessThan(4 / Math.sqrt(n));
  });

  it('draws bounded integers that reach every value and never the bound', () => {
    const s = stream();
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i++) seen.add(s.integerAt(i, 7));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(s.integerAt(0, 1)).toBe(0);
    expect(s.integerAt(0, Number.MAX_SAFE_INTEGER)).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });

  it('refuses seeds, indices and bounds that are not whole numbers in range', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53, -1n])
      expect(() => new RandomRoot(seed)).toThrow(/random seed/);
    for (const index of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => stream().uint32At(index)).toThrow(/expected an index/);
      expect(() => stream().fillNormal(new Float32Array(1), index)).toThrow(/expected an index/);
    }
    for (const bound of [0, -1, 1.5]) expect(() => stream().integerAt(0, bound)).toThrow(/bound/);
  });
});

describe('RandomCursor', () => {
  it('goes on after a restore exactly as if never interrupted, for any mix of draws', () => {
    const draws = fc.array(fc.constantFrom('uint32', 'uint64', 'uniform', 'integer', 'normal'), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(draws, draws, (before, after) => {
        const draw = (cursor: ReturnType<RandomStream['cursor']>, kinds: readonly string[]) =>
          kinds.map((kind) => {
            if (kind === 'uint32') return cursor.nextUint32();
            if (kind === 'uint64') return cursor.nextUint64();
            if (kind === 'uniform') return cursor.nextUniform();
            if (kind === 'integer') return cursor.nextInteger(10);
            return cursor.nextNormal();
          });
        const straight = stream().cursor();
        draw(straight, before);
        const saved = JSON.parse(JSON.stringify(straight.state()));
        const resumed = stream().cursor();
        resumed.restore(saved);
        expect(draw(resumed, after)).toEqual(draw(straight, after));
        expect(resumed.position).toBe(before.length + after.length);
      }),
    );
  });

  it('refuses the state of another seed or stream, and keeps its own', () => {
    const cursor = stream(7, 'a').cursor(3);
    expect(() => cursor.restore(stream(8, 'a').cursor().state())).toThrow(
      /expected stream 'a' of seed 7, got stream 'a' of seed 8/,
    );
    expect(() => cursor.restore(stream(7, 'b').cursor().state())).toThrow(/got stream 'b'/);
    expect(() => cursor.restore({ ...cursor.state(), position: -1 })).toThrow(/expected an index/);
    expect(cursor.position).toBe(3);
  });
});
