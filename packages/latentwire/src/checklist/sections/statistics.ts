/**
 * §6: the statistics package against answers that are known from papers and other programs, against data without an
 * effect (does a test at 5 % reject 5 %?), and from run directories to the report. Known answers: see each line.
 */
import fs from 'node:fs';
import * as stats from '@latentwire/stats';
import * as t from '@latentwire/torch';
import { readMetrics } from '../../telemetry/index.js';
import { type Bench, failureOf } from '../bench.js';
import { experiment, type Section, verdict } from '../experiment.js';

export interface KnownAnswer {
  readonly what: string;
  readonly got: number;
  readonly want: number;
  readonly tolerance: number;
}

/** Half a unit of the last printed digit is the tolerance. */
function printed(what: string, got: number, want: string): KnownAnswer {
  const digits = want.split('.')[1]?.length ?? 0;
  return { what, got, want: Number(want), tolerance: 0.5000001 * 10 ** -digits };
}

/** Efron & Tibshirani (1993), 14.2: spatial test data. */
const SPATIAL = [
  48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41,
];

function bca(): KnownAnswer[] {
  const variance = (x: Float64Array): number => {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    return x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  };
  const interval = stats.bootstrapCI(SPATIAL, { statistic: variance, confidence: 0.9, resamples: 10_000 });
  const constant = stats.bootstrapCI([1, 1, 1, 1, 1]);
  const source = 'Efron & Tibshirani (1993) 14.2';
  return [
    printed(`variance, ${source}`, interval.estimate, '171.5'),
    printed(`acceleration, ${source}`, interval.acceleration ?? Number.NaN, '0.061'),
    // Printed from 2,000 resamples, whose own error this is.
    { what: `lower limit, ${source}`, got: interval.low, want: 115.8, tolerance: 4 },
    { what: `upper limit, ${source}`, got: interval.high, want: 259.6, tolerance: 9 },
    { what: 'constant data, lower limit (no NaN)', got: constant.low, want: 1, tolerance: 0 },
    { what: 'constant data, upper limit (no NaN)', got: constant.high, want: 1, tolerance: 0 },
  ];
}

function mcnemar(): KnownAnswer[] {
  const table = [
    [1, 1],
    [7, 12],
  ] as const;
  const p = (method: stats.McNemarMethod, correction = false): number =>
    stats.mcnemarTest({ table }, { method, correction }).pValue;
  const source = 'Fagerland, Lydersen & Laake (2013)';
  return [
    printed(`exact, ${source}`, p('exact'), '0.070'),
    printed(`mid-p, ${source}`, p('midp'), '0.039'),
    printed(`χ², ${source}`, p('chi2'), '0.034'),
    printed(`χ² corrected, ${source}`, p('chi2', true), '0.077'),
  ];
}

function corrections(): KnownAnswer[] {
  const p = [0.01, 0.04, 0.03, 0.005];
  // statsmodels 0.15.0, multipletests
  const want = { fdr_bh: [0.02, 0.04, 0.04, 0.02], holm: [0.03, 0.06, 0.06, 0.02] } as const;
  return (['fdr_bh', 'holm'] as const).flatMap((method) => {
    const { adjusted } = stats.adjustPValues(p, method);
    return want[method].map((value, i) => ({
      ...{ what: `${method} of p = ${p[i]}, statsmodels`, got: adjusted[i]!, want: value, tolerance: 1e-12 },
    }));
  });
}

function effects(): KnownAnswer[] {
  const a = [0.360528, -0.661101, 0.553732, 0.827536, 0.739724, 0.413623, 0.232935, 0.855146];
  const b = [
    ...[0.440858, 0.21101, 0.515786, 2.624859, 1.171538, 0.183571],
    ...[0.082774, 0.988161, 4.042284, 2.334485, 1.115939, 0.851333],
  ];
  const result = stats.cohensD(a, b);
  const sleep = [
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
  ] as const;
  return [
    { what: 'd, numpy', got: result.d, want: -0.8083490872072745, tolerance: 1e-10 },
    { what: 'lower limit of d, scipy nct', got: result.ci.low, want: -1.730289763919345, tolerance: 1e-8 },
    printed('paired t on the sleep data, R', stats.pairedTTest(sleep[0], sleep[1]).pValue, '0.002833'),
    printed('Welch t on the sleep data, R', stats.independentTTest(sleep[0], sleep[1]).pValue, '0.07939'),
  ];
}

function powers(): KnownAnswer[] {
  const needed = (effectSize: number): number =>
    stats.requiredSamples({ test: 't-independent', effectSize }).n[0]!;
  return [
    ...(
      [
        [0.2, 394],
        [0.5, 64],
        [0.8, 26],
      ] as const
    ).map(([d, n]) => ({
      ...{
        what: `n per group for d = ${d}, Cohen (1988) table 2.4.1`,
        got: needed(d),
        want: n,
        tolerance: 0,
      },
    })),
    printed('power.t.test, R', stats.power({ test: 't-independent', effectSize: 1, n: 20 }).power, '0.86895'),
  ];
}

const KNOWN = { bca, mcnemar, corrections, effects, powers } as const;
type Known = Record<keyof typeof KNOWN, readonly KnownAnswer[]>;

const judgeKnown = (name: keyof typeof KNOWN) => (evidence: Known) => {
  const answers = evidence[name];
  const wrong = answers.find(({ got, want, tolerance }) => !(Math.abs(got - want) <= tolerance));
  return wrong === undefined
    ? verdict(answers.length > 0, answers.map(({ what, got }) => `${what}: ${short(got)}`).join('; '))
    : verdict(false, `${wrong.what}: expected ${wrong.want}, got ${wrong.got}`);
};

const DATA_SETS = 600;
const ITEMS = 40;

export interface SimulationEvidence {
  readonly data_sets: number;
  readonly items: number;
  /** Share of data sets without an effect that a test at 5 % rejects; discrete tests may stay below. */
  readonly rejected: Readonly<Record<string, { readonly rate: number; readonly discrete: boolean }>>;
  /** Share of 95 % BCa intervals that hold the mean of the population. */
  readonly coverage: number;
  /** Share of data sets with an effect (d = 0.45) that the paired t-test finds, and what power() says. */
  readonly found: number;
  readonly predicted_power: number;
}

async function simulate(): Promise<SimulationEvidence> {
  const stream = new t.random.RandomRoot(20260127).stream('checklist');
  const normals = stream.child('normal').cursor();
  const uniforms = stream.child('uniform').cursor();
  const counts: Record<string, number> = {};
  const count = (name: string, p: number): void => {
    counts[name] = (counts[name] ?? 0) + (p < 0.05 ? 1 : 0);
  };
  let covered = 0;
  let found = 0;
  const options = { resamples: 499, threads: 1 } as const;
  for (let seed = 0; seed < DATA_SETS; seed++) {
    const normal = (shift = 0): number[] => Array.from({ length: ITEMS }, () => normals.nextNormal() + shift);
    const [a, b] = [normal(), normal()];
    count('paired t', stats.pairedTTest(a, b).pValue);
    count('Welch t', stats.independentTTest(a, b).pValue);
    count('Wilcoxon', stats.wilcoxonSignedRank(a, b).pValue);
    count('Mann-Whitney', stats.mannWhitneyU(a, b).pValue);
    count('paired bootstrap', stats.pairedBootstrapTest(a, b, { ...options, seed }).pValue);
    count('permutation', stats.permutationTest(a, b, { ...options, seed, method: 'randomized' }).pValue);
    const right = (share: number): number[] =>
      Array.from({ length: ITEMS }, () => (uniforms.nextUniform() < share ? 1 : 0));
    const [x, y] = [right(0.6), right(0.6)];
    const cells = [0, 0, 0, 0];
    for (const [i, value] of x.entries()) cells[2 * (1 - value) + (1 - y[i]!)]!++;
    const table = [
      [cells[0]!, cells[1]!],
      [cells[2]!, cells[3]!],
    ] as const;
    count('McNemar', stats.mcnemarTest({ table }).pValue);
    const { low, high } = stats.bootstrapCI(a, { ...options, resamples: 999, seed });
    if (low <= 0 && 0 <= high) covered++;
    const effect = Array.from({ length: ITEMS }, () => normals.nextNormal() + 0.45);
    if (stats.pairedTTest(effect, new Array<number>(ITEMS).fill(0)).pValue < 0.05) found++;
  }
  return {
    ...{ data_sets: DATA_SETS, items: ITEMS },
    rejected: Object.fromEntries(
      Object.entries(counts).map(([name, n]) => [
        name,
        { rate: n / DATA_SETS, discrete: name === 'McNemar' },
      ]),
    ),
    coverage: covered / DATA_SETS,
    found: found / DATA_SETS,
    predicted_power: stats.power({ test: 't-paired', effectSize: 0.45, n: ITEMS }).power,
  };
}

/** Half width of the 99.9 % binomial band around a share. */
const band = (share: number, n: number): number => 3.29 * Math.sqrt((share * (1 - share)) / n);

export interface EndToEndEvidence {
  readonly aggregate: string;
  readonly statistics: string;
  /** Number of the results file, with its run, and the same in the run's metrics.json. */
  readonly traced: readonly {
    readonly run: string;
    readonly value: number;
    readonly in_run: number | null;
  }[];
  /** What the results file says of the run that was stopped before its end. */
  readonly unfinished: { readonly state: string | undefined; readonly measured: boolean };
  readonly report: readonly string[];
}

async function endToEnd(bench: Bench): Promise<EndToEndEvidence> {
  const runs = bench.in('runs');
  const score = ['--eval-samples', '40', '--facts-questions', 'attribute'];
  await bench.trained('runs/text', ['--baseline', 'text_only', ...score]);
  await bench.trained('runs/nothing', ['--baseline', 'no_context', ...score]);
  await bench.attempt('runs/stopped', {
    args: score,
    hit: { signal: 'SIGTERM', when: (steps) => steps >= 2 },
  });
  const results = bench.in('final_results.json');
  const output = bench.in('statistical_report.txt');
  const collected = await bench.command(['aggregate', '--experiment_dir', runs, '--output', results]);
  const tested = await bench.command(['stats', '--results', results, '--output', output]);
  const document = JSON.parse(fs.readFileSync(results, 'utf8')) as {
    groups: { measures: Record<string, { values: { run: string; value: number }[] }> }[];
    runs: { name: string; state: string }[];
  };
  const values = document.groups.flatMap(({ measures }) =>
    Object.entries(measures).flatMap(([key, measure]) => measure.values.map((value) => ({ key, ...value }))),
  );
  return {
    aggregate: collected.code === 0 ? 'exit 0' : failureOf(collected),
    statistics: tested.code === 0 ? 'exit 0' : failureOf(tested),
    traced: values
      .filter(({ key }) => key.endsWith('/f1'))
      .map(({ key, run, value }) => ({
        run,
        value,
        in_run: valueAt(readMetrics(bench.paths(`runs/${run}`).metrics), key),
      })),
    unfinished: {
      state: document.runs.find(({ name }) => name === 'stopped')?.state,
      measured: values.some(({ run }) => run === 'stopped'),
    },
    report: fs.existsSync(output) ? fs.readFileSync(output, 'utf8').split('\n') : [],
  };
}

/** `latent/bundled:tiny-llama/f1` of a metrics file. */
function valueAt(metrics: unknown, key: string): number | null {
  const value = key
    .split('/')
    .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], metrics);
  return typeof value === 'number' ? value : null;
}

export const statistics: Section = {
  number: 6,
  component: 'Statistical Testing',
  command: 'npx vitest run packages/stats',
  headline: '6.6',
  experiments: [
    experiment<Known>({
      name: 'known-answers',
      collect: async () =>
        Object.fromEntries(
          Object.entries(KNOWN).map(([name, compute]) => [name, compute()]),
        ) as unknown as Known,
      checks: [
        { id: '6.1', says: 'Bootstrap confidence intervals (BCa)', claims: [23], judge: judgeKnown('bca') },
        {
          id: '6.2',
          says: "McNemar's test for paired comparisons",
          claims: [23],
          judge: judgeKnown('mcnemar'),
        },
        {
          id: '6.3',
          says: 'Multiple comparison corrections (FDR)',
          claims: [23],
          judge: judgeKnown('corrections'),
        },
        { id: '6.4', says: "Cohen's d effect sizes, t-tests", claims: [23], judge: judgeKnown('effects') },
        { id: '6.5', says: 'Power analysis for sample sizing', claims: [23], judge: judgeKnown('powers') },
      ],
    }),
    experiment<SimulationEvidence>({
      name: 'simulation',
      collect: simulate,
      checks: [
        {
          id: '6.6',
          says: 'Null simulation: every test at 5 % rejects 5 % of data without an effect',
          claims: [24],
          judge: ({ rejected, data_sets: n }) => {
            const width = band(0.05, n);
            const all = Object.entries(rejected);
            const wrong = all.filter(
              ([, { rate, discrete }]) => rate > 0.05 + width || (!discrete && rate < 0.05 - width),
            );
            return verdict(
              wrong.length === 0 && all.length >= 7,
              `${n} data sets without an effect, allowed ${percent(0.05 - width)} to ${percent(0.05 + width)}: ${(wrong.length > 0 ? wrong : all).map(([name, { rate }]) => `${name} ${percent(rate)}`).join(', ')}`,
            );
          },
        },
        {
          id: '6.7',
          says: '95 % BCa intervals hold the truth in 95 %, and tests have the power that is computed',
          claims: [24],
          judge: (e) =>
            verdict(
              Math.abs(e.coverage - 0.95) < band(0.95, e.data_sets) + 0.01 &&
                Math.abs(e.found - e.predicted_power) < band(e.predicted_power, e.data_sets),
              `coverage ${percent(e.coverage)}; an effect of d = 0.45 is found in ${percent(e.found)}, power() says ${percent(e.predicted_power)}`,
            ),
        },
      ],
    }),
    experiment<EndToEndEvidence>({
      name: 'end-to-end',
      collect: endToEnd,
      checks: [
        {
          id: '6.8',
          says: 'aggregate → final_results.json → statistical report, with several runs',
          claims: [30],
          judge: (e) =>
            verdict(
              e.aggregate === 'exit 0' && e.statistics === 'exit 0' && e.report.length > 3,
              `aggregate ${e.aggregate}, stats ${e.statistics}; ${e.report.find((line) => line.includes('better') || line.includes('worse'))?.trim() ?? e.report[0]}`,
            ),
        },
        {
          id: '6.9',
          says: 'Every number has its run; what was not measured stays missing',
          claims: [30],
          judge: ({ traced, unfinished }) =>
            verdict(
              traced.length >= 2 &&
                traced.every(({ value, in_run }) => value === in_run) &&
                unfinished.state !== 'completed' &&
                !unfinished.measured,
              `${traced.map(({ run, value }) => `F1 ${value.toFixed(3)} is that of ${run}`).join(', ')}; the stopped run is ${unfinished.state} and has ${unfinished.measured ? 'numbers' : 'no number'}`,
            ),
        },
      ],
    }),
  ],
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const short = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(4));
