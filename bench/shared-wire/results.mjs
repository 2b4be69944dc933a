/**
 * Table and figure of one wire that two frozen models read, from what score.mjs left. Every interval is a bootstrap over
 * contexts: the questions of one paragraph share a message, so they are drawn together, and text, no context and latents
 * of a question stay paired.
 *
 *   node bench/shared-wire/results.mjs --results DIR [--arm main] [--note TEXT]
 */
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { bootstrapCI } from '@latentwire/stats';
import { palette, renderFigure } from '../../packages/latentwire/dist/results/index.js';
import { saveResult } from '../save-result.mjs';

const { values: o } = parseArgs({
  options: {
    results: { type: 'string' },
    arm: { type: 'string', default: 'main' },
    note: { type: 'string', default: '' },
  },
});
const RATIOS = ['4x', '8x', '16x'];
const BITS = [8, 6, 4, 3, 2];
const TRAINED_BITS = 8;

const scoring = (label) => {
  const file = (end) => path.join(o.results, `${o.arm}.${label}.${end}`);
  const rows = gunzipSync(readFileSync(file('predictions.jsonl.gz')))
    .toString()
    .trim()
    .split('\n');
  return {
    metrics: JSON.parse(readFileSync(file('json'), 'utf8')),
    rows: rows.map((row) => JSON.parse(row)),
  };
};
const labelOf = (ratio, bits) => (bits === TRAINED_BITS ? ratio : `${ratio}-${bits}bit`);
const scorings = new Map(
  ['references', ...RATIOS.flatMap((ratio) => BITS.map((bits) => labelOf(ratio, bits)))].map((label) => [
    label,
    scoring(label),
  ]),
);
const { rows: references } = scorings.get('references');
const readers = [...new Set(references.map((row) => row.model))];
const asked = references.filter((row) => row.mode === 'text' && row.model === readers[0]);
const contexts = asked.map((row) => row.context_id);

/** F1 of all questions, in one order. */
function f1(label, mode, model) {
  const rows = scorings.get(label).rows.filter((row) => row.mode === mode && row.model === model);
  const scores = new Map(rows.map((row) => [row.id, row.f1]));
  return asked.map(({ id }) => {
    if (!scores.has(id)) throw new Error(`${label} ${mode} ${model}: no answer to ${id}`);
    return scores.get(id);
  });
}

/** Mean and 95 % interval, in percent. */
function interval(values) {
  const { estimate, low, high } = bootstrapCI(values, { clusters: contexts });
  return { mean: 100 * estimate, low: 100 * low, high: 100 * high };
}

/** (a − b) / (c − d) of means, in percent; a, b, c, d are of the same questions. */
function share(...columns) {
  const sums = columns.map(sumsByContext);
  // What is drawn are numbers of contexts; the statistic looks up what each of them adds.
  const statistic = (drawn) => {
    const [a, b, c, d] = sums.map((of) => drawn.reduce((sum, context) => sum + of[context], 0));
    return (100 * (a - b)) / (c - d);
  };
  const every = Float64Array.from(sums[0].keys());
  const { estimate, low, high } = bootstrapCI(every, { statistic, resamples: 4000 });
  return { mean: estimate, low, high };
}

function sumsByContext(values) {
  const sums = new Map();
  values.forEach((value, i) => {
    sums.set(contexts[i], (sums.get(contexts[i]) ?? 0) + value);
  });
  return Float64Array.from(sums.values());
}

const numbers = (label, mode, model) => scorings.get(label).metrics[mode][model];
const sizes = ({ em, ratios, bytes }) => ({
  em: 100 * em,
  tokens_x: ratios?.tokens ?? null,
  ...{ message_bytes: bytes.message, utf8_bytes: bytes.utf8, zlib_bytes: bytes.zlib },
});
const rows = readers.flatMap((model) => {
  const text = f1('references', 'text', model);
  const none = f1('references', 'no_context', model);
  const row = (method, label, mode, more = {}) => {
    const values = f1(label, mode, model);
    return {
      ...{ model, method, f1: interval(values), ...sizes(numbers(label, mode, model)) },
      norm_f1: ['text', 'no_context'].includes(mode) ? null : share(values, none, text, none),
      ...more,
    };
  };
  return [
    row('text', 'references', 'text'),
    row('no context', 'references', 'no_context'),
    ...RATIOS.flatMap((ratio) => {
      const other = f1(ratio, 'shuffled', model);
      return [
        row(`first tokens ${ratio}`, ratio, 'token_budget'),
        row(`latents of another context ${ratio}`, ratio, 'shuffled'),
        ...BITS.map((bits) => {
          const label = labelOf(ratio, bits);
          // The control is measured with the trained bits; latents of another context say as little with fewer.
          const more = {
            ...{ ratio, bits },
            carried: share(f1(label, 'latent', model), other, text, none),
            ...(bits === TRAINED_BITS && {
              over_text: interval(differences(f1(label, 'latent', model), text)),
            }),
          };
          return row(`latents ${ratio}, ${bits} bits`, label, 'latent', more);
        }),
      ];
    }),
  ];
});

function differences(a, b) {
  return a.map((value, i) => value - b[i]);
}

const percent = ({ mean, low, high }) => `${mean.toFixed(1)} [${low.toFixed(1)}, ${high.toFixed(1)}]`;
console.log(
  '| reader | reads | F1 | EM | norm F1, % | (latent − shuffled)/(text − none), % | tokens × | bytes | × UTF-8 | × zlib |',
);
console.log('|---|---|---|---|---|---|---|---|---|---|');
for (const r of rows) {
  const times = (bytes) => (r.message_bytes > 0 ? (bytes / r.message_bytes).toFixed(2) : '–');
  const cells = [r.model, r.method, percent(r.f1), r.em.toFixed(1), r.norm_f1 ? percent(r.norm_f1) : '–'];
  const more = [
    r.carried ? percent(r.carried) : '–',
    r.tokens_x?.toFixed(1) ?? '–',
    r.message_bytes.toFixed(0),
  ];
  console.log(`| ${[...cells, ...more, times(r.utf8_bytes), times(r.zlib_bytes)].join(' | ')} |`);
}
for (const r of rows.filter((row) => row.over_text)) {
  console.log(`${r.model} ${r.method}: latents − text ${percent(r.over_text)}`);
}
saveResult(
  `shared-wire/${o.arm}`,
  {
    questions: asked.length,
    contexts: new Set(contexts).size,
    intervals: '95 %, 10,000 (shares: 4,000) resamples of contexts',
    rows,
  },
  { ...(o.note !== '' && { note: o.note }) },
);

/** One panel per reader: F1 by bytes sent. */
function figure() {
  const COLOURS = { '4x': palette.blue, '8x': palette.green, '16x': palette.vermillion };
  const SHAPES = { 4: 'circle', 8: 'triangle-up', 16: 'diamond' };
  const series = [
    ...RATIOS.map((ratio) => `latents ${ratio.replace('x', '×')}`),
    'text',
    'text, zlib',
    'first tokens',
  ];
  const range = [...RATIOS.map((ratio) => COLOURS[ratio]), palette.ink, palette.purple, palette.orange];
  const shapes = [
    ...RATIOS.map((ratio) => SHAPES[Number.parseInt(ratio, 10)]),
    'square',
    'cross',
    'triangle-down',
  ];
  const point = (model, name, bytes, { mean, low, high }) => ({
    model,
    series: name,
    bytes,
    f1: mean,
    low,
    high,
  });
  const values = rows.flatMap((r) => {
    if (r.method === 'text') {
      return [point(r.model, 'text', r.utf8_bytes, r.f1), point(r.model, 'text, zlib', r.zlib_bytes, r.f1)];
    }
    if (r.method.startsWith('first')) return [point(r.model, 'first tokens', r.message_bytes, r.f1)];
    return r.bits ? [point(r.model, `latents ${r.ratio.replace('x', '×')}`, r.message_bytes, r.f1)] : [];
  });
  const scale = { domain: series, range };
  const color = { field: 'series', type: 'nominal', scale, legend: { columns: 3, title: null } };
  const shape = {
    field: 'series',
    type: 'nominal',
    scale: { domain: series, range: shapes },
    legend: { columns: 3, title: null },
  };
  const x = {
    field: 'bytes',
    type: 'quantitative',
    title: 'bytes sent per context',
    scale: { type: 'log', domain: [40, 14_000], nice: false },
    axis: { grid: false, values: [50, 100, 200, 500, 1000, 2000, 5000, 10_000], format: '~s' },
  };
  const y = {
    field: 'f1',
    type: 'quantitative',
    title: 'F1 (%)',
    axis: { tickCount: 5 },
    scale: { domain: [0, 45] },
  };
  const panel = (model, last) => {
    const own = values.filter((v) => v.model === model);
    const floor = rows.find((r) => r.model === model && r.method === 'no context').f1.mean;
    const words = { value: 268 };
    return {
      ...{ width: 270, height: 150, title: { text: `reader: ${model}` } },
      layer: [
        {
          data: { values: [{ f1: floor }] },
          mark: { type: 'rule', color: palette.grey, strokeDash: [4, 3] },
          encoding: { y },
        },
        {
          data: { values: [{ f1: floor, label: 'no context' }] },
          mark: { type: 'text', align: 'right', baseline: 'top', dy: 2, fontSize: 10, color: '#555555' },
          encoding: { x: words, y, text: { field: 'label' } },
        },
        {
          data: { values: own.filter((v) => v.series.startsWith('latents')) },
          mark: { type: 'line', strokeWidth: 1 },
          encoding: { x, y, color: { ...color } },
        },
        {
          data: { values: own },
          layer: [
            {
              mark: { type: 'rule', strokeWidth: 1 },
              encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
            },
            {
              mark: { type: 'point', filled: true, size: 40, opacity: 1 },
              encoding: { x: last ? x : { ...x, title: null }, y, color, shape },
            },
          ],
        },
      ],
    };
  };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: 'One wire, two frozen readers: F1 by bytes',
      subtitle: ['SQuAD; 95 % intervals over contexts', 'along a line: 8, 6, 4, 3, 2 bits per number'],
    },
    spacing: 14,
    vconcat: readers.map((model, i) => panel(model, i === readers.length - 1)),
  };
}

const scratch = mkdtempSync(path.join(tmpdir(), 'figure-'));
await renderFigure(figure(), path.join(scratch, 'bytes'));
const target = fileURLToPath(new URL('../../docs/figures/shared-wire-bytes.png', import.meta.url));
renameSync(path.join(scratch, 'bytes.png'), target);
rmSync(scratch, { recursive: true });
console.log(`saved ${target}`);
