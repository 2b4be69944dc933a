/**
 * Recomputes the LaTeX main table from the rows of predictions.jsonl, sharing no code with the report:
 *
 *   node recompute-main-table.mjs results/report/tables/main.tex runs/main_experiment
 *
 * F1, EM, NLL and ΔF1 must agree to the last printed digit; ratios are means of metrics.json; intervals must hold
 * the mean and be about as wide as those of a bootstrap over seeds and contexts made here; p-values must be on
 * the side of 0.05 that a t statistic made here says, where that is clear.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const MODES = { 'text only': 'text', 'no context': 'no_context', 'token budget': 'token_budget' };

/**
 * @param {string} tex  path of main.tex
 * @param {string} runs  folder of the run directories
 * @returns {{ numbers: number, rows: number, wrong: string[] }}
 */
export function recomputeMainTable(tex, runs) {
  const wrong = [];
  let numbers = 0;
  const rows = parseTable(readFileSync(tex, 'utf8'));
  const budgets = new Map();
  const budgetKey = ({ latents, model }) => `${latents} ${model}`;
  for (const row of rows) if (row.mode === 'token_budget') budgets.set(budgetKey(row), scoresOf(row, runs));
  for (const row of rows) {
    const own = scoresOf(row, runs);
    const check = (name, printed, value, digits) => {
      if (printed === null && value === undefined) return;
      numbers += 1;
      const expected = value === undefined ? 'nothing' : value.toFixed(digits);
      if (Number(printed) !== Number(expected))
        wrong.push(`${row.method}: ${name} is printed ${printed}, recomputed ${expected}`);
    };
    const [tokens, bytes, f1, em, nll, delta, p] = row.cells;
    check('tokens', tokens, ratioOf(row, runs, 'tokens'), 1);
    check('bytes', bytes, ratioOf(row, runs, 'utf8'), 2);
    check('EM', em, 100 * mean(own.em), 1);
    check('NLL', nll, own.nll.length === 0 ? undefined : mean(own.nll), 2);
    const interval = /^(\S+)(?: \[(\S+), (\S+)\])?$/.exec(f1);
    check('F1', interval[1], 100 * mean(own.f1), 1);
    if (interval[2] !== undefined) {
      numbers += 2;
      const problem = intervalProblem(interval.slice(1).map(Number), own);
      if (problem) wrong.push(`${row.method}: interval ${f1}: ${problem}`);
    }
    if (delta === null) continue;
    const budget = budgets.get(budgetKey(row));
    const gaps = pairedGaps(own, budget);
    const [, printed, low, high] = /^(\S+) \[(\S+), (\S+)\]$/.exec(delta);
    check('ΔF1', signed(printed), 100 * mean(gaps.map((gap) => gap.value)), 1);
    numbers += 3;
    if (!(signed(low) <= signed(printed) && signed(printed) <= signed(high)))
      wrong.push(`${row.method}: ${delta} does not hold its mean`);
    const t = Math.abs(clusteredT(gaps, own));
    const significant = p.includes('*');
    if (t > 8 && !significant) wrong.push(`${row.method}: p ${p}, but t = ${t.toFixed(1)}`);
    if (t < 1 && significant) wrong.push(`${row.method}: p ${p}, but t = ${t.toFixed(1)}`);
  }
  return { numbers, rows: rows.length, wrong };
}

function parseTable(tex) {
  const rows = [];
  for (const line of tex.split('\n')) {
    const match = /^ {4}(.*?) \\\\ % predictions\.jsonl of (.*)$/.exec(line);
    if (match === null) continue;
    const cells = match[1].split(' & ').map(plain);
    const method = cells.shift();
    const latents = Number(/M=(\d+)/.exec(method)?.[1] ?? Number.NaN);
    // Where several models read the wire, a row is of one of them.
    const [name, model = null] = method.split(' · ');
    const base = name.replace(/ M=\d+.*/, '');
    const mode = /^M=\d/.test(method) ? 'latent' : (MODES[base] ?? base.replaceAll(' ', '_'));
    const sources = [...match[2].matchAll(/([^\s,]+) \(config [0-9a-f?]+\)/g)].map((m) => m[1]);
    rows.push({
      method,
      latents,
      mode,
      model,
      sources,
      cells: cells.map((cell) => (cell === '--' ? null : cell)),
    });
  }
  return rows;
}

function plain(cell) {
  return cell
    .trim()
    .replace(/^\\textbf\{(.*)\}$/, '$1')
    .replaceAll('\\_', '_')
    .replaceAll('$-$', '-')
    .replaceAll('$<$', '<')
    .replaceAll('$\\cdot$', '·');
}

function signed(text) {
  return Number(text.replace('+', ''));
}

function scoresOf({ sources, mode, model }, runs) {
  const result = { f1: [], em: [], nll: [], rows: [] };
  for (const source of sources) {
    const lines = readFileSync(join(runs, source, 'predictions.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean);
    for (const row of lines.map((line) => JSON.parse(line))) {
      if (row.mode !== mode || (model !== null && row.model !== model)) continue;
      result.f1.push(row.f1);
      result.em.push(row.em);
      if (row.nll_tokens > 0) result.nll.push(row.nll / row.nll_tokens);
      result.rows.push({ seed: source, id: row.id, cluster: row.context_id ?? row.id, f1: row.f1 });
    }
  }
  return result;
}

function ratioOf({ sources, mode, model }, runs, name) {
  if (mode === 'text') return 1;
  if (mode === 'no_context') return undefined;
  const values = sources.map((source) => {
    const metrics = JSON.parse(readFileSync(join(runs, source, 'logs/metrics.json'), 'utf8'));
    return (model === null ? Object.values(metrics[mode])[0] : metrics[mode][model]).ratios?.[name];
  });
  return values.includes(undefined) ? undefined : mean(values);
}

function mean(values) {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Per question: mean over seeds less the score of the budget. */
function pairedGaps(own, budget) {
  const reference = new Map(budget.rows.map((row) => [row.id, row.f1]));
  const byItem = new Map();
  for (const row of own.rows) byItem.set(row.id, [...(byItem.get(row.id) ?? []), row]);
  return [...byItem].flatMap(([id, rows]) =>
    reference.has(id)
      ? [{ cluster: rows[0].cluster, value: mean(rows.map((row) => row.f1)) - reference.get(id) }]
      : [],
  );
}

function clusteredT(gaps, own) {
  const centre = mean(gaps.map((gap) => gap.value));
  const sums = new Map();
  for (const { cluster, value } of gaps) sums.set(cluster, (sums.get(cluster) ?? 0) + value - centre);
  const items = [...sums.values()].reduce((sum, value) => sum + value * value, 0) / gaps.length ** 2;
  const seeds = [...new Set(own.rows.map((row) => row.seed))].map((seed) =>
    mean(own.rows.filter((row) => row.seed === seed).map((row) => row.f1)),
  );
  const between =
    seeds.length < 2
      ? 0
      : seeds.reduce((sum, value) => sum + (value - mean(seeds)) ** 2, 0) / (seeds.length - 1) / seeds.length;
  return centre / Math.sqrt(items + between);
}

/** Against a plain bootstrap over seeds and contexts, percentile limits. */
function intervalProblem([centre, low, high], own) {
  if (!(low <= centre && centre <= high)) return 'does not hold its mean';
  const seeds = [...new Set(own.rows.map((row) => row.seed))];
  const clusters = [...new Set(own.rows.map((row) => row.cluster))];
  const sums = seeds.map((seed) => {
    const per = new Map(clusters.map((cluster) => [cluster, [0, 0]]));
    for (const row of own.rows) {
      if (row.seed !== seed) continue;
      const entry = per.get(row.cluster);
      entry[0] += row.f1;
      entry[1] += 1;
    }
    return clusters.map((cluster) => per.get(cluster));
  });
  let state = 12345;
  const below = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const means = Array.from({ length: 400 }, () => {
    const drawn = clusters.map(() => below(clusters.length));
    let [sum, n] = [0, 0];
    for (let s = 0; s < seeds.length; s++) {
      const of = sums[below(seeds.length)];
      for (const k of drawn) {
        sum += of[k][0];
        n += of[k][1];
      }
    }
    return (100 * sum) / n;
  }).sort((a, b) => a - b);
  const width = means[389] - means[10];
  const ratio = (high - low) / width;
  // Printed to 0.1; few seeds make t limits wider than percentiles.
  if (width < 0.5) return undefined;
  return ratio > 0.6 && ratio < 2.5
    ? undefined
    : `is ${(high - low).toFixed(1)} wide, a plain bootstrap gives ${width.toFixed(1)}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [tex = '', runs = ''] = process.argv.slice(2);
  const { numbers, rows, wrong } = recomputeMainTable(tex, runs);
  for (const line of wrong) console.error(line);
  console.log(`${numbers} numbers in ${rows} rows, ${wrong.length} wrong`);
  process.exitCode = wrong.length > 0 || rows === 0 ? 1 : 0;
}
