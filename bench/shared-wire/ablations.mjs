/**
 * What arms that differ from `short` in one thing (arms.mjs) score, from the answers that run.mjs left. Intervals are a
 * bootstrap over contexts, with the questions of one paragraph drawn together; differences pair the answers to a question.
 *
 *   node bench/shared-wire/ablations.mjs --results DIR [--arms short-no-pretraining,short-no-calibration] [--commit HASH] [--note TEXT]
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { bootstrapCI } from '@latentwire/stats';
import { saveResult } from '../save-result.mjs';
import { sets } from './arms.mjs';

const { values: o } = parseArgs({
  options: {
    results: { type: 'string' },
    arms: { type: 'string', default: 'short-no-pretraining,short-no-calibration' },
    commit: { type: 'string' },
    note: { type: 'string', default: '' },
  },
});
const REFERENCE = 'short';
const MODES = { latents: 'latent', 'latents of another context': 'shuffled' };
const unzipped = (name) =>
  gunzipSync(readFileSync(path.join(o.results, name)))
    .toString()
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row));
const arms = [REFERENCE, ...o.arms.split(',')].map((name) => {
  const arm = sets.final.find((each) => each.name === name);
  if (arm === undefined) throw new Error(`expected an arm of arms.mjs, got ${name}`);
  const evals = arm.evals.map(({ label }) => ({
    label,
    rows: unzipped(`${name}.${label}.predictions.jsonl.gz`),
  }));
  return { ...arm, evals, steps: unzipped(`${name}.diagnostics.jsonl.gz`).length };
});
const [short] = arms;
const first = short.evals[0].rows;
const models = [...new Set(first.map(({ model }) => model))];
const asked = first.filter(({ model, mode }) => model === models[0] && mode === 'latent');
const contexts = asked.map((row) => row.context_id);

/** A number of all questions, in one order. */
function column(arm, label, mode, model, name = 'f1') {
  const { rows } = arm.evals.find((each) => each.label === label);
  const own = new Map(
    rows.filter((row) => row.mode === mode && row.model === model).map((row) => [row.id, row[name]]),
  );
  return asked.map(({ id }) => {
    if (!own.has(id)) throw new Error(`${arm.name} ${label} ${mode} ${model}: no answer to ${id}`);
    return own.get(id);
  });
}

/** Mean and 95 % interval, in percent. */
function interval(values) {
  const { estimate, low, high } = bootstrapCI(values, { clusters: contexts });
  return { mean: 100 * estimate, low: 100 * low, high: 100 * high };
}

const minus = (a, b) => interval(a.map((value, i) => value - b[i]));
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const rows = arms.flatMap((arm) =>
  short.evals.flatMap(({ label }) =>
    models.flatMap((model) =>
      Object.entries(MODES).map(([reads, mode]) => {
        const f1 = column(arm, label, mode, model);
        const latents = mode === 'latent';
        return {
          ...{ arm: arm.name, ratio: label, model, reads, f1: interval(f1) },
          em: 100 * mean(column(arm, label, mode, model, 'em')),
          ...(latents && { over_another_context: minus(f1, column(arm, label, 'shuffled', model)) }),
          ...(latents && arm !== short && { over_short: minus(f1, column(short, label, mode, model)) }),
        };
      }),
    ),
  ),
);
/** Flags that were added, later ones counting, or that are missing. */
function differs({ flags }) {
  if (short.flags.every((flag, i) => flag === flags[i])) return flags.slice(short.flags.length);
  const missing = short.flags.filter((flag) => !flags.includes(flag)).map((flag) => `without ${flag}`);
  return [...missing, ...flags.filter((flag) => !short.flags.includes(flag))];
}

saveResult(
  'shared-wire/ablations',
  {
    questions: asked.length,
    contexts: new Set(contexts).size,
    intervals: '95 %, 10,000 resamples of contexts',
    arms: arms.map((arm) => ({
      ...{ arm: arm.name, minutes: arm.minutes, steps: arm.steps },
      differs: arm === short ? [] : differs(arm),
    })),
    rows,
  },
  { ...(o.commit && { commit: o.commit }), note: o.note },
);
