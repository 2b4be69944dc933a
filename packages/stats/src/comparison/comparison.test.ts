/** Protects the comparison with a baseline: pairing, clusters, seeds, correction, verdicts, and the results file. */
import { describe, expect, it } from 'vitest';
import { pairedTTest, permutationTest } from '../hypothesis/index.js';
import { adjustPValues } from '../multiplicity/index.js';
import { bootstrapCI } from '../resampling/index.js';
import { compareScores, compareToBaseline, describeNeeds, parseScoreTable } from './index.js';

const wave = (n: number, k = 1): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin((i + 1) * 12.9898 * k));
const plus = (x: number[], effect: number, noise: number, k: number): number[] =>
  x.map((value, i) => value + effect + noise * Math.sin((i + 1) * 78.233 * k));

describe('compareToBaseline', () => {
  const baseline = wave(300);
  const methods = {
    good: plus(baseline, 0.2, 0.3, 2),
    same: plus(baseline, 0, 0.3, 3),
    bad: plus(baseline, -0.2, 0.3, 5),
  };

  it('says better, worse and no difference shown', () => {
    const result = compareToBaseline(baseline, methods, { resamples: 2000 });
    expect(result.comparisons.map((entry) => [entry.method, entry.verdict])).toEqual([
      ['good', 'better'],
      ['same', 'no difference shown'],
      ['bad', 'worse'],
    ]);
    const lower = compareToBaseline(baseline, methods, { resamples: 2000, higherIsBetter: false });
    expect(lower.comparisons.map((entry) => entry.verdict)).toEqual([
      'worse',
      'no difference shown',
      'better',
    ]);
    expect(result.comparisons[0]!.sentence).toBe('good is better than baseline on score.');
  });

  it('is made of the tests and intervals of this package', () => {
    const options = { resamples: 999, seed: 4, threads: 1 } as const;
    const { comparisons, baselineScores } = compareToBaseline(baseline, methods, {
      ...options,
      correction: 'fdr_bh',
    });
    const good = comparisons[0]!;
    const own = bootstrapCI({ a: methods.good, b: baseline, paired: true }, options);
    expect(good.difference).toBeCloseTo(own.estimate, 12);
    expect(good.ci.low).toBeCloseTo(own.low, 12);
    expect(good.ci.high).toBeCloseTo(own.high, 12);
    expect(good.pValue).toBe(permutationTest(methods.good, baseline, options).pValue);
    expect(good.standardError).toBeCloseTo(pairedTTest(methods.good, baseline).standardError, 12);
    const adjusted = adjustPValues(
      comparisons.map((entry) => entry.pValue),
      'fdr_bh',
    ).adjusted;
    expect(comparisons.map((entry) => entry.adjustedPValue)).toEqual(adjusted);
    const alone = bootstrapCI(baseline, options);
    expect(baselineScores.score!.low).toBeCloseTo(alone.low, 12);
  });

  it('does not depend on which other methods are compared, before correction', () => {
    const one = compareToBaseline(baseline, { good: methods.good }, { resamples: 500 }).comparisons[0]!;
    const three = compareToBaseline(baseline, methods, { resamples: 500 }).comparisons[0]!;
    expect(three.ci.low).toBeCloseTo(one.ci.low, 12);
    expect(three.pValue).toBe(one.pValue);
    expect(three.adjustedPValue).toBeGreaterThanOrEqual(one.adjustedPValue);
  });

  it('pairs by item id, whatever the order, and counts what is missing', () => {
    const items = baseline.map((_, i) => `q${i}`);
    const order = baseline.map((_, i) => (i * 7) % 300);
    const shuffled = {
      items: order.map((i) => items[i]!),
      scores: order.map((i) => methods.good[i]!),
    };
    const straight = compareToBaseline(
      { scores: baseline, items },
      { good: { scores: methods.good, items } },
      { resamples: 300 },
    );
    const mixed = compareToBaseline({ scores: baseline, items }, { good: shuffled }, { resamples: 300 });
    expect(mixed.comparisons[0]!.pValue).toBe(straight.comparisons[0]!.pValue);
    expect(mixed.comparisons[0]!.ci).toEqual(straight.comparisons[0]!.ci);
    const partial = { items: items.slice(0, 250), scores: methods.good.slice(0, 250) };
    const entry = compareToBaseline({ scores: baseline, items }, { good: partial }, { resamples: 300 })
      .comparisons[0]!;
    expect(entry.n).toBe(250);
    expect(entry.warnings.map((warning) => warning.code)).toContain('unpaired-items');
    expect(entry.baselineMean).toBeCloseTo(baseline.slice(0, 250).reduce((sum, x) => sum + x, 0) / 250, 12);
  });

  it('honours clusters in interval, test and power', () => {
    const clusters = baseline.map((_, i) => Math.floor(i / 10));
    const tilted = baseline.map((x, i) => x + 0.08 + 0.4 * Math.sin(clusters[i]! * 3.7));
    const naive = compareToBaseline(baseline, { m: tilted }, { resamples: 2000 }).comparisons[0]!;
    const clustered = compareToBaseline(
      { scores: baseline, clusters },
      { m: { scores: tilted, clusters } },
      { resamples: 2000 },
    ).comparisons[0]!;
    expect(clustered.clusters).toBe(30);
    expect(clustered.pValue).toBeGreaterThan(5 * naive.pValue);
    expect(clustered.standardError).toBeGreaterThan(2.5 * naive.standardError);
    expect(clustered.minimumDetectableEffect).toBeGreaterThan(2.5 * naive.minimumDetectableEffect);
    expect(clustered.verdict).toBe('not enough data');
    expect(clustered.needs!.clusters! * 10).toBeCloseTo(clustered.needs!.items!, -1);
    expect(describeNeeds(clustered)).toMatch(/^about \d+ items \(\d+ clusters\)$/);
  });

  it('says how much data is needed', () => {
    const few = { a: [0.1, 0.5, 0.4, 0.9, 0.3], b: [0.2, 0.4, 0.6, 0.8, 0.5] };
    const entry = compareToBaseline(few.a, { m: few.b }, { resamples: 200, smallestEffect: 0.05 })
      .comparisons[0]!;
    expect(entry.verdict).toBe('not enough data');
    expect(entry.powerForSmallestEffect).toBeLessThan(0.8);
    const needed = entry.needs!.items!;
    const sd = entry.differenceStandardDeviation;
    expect(needed).toBeGreaterThan(5);
    expect(needed).toBeCloseTo((2.802 * sd) ** 2 / 0.05 ** 2 + 2, -1);
    expect(entry.sentence).toContain(`needs about ${needed} items`);
  });

  it('uses McNemar for right and wrong answers, and the asked test otherwise', () => {
    const right = baseline.map((x) => (x > 0 ? 1 : 0));
    const other = baseline.map((x, i) => (x + 0.4 * Math.sin(i * 78.233) > -0.1 ? 1 : 0));
    const run = (options: object) =>
      compareToBaseline(right, { m: other }, { resamples: 200, ...options }).comparisons[0]!;
    expect(run({}).test).toContain('McNemar');
    expect(run({ test: 't' }).test).toBe('paired t test');
    expect(run({ test: 'bootstrap' }).test).toContain('paired bootstrap');
    expect(run({ test: 'wilcoxon' }).test).toContain('Wilcoxon');
    expect(() => compareToBaseline(baseline, methods, { test: 'mcnemar' })).toThrow('options.test: expected');
  });

  it('identical and constantly shifted methods have defined results', () => {
    const identical = compareToBaseline(baseline, { m: baseline }, { resamples: 100 }).comparisons[0]!;
    expect([identical.pValue, identical.difference, identical.verdict]).toEqual([
      1,
      0,
      'no difference shown',
    ]);
    expect(identical.ci.low).toBe(0);
    const tiny = compareToBaseline([0.2, 0.4, 0.6], { m: [0.2, 0.4, 0.6] }, { resamples: 100 })
      .comparisons[0]!;
    expect(tiny.verdict).toBe('not enough data');
    const shifted = compareToBaseline(baseline, { m: baseline.map((x) => x + 1) }, { resamples: 500 })
      .comparisons[0]!;
    expect(shifted.verdict).toBe('better');
    expect(shifted.effectSize.d).toBe(Number.POSITIVE_INFINITY);
    expect(shifted.warnings.map((warning) => warning.code)).toContain('constant-data');
  });
});

describe('several seeds', () => {
  const items = wave(80).map((_, i) => `q${i}`);
  const scored = (levels: number[], k: number) => ({
    items: levels.flatMap(() => items),
    seeds: levels.flatMap((_, s) => items.map(() => s)),
    scores: levels.flatMap((level, s) =>
      wave(80).map((x, i) => x + level + 0.2 * Math.sin((i + 1) * (78.2 + s) * k)),
    ),
  });

  it('the spread of seeds enters interval and p-value', () => {
    const base = { items, scores: wave(80) };
    const steady = compareToBaseline(base, { m: scored([0.3, 0.3, 0.3], 1) }, { resamples: 500 })
      .comparisons[0]!;
    const loose = compareToBaseline(base, { m: scored([0.0, 0.3, 0.6], 1) }, { resamples: 500 })
      .comparisons[0]!;
    expect(steady.difference).toBeCloseTo(loose.difference, 6);
    expect(steady.verdict).toBe('better');
    expect(loose.standardError).toBeGreaterThan(3 * steady.standardError);
    expect(loose.pValue).toBeGreaterThan(0.05);
    expect(loose.test).toContain('items and seeds');
    expect(loose.seeds).toEqual([1, 3]);
    expect(loose.verdict).toBe('not enough data');
    expect(loose.needs!.seeds).toBeGreaterThan(3);
    expect(() => compareToBaseline(base, { m: scored([0, 1], 1) }, { test: 'wilcoxon' })).toThrow(
      "expected 'auto' or 't'",
    );
  });

  it('items that a seed lacks are left out and counted', () => {
    const full = scored([0.1, 0.2], 3);
    const holes = {
      items: full.items.slice(0, -5),
      seeds: full.seeds.slice(0, -5),
      scores: full.scores.slice(0, -5),
    };
    const entry = compareToBaseline({ items, scores: wave(80) }, { m: holes }, { resamples: 200 })
      .comparisons[0]!;
    expect(entry.n).toBe(75);
    expect(entry.warnings.some((warning) => warning.message.startsWith('10 items'))).toBe(true);
  });
});

describe('score tables', () => {
  const rows = (shift: number) => [
    { item: 'q1', cluster: 'c1', seed: 0, score: 0.1 + shift },
    { item: 'q2', cluster: 'c1', seed: 0, score: 0.5 },
    { item: 'q3', cluster: 'c2', seed: 0, score: 0.7 - shift },
    { item: 'q4', cluster: 'c3', seed: 0, score: 0.2 },
  ];
  const columns = (shift: number) => ({
    items: ['q1', 'q2', 'q3', 'q4'],
    clusters: ['c1', 'c1', 'c2', 'c3'],
    seeds: [0, 0, 0, 0],
    scores: [0.1 + shift, 0.5, 0.7 - shift, 0.2],
  });

  it('rows and columns, cells and methods are the same', () => {
    const metrics = { f1: { higherIsBetter: false, smallestEffect: 0.1 } };
    const byRow = parseScoreTable({
      baseline: 'a',
      cells: { a: { f1: rows(0) }, b: { f1: rows(0.1) } },
      metrics,
    });
    const byColumn = parseScoreTable(
      {
        format: 'latentwire-results/1',
        methods: { a: { f1: columns(0) }, b: { f1: columns(0.1) } },
        metrics,
      },
      'a',
    );
    const run = (table: typeof byRow) => compareScores(table, { resamples: 100 });
    expect(run(byRow)).toEqual(run(byColumn));
    expect(run(byRow).comparisons[0]!.higherIsBetter).toBe(false);
    expect(run(byRow).comparisons[0]!.smallestEffect).toBe(0.1);
    expect(
      run(parseScoreTable({ baseline: 'a', methods: { a: { f1: [1, 2, 3] }, b: { f1: [1, 2, 4] } } }))
        .comparisons[0]!.n,
    ).toBe(3);
  });

  it('metrics that only the baseline has, and methods without one, are reported', () => {
    const table = parseScoreTable({
      baseline: 'a',
      methods: { a: { f1: [1, 2, 3], em: [0, 1, 1] }, b: { f1: [2, 2, 3] } },
    });
    const result = compareScores(table, { resamples: 50 });
    expect(result.metrics).toEqual(['f1', 'em']);
    expect(result.comparisons).toHaveLength(1);
    expect(result.warnings[0]!.message).toBe('b has no scores for em.');
  });

  it.each([
    [null, 'results: expected an object, got null'],
    [{ format: 'other/2', methods: {} }, 'format: expected \'latentwire-results/1\', got "other/2"'],
    [{}, "results: expected 'methods' (or 'cells')"],
    [{ methods: { a: {} }, baseline: 'b' }, 'baseline: expected the name of a method (a), got "b"'],
    [{ methods: { a: { f1: { items: [] } } }, baseline: 'a' }, "methods.a.f1: expected 'scores'"],
    [
      { methods: { a: { f1: [{ score: 1 }, 7] } }, baseline: 'a' },
      'methods.a.f1[1]: expected an object, got 7',
    ],
    [
      { methods: { a: { f1: [1, 2] } }, baseline: 'a', metrics: { f1: { higherIsBetter: 1 } } },
      'metrics.f1.higherIsBetter: expected true or false',
    ],
    [
      { methods: { a: { f1: [1, 2] } }, baseline: 'a', metrics: { f1: { smallestEffect: -1 } } },
      'metrics.f1.smallestEffect: expected a positive',
    ],
  ])('parse errors name the place: %j', (json, message) => {
    expect(() => parseScoreTable(json)).toThrow(message);
  });

  it.each([
    [
      { a: { f1: { scores: [1, Number.NaN] } }, b: { f1: [1, 2] } },
      'methods.a.f1.scores[1]: expected a finite number',
    ],
    [
      { a: { f1: [1, 2] }, b: { f1: { scores: [1, 2, 3], items: ['x', 'y', 'x'] } } },
      'methods.b.f1.items[2]: expected one score for item x, got a second',
    ],
    [
      {
        a: {
          f1: {
            scores: [1, 2, 1, 2],
            items: ['x', 'y', 'x', 'y'],
            seeds: [0, 0, 1, 1],
            clusters: ['c', 'd', 'e', 'd'],
          },
        },
        b: { f1: [1, 2] },
      },
      'methods.a.f1.clusters[2]: expected item x in one cluster, got c and e',
    ],
    [
      { a: { f1: { scores: [1, 2], items: ['x', 'y'] } }, b: { f1: { scores: [1, 2], items: ['u', 'v'] } } },
      'methods.b.f1: expected at least 2 items in common with the baseline, got 0',
    ],
    [
      {
        a: { f1: { scores: [1, 2, 3], clusters: [1, 2, 2] } },
        b: { f1: { scores: [1, 2, 3], clusters: [1, 2, 3] } },
      },
      "methods.b.f1.clusters[2]: expected item 2 in the baseline's cluster 2, got 3",
    ],
    [{ a: { f1: [1, 2] } }, 'methods: expected at least 1 method besides the baseline'],
  ])('comparison errors name the place: %j', (methods, message) => {
    expect(() => compareScores({ baseline: 'a', methods })).toThrow(message);
  });
});
