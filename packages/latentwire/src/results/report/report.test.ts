/** Protects the report: numbers that can be recomputed, one file that needs nothing else, figures fit for print. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript on purpose: it shares nothing with the report
import { recomputeMainTable } from '../../../test/recompute-main-table.mjs';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { aggregateRuns } from '../aggregate/index.js';
import { frontOf, pareto } from '../figures/pareto.js';
import { fitLog } from '../figures/sample-scaling.js';
import { SYNTHETIC_PLAN, writeSyntheticExperiment } from '../synthetic-experiment.fixture.js';
import { buildReport, type ReportFiles } from './build-report.js';
import { latexTable, markdownTable, type ReportTable } from './report-table.js';
import { writeRunReport } from './run-report.js';
import { contrastFamily } from './summarise.js';

const within = temporaryFolder();
const runs = within('experiment');
let files: ReportFiles;

beforeAll(async () => {
  const plan = SYNTHETIC_PLAN.replace('[42, 123, 456]', '[42, 123]').replace('[16, 32, 48, 64]', '[16, 32]');
  writeFileSync(within('plan.yaml'), plan);
  writeSyntheticExperiment(within('plan.yaml'), runs, 40);
  files = await buildReport(aggregateRuns(runs), within('report'), { resamples: 500 });
}, 60_000);

const figure = (id: string, kind: string): Buffer =>
  readFileSync(within('report', 'figures', `${id}.${kind}`));

describe('the tables', () => {
  it('have numbers that an independent program recomputes from predictions.jsonl', () => {
    const { numbers, rows, wrong } = recomputeMainTable(within('report', 'tables', 'main.tex'), runs);
    expect(wrong).toEqual([]);
    expect(rows).toBe(11);
    expect(numbers).toBeGreaterThan(80);
  });

  it('have rows and figures of each model where several read the wire', async () => {
    const plan = SYNTHETIC_PLAN.replace('[hub/reader]', '[hub/one, hub/two-1.5]')
      .replace('[42, 123, 456]', '[42, 123]')
      .replace('[16, 32, 48, 64]', '[16, 32]')
      .replace('[128, 256, 512]', '[256]')
      .replace(/ {2}- name: samples[\s\S]*/, '');
    writeFileSync(within('two.yaml'), plan);
    writeSyntheticExperiment(within('two.yaml'), within('two'), 24);
    const two = await buildReport(aggregateRuns(within('two')), within('two-report'), { resamples: 200 });
    const { rows, wrong } = recomputeMainTable(within('two-report', 'tables', 'main.tex'), within('two'));
    expect(wrong).toEqual([]);
    expect(rows).toBe(14);
    const names = two.figures.map((stem) => path.basename(stem));
    expect(names).toEqual(
      expect.arrayContaining(['f1-grid-one', 'f1-grid-two-1-5', 'f1-bytes-one', 'ablation-one']),
    );
    expect(readFileSync(within('two-report', 'tables', 'ablation.tex'), 'utf8')).toContain(
      'no adapter $\\cdot$ two-1.5 &',
    );
  });

  it('and a wrong digit would be found', () => {
    const file = within('report', 'tables', 'main.tex');
    const spoilt = within('spoilt.tex');
    const digit = /M=16 d\\_z=128 & 10\.4 & 0\.74 & (\d)/;
    writeFileSync(
      spoilt,
      readFileSync(file, 'utf8').replace(
        digit,
        (all, first) => all.slice(0, -1) + ((Number(first) + 1) % 10),
      ),
    );
    const { wrong } = recomputeMainTable(spoilt, runs);
    expect(wrong.some((line: string) => line.startsWith('M=16 d_z=128: F1'))).toBe(true);
  });

  it('compare ablations with the full system, corrected, and show scaling', () => {
    const ablation = readFileSync(within('report', 'tables', 'ablation.tex'), 'utf8');
    expect(ablation).toMatch(/no adapter & .* & \$-\$\d+\.\d \[.*\] & \$<\$0\.001\*\*\* & worse/);
    expect(ablation).toContain('p corrected over 4 tests (Holm)');
    const scaling = readFileSync(within('report', 'tables', 'scaling.tex'), 'utf8');
    expect([...scaling.matchAll(/^ {4}([\d,]+) &/gm)].map((match) => match[1])).toEqual([
      '1,000',
      '5,000',
      '10,000',
      '50,000',
      '87,599',
    ]);
  });

  it('escape what LaTeX and Markdown would read as commands', () => {
    const table: ReportTable = {
      id: 't',
      caption: '50 % of_x & {y}',
      columns: [{ title: 'a', left: true }, { title: 'b' }],
      rows: [{ cells: [{ text: '#1 ~ ^ \\ $ | < *' }, null], source: 's' }],
      notes: [],
    };
    expect(latexTable(table)).toContain('50 \\% of\\_x \\& \\{y\\}');
    expect(latexTable(table)).toContain(
      '\\#1 \\textasciitilde{} \\textasciicircum{} \\textbackslash{} \\$ | $<$ * & --',
    );
    expect(markdownTable(table)).toContain('\\\\ $ \\| \\< \\* | – |');
  });
});

describe('the page', () => {
  it('is one file that asks nothing of a network or a neighbour', () => {
    const page = readFileSync(files.html, 'utf8');
    const references = [...page.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)/g)].map(
      (match) => match[1]!,
    );
    expect(references.filter((target) => !/^(?:#|data:)/.test(target))).toEqual([]);
    expect(page).not.toContain('<script');
    expect(page.match(/<svg /g)).toHaveLength(files.figures.length);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says from which runs a row is', () => {
    expect(readFileSync(files.html, 'utf8')).toMatch(
      /<tr title="predictions\.jsonl of core-latent_len=16-d_z=128-s42-[0-9a-f]{8} \(config [0-9a-f]{12}\)/,
    );
  });

  it('names missing runs in every form', async () => {
    const plan = within('short.yaml');
    writeFileSync(
      plan,
      SYNTHETIC_PLAN.replace('[42, 123, 456]', '[7]').replace(/ {2}- name: core[\s\S]*/, ''),
    );
    const { cells } = writeSyntheticExperiment(plan, within('short'), 6);
    rmSync(path.join(within('short'), cells[0]!.name), { recursive: true });
    const short = await buildReport(aggregateRuns(within('short')), within('short-report'), {
      resamples: 200,
    });
    for (const file of [short.html, short.markdown]) {
      expect(readFileSync(file, 'utf8')).toContain(
        `missing: baselines: text_only (seed 7) (${cells[0]!.name}): not run`,
      );
    }
  });
});

describe('the figures', () => {
  it('are all there, in three formats, one paper column wide with legible text', () => {
    expect(files.figures.map((stem) => path.basename(stem))).toEqual([
      'loss',
      'f1-grid',
      'f1-tokens',
      'f1-bytes',
      'samples',
      'ablation',
      'time',
    ]);
    for (const stem of files.figures) {
      const svg = readFileSync(`${stem}.svg`, 'utf8');
      expect(Number(/width="(\d+)"/.exec(svg)?.[1]), stem).toBeLessThanOrEqual(345);
      for (const [, size] of svg.matchAll(/font-size="([\d.]+)px"/g))
        expect(Number(size)).toBeGreaterThanOrEqual(10);
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      expect(readFileSync(`${stem}.png`).subarray(1, 4).toString()).toBe('PNG');
      const pdf = readFileSync(`${stem}.pdf`, 'latin1');
      expect(pdf.startsWith('%PDF-')).toBe(true);
      // Papers are refused for fonts that are not embedded.
      expect(pdf).toContain('/FontFile2');
      expect(pdf).not.toMatch(/\/BaseFont \/Helvetica/);
    }
  });

  it('have equal bytes when drawn again', async () => {
    const again = await buildReport(aggregateRuns(runs), within('again'), { resamples: 500 });
    for (const stem of again.figures) {
      const id = path.basename(stem);
      for (const kind of ['svg', 'png', 'pdf']) {
        expect(readFileSync(`${stem}.${kind}`).equals(figure(id, kind)), `${id}.${kind}`).toBe(true);
      }
    }
    expect(readFileSync(again.html, 'utf8')).toBe(readFileSync(files.html, 'utf8'));
  });
});

describe('questions on one text alone', () => {
  it('are compared with nothing: they are one observation', () => {
    const whole = aggregateRuns(runs);
    const [against, method] = Object.keys(whole.methods) as [string, string];
    const pairs = [{ method, against }];
    const at = (name: string, context: string | undefined) => {
      const { f1, ...rest } = whole.methods[name]!;
      return { ...rest, f1: { ...f1!, ...(context && { clusters: f1!.items.map(() => context) }) } };
    };
    const compare = (context: string | undefined) =>
      contrastFamily(
        { ...whole, methods: { [against]: at(against, context), [method]: at(method, context) } },
        pairs,
        { resamples: 100 },
      );
    expect(compare(undefined)).toHaveLength(1);
    expect(compare('one text')).toEqual([]);
  });
});

describe('the report of one run', () => {
  it('is one file in the run directory with its scores and its loss', async () => {
    const directory = path.join(runs, aggregateRuns(runs).groups.at(-1)!.runs[0]!);
    const file = await writeRunReport(directory, { title: 'A run' });
    const page = readFileSync(file, 'utf8');
    expect(page).toContain('<h1>A run</h1>');
    expect(page).toContain('completed after 400 steps');
    expect(page).toMatch(/<td class="left">latent<\/td><td>\d+\.\d<\/td>/);
    expect(existsSync(path.join(directory, 'figures', 'loss.pdf'))).toBe(true);
    const output = within('elsewhere');
    expect(await writeRunReport(directory, { output })).toBe(path.join(output, 'report.html'));
    expect(existsSync(path.join(output, 'figures', 'loss.pdf'))).toBe(true);
  });
});

describe('the arithmetic of figures', () => {
  it('fits a line to the logarithm of the number of examples', () => {
    const points = [100, 1000, 10_000].map((samples) => ({
      samples,
      mean: 0.1 + 0.05 * Math.log10(samples),
      low: 0,
      high: 1,
    }));
    expect(fitLog(points)!.slope).toBeCloseTo(0.05, 12);
    expect(fitLog(points)!.r2).toBeCloseTo(1, 12);
    expect(fitLog(points.slice(1))).toBeUndefined();
  });

  it('keeps on the Pareto front what none beats in both', () => {
    const points = [
      { ratio: 1, mean: 0.8 },
      { ratio: 4, mean: 0.5 },
      { ratio: 4, mean: 0.4 },
      { ratio: 2, mean: 0.3 },
      { ratio: 8, mean: 0.45 },
    ];
    expect(frontOf(points)).toEqual([points[0], points[1], points[4]]);
  });

  it('names the floor where no point is covered', () => {
    const at = (ratio: number, mean: number) => ({
      ...{ series: 'wire', ratio, mean, low: mean - 0.01, high: mean + 0.01 },
    });
    const labelled = (points: ReturnType<typeof at>[]): unknown => {
      const spec = JSON.parse(JSON.stringify(pareto(points, 'bytes', { floor: 0.2 })));
      const layer = spec.layer.find((one: { mark?: { type?: string } }) => one.mark?.type === 'text');
      return [layer.mark.align, layer.mark.baseline];
    };
    const far = [at(0.1, 0.5), at(10, 0.5)];
    expect(labelled(far)).toEqual(['left', 'bottom']);
    expect(labelled([...far, at(0.12, 0.22)])).toEqual(['left', 'top']);
    expect(labelled([...far, at(0.12, 0.22), at(0.12, 0.18)])).toEqual(['right', 'bottom']);
  });
});
