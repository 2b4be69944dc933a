/** §5: the commands of the four phases, in small: three baselines, a cell of the grid, four ablations, sizes, models. */
import fs from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import { resolveModel } from '../../models/hub/index.js';
import {
  type DiagnosticsRow,
  readDiagnostics,
  readMetrics,
  readPredictionRows,
} from '../../telemetry/index.js';
import { findCheckpoint } from '../../training/index.js';
import { type Bench, failureOf } from '../bench.js';
import { experiment, NotApplicable, type Section, verdict } from '../experiment.js';
import { figure } from './preemption.js';

/** Few steps: half of them with answers. */
const SHORT = ['--max-steps', '8', '--eval-samples', '2'];

export interface BaselineEvidence {
  readonly baselines: readonly {
    readonly name: string;
    readonly mode: string;
    readonly em: number | null;
    readonly nll_token: number | null;
    readonly predictions: number;
  }[];
  /** ln V of the reader: the loss of a guess over its whole vocabulary. */
  readonly guess_nll: number;
}

async function baselines(bench: Bench): Promise<BaselineEvidence> {
  // As the checklist has it: --baseline NAME --samples 100 --debug. The probe needs classes with examples enough.
  const probe = ['--eval-samples', '200', '--probe-folds', '2'];
  const kinds = [
    ['text_only', 'text', ['--eval-samples', '40', '--monitor_gpu']],
    ['random_projection', 'random_projection', ['--eval-samples', '40']],
    ['linear_probe', 'linear_probe', probe],
  ] as const;
  const seen: BaselineEvidence['baselines'][number][] = [];
  for (const [name, mode, args] of kinds) {
    await bench.trained(name, ['--baseline', name, '--samples', '100', '--debug', ...args]);
    const paths = bench.paths(name);
    const [scores] = Object.values((readMetrics(paths.metrics) as Record<string, object>)[mode] ?? {}) as {
      em?: number;
      nll_token?: number;
    }[];
    seen.push({
      ...{ name, mode, em: scores?.em ?? null, nll_token: scores?.nll_token ?? null },
      predictions: readPredictionRows(paths.predictions).length,
    });
  }
  const { path: model } = await resolveModel('bundled:tiny-llama', { parts: 'all' });
  const { vocab_size } = JSON.parse(fs.readFileSync(path.join(model, 'config.json'), 'utf8')) as {
    vocab_size: number;
  };
  return { baselines: seen, guess_nll: Math.log(vocab_size) };
}

export interface VariantEvidence {
  readonly name: string;
  /** Tensors of the adapter that are there. */
  readonly adapter: readonly string[];
  /** Gain of the prefix after a few steps; it starts at the embedding RMS, or at 1. */
  readonly scale: number;
  /** Rows with answers that have a distillation loss, and how many there are. */
  readonly kd_rows: number;
  readonly answer_rows: number;
  /** Rows in which the term of the first K tokens equals that of the first token. */
  readonly k_is_first: number;
  readonly loss: number;
}

export interface AblationEvidence {
  readonly full: VariantEvidence;
  readonly variants: Readonly<Record<string, VariantEvidence>>;
}

const ABLATIONS = {
  adapter: ['--disable_adapter'],
  calibration: ['--disable_calibration'],
  distillation: ['--disable_kd'],
  k1: ['--K', '1'],
} as const;

async function ablations(bench: Bench): Promise<AblationEvidence> {
  const one = async (name: string, flags: readonly string[]): Promise<VariantEvidence> => {
    await bench.trained(name, [...SHORT, ...flags]);
    const answers = readDiagnostics(bench.paths(name).diagnostics).filter((row) => row.answer_loss != null);
    const found = findCheckpoint(bench.paths(name))!;
    using file = found.file;
    return {
      name,
      adapter: file.names
        .filter((tensor) => tensor.startsWith('adapters.0.map'))
        .map((tensor) => tensor.slice(15)),
      scale: t.scope(() => file.load('adapters.0.scale').toArray()[0]!),
      kd_rows: answers.filter((row) => typeof row.kd_loss === 'number').length,
      answer_rows: answers.length,
      k_is_first: answers.filter((row) => row.k_token_loss === row.first_token_loss).length,
      loss: answers.at(-1)?.loss ?? Number.NaN,
    };
  };
  const full = await one('full', []);
  const variants: Record<string, VariantEvidence> = {};
  for (const [name, flags] of Object.entries(ABLATIONS)) variants[name] = await one(name, flags);
  return { full, variants };
}

export interface ScalingEvidence {
  readonly grid: { readonly latent_len: number; readonly d_z: number; readonly latents: number };
  readonly sizes: readonly {
    readonly samples: number;
    readonly examples: number | null;
    readonly steps_per_epoch: number | null;
  }[];
  readonly models: readonly string[];
}

export interface PlanEvidence {
  readonly cells: number;
  readonly distinct: number;
  readonly labels: readonly string[];
}

async function scaling(bench: Bench): Promise<ScalingEvidence> {
  await bench.trained('grid', [...SHORT, '--latent_len', '16', '--d_z', '128']);
  const grid = readMetrics(bench.paths('grid').metrics) as Record<string, number>;
  const rows = readDiagnostics(bench.paths('grid').diagnostics) as (DiagnosticsRow & { latents?: number })[];
  const sizes: ScalingEvidence['sizes'][number][] = [];
  for (const samples of [32, 96]) {
    const { stderr } = await bench.trained(`samples-${samples}`, [...SHORT, '--samples', String(samples)]);
    sizes.push({
      samples,
      examples: figure(stderr, /tokenised train examples=(\d+)/),
      steps_per_epoch: figure(stderr, /steps_per_epoch=(\d+)/),
    });
  }
  await bench.trained('two-models', [...SHORT, '--llama_id', 'bundled:tiny-qwen2']);
  return {
    grid: { latent_len: grid.latent_len!, d_z: grid.d_z!, latents: rows.at(-1)?.latents ?? 0 },
    sizes,
    models: Object.keys(readMetrics(bench.paths('two-models').metrics)?.latent ?? {}),
  };
}

/** The commands of all phases as one plan, expanded and not run. */
async function mainPlan(bench: Bench): Promise<PlanEvidence> {
  const file = path.join(bench.settings.checkout, 'experiments/main.yaml');
  if (!fs.existsSync(file)) throw new NotApplicable('not in a checkout: no experiments/ here');
  const plan = await bench.command(['plan', file]);
  if (plan.code !== 0) throw new Error(failureOf(plan));
  const cells = plan.json.cells as { id: string; places: { phase: string; label: string }[] }[];
  const labels = cells.flatMap(({ places }) => places.map(({ phase, label }) => `${phase}: ${label}`));
  return {
    cells: cells.length,
    distinct: new Set(cells.map(({ id }) => id)).size,
    labels: [...new Set(labels)],
  };
}

export interface FairnessEvidence {
  readonly predictions: number;
  /** Predictions that changed when the gold answers were exchanged and made longer. */
  readonly changed_by_gold: number;
  /** Predictions and likelihoods that changed with the questions that share a batch (and so its padding). */
  readonly changed_by_batch: number;
  readonly largest_nll_change: number;
}

const PLACES = ['Oslo', 'Lima', 'Cairo', 'Turin', 'Quito', 'Perth'];

/** A set in SQuAD's own format; `shift` gives each question the answer of another, and more of it. */
function squad(shift: number): string {
  const paragraphs = PLACES.map((place, i) => {
    const context = `${'The town is small. '.repeat(i % 3)}Person ${i} lives in ${place} and works there.`;
    const other = PLACES[(i + shift) % PLACES.length]!;
    const text = shift === 0 ? place : `${other}, in the north of the country, not far from the sea`;
    const answers = [{ text, answer_start: Math.max(0, context.indexOf(place)) }];
    return { context, qas: [{ id: `q${i}`, question: `Where does person ${i} live?`, answers }] };
  });
  return JSON.stringify({ version: '1.1', data: [{ title: 'places', paragraphs }] });
}

async function fairness(bench: Bench): Promise<FairnessEvidence> {
  const [train, other] = [bench.in('gold.json'), bench.in('other-gold.json')];
  fs.writeFileSync(train, squad(0));
  fs.writeFileSync(other, squad(1));
  const data = [
    ...['--dataset', 'squad', '--train-file', train, '--samples', '6', '--grad-accum', '1'],
    // In half precision a GPU rounds otherwise for other batches.
    ...['--max-steps', '2', '--disable_kd', '--dtype', 'float32'],
  ];
  const modes = ['--eval-modes', 'text,latent', '--eval-samples', '6', '--eval-batch-size', '3'];
  await bench.trained('gold', [...data, ...modes, '--dev-file', train]);
  await bench.trained('other', [...data, ...modes, '--dev-file', other]);
  const before = readPredictionRows(bench.paths('gold').predictions);
  const exchanged = readPredictionRows(bench.paths('other').predictions);
  const nllBefore = metricsNll(bench.paths('gold').metrics);
  await bench.trained('gold-alone', [...data, ...modes, '--dev-file', train, '--eval-batch-size', '1']);
  const alone = readPredictionRows(bench.paths('gold-alone').predictions);
  const nllAlone = metricsNll(bench.paths('gold-alone').metrics);
  const changed = (rows: readonly { prediction?: unknown }[]): number =>
    before.filter((row, i) => row.prediction !== rows[i]?.prediction).length;
  return {
    predictions: before.length,
    changed_by_gold: changed(exchanged),
    changed_by_batch: changed(alone),
    largest_nll_change: Math.max(...nllBefore.map((value, i) => Math.abs(value - nllAlone[i]!))),
  };
}

function metricsNll(file: string): number[] {
  const metrics = readMetrics(file);
  return [metrics?.text, metrics?.latent].flatMap((mode) =>
    Object.values(mode ?? {}).map(({ nll_token }) => nll_token ?? Number.NaN),
  );
}

export interface MessageEvidence {
  readonly utf8_bytes: number;
  readonly zlib_bytes: number;
  readonly reported_bytes: number;
  readonly file_bytes: number;
  readonly positions: number;
  readonly tokens: number;
  readonly answer: string | null;
  readonly decode: string;
}

const TEXT =
  'Anna Berg lives in Oslo, works as a baker and likes green tea. Her neighbour Tom Lind comes from Turin, plays the cello every evening and keeps two black cats; he has never been to the north of the country, but he would like to see the sea.';

async function message(bench: Bench): Promise<MessageEvidence> {
  await bench.trained('wire', SHORT);
  const file = bench.in('message.lw');
  const where = ['--device', bench.settings.device];
  const run = ['--run', bench.in('wire')];
  const sent = await bench.command([
    'encode',
    ...run,
    '--text',
    TEXT,
    '--wire-bits',
    '4',
    '--out',
    file,
    ...where,
  ]);
  if (sent.code !== 0) throw new Error(failureOf(sent));
  const got = await bench.command([
    'decode',
    ...run,
    '--message',
    file,
    '--question',
    'Where does Anna live?',
    ...where,
  ]);
  const metrics = readMetrics(bench.paths('wire').metrics)!.latent!;
  const { ratios, context_positions: positions = Number.NaN } = Object.values(metrics)[0]!;
  const answers = got.json.answers as { answer: string }[] | undefined;
  return {
    utf8_bytes: sent.json.utf8_bytes as number,
    zlib_bytes: sent.json.zlib_bytes as number,
    reported_bytes: sent.json.bytes as number,
    file_bytes: fs.statSync(file).size,
    positions,
    tokens: positions * (ratios?.tokens ?? Number.NaN),
    answer: answers?.[0]?.answer ?? null,
    decode: got.code === 0 ? 'exit 0' : failureOf(got),
  };
}

const differs = (a: number, b: number): boolean => Number.isFinite(a) && Number.isFinite(b) && a !== b;

export const phases: Section = {
  number: 5,
  component: 'Experiment Phases',
  command: 'latentwire run experiments/smoke.yaml',
  headline: '5.9',
  experiments: [
    experiment<BaselineEvidence>({
      name: 'baselines',
      collect: baselines,
      checks: [
        {
          id: '5.1',
          says: 'Phase 1: text_only, random_projection and linear_probe run by --baseline and are scored',
          claims: [1, 17],
          judge: ({ baselines: seen }) =>
            verdict(
              seen.length === 3 && seen.every(({ em, predictions }) => em !== null && predictions > 0),
              seen
                .map(({ name, em, predictions }) => `${name} EM ${em?.toFixed(3) ?? '–'} on ${predictions}`)
                .join(', '),
            ),
        },
        {
          id: '5.2',
          says: 'The frozen model reads the text: NLL of the gold answer far below a guess (ln V), above what random vectors give',
          claims: [20],
          judge: ({ baselines: seen, guess_nll }) => {
            const nll = (name: string): number =>
              seen.find((row) => row.name === name)?.nll_token ?? Number.NaN;
            const [text, random] = [nll('text_only'), nll('random_projection')];
            return verdict(
              text < guess_nll / 2 && text < random,
              `NLL per token: text ${text.toFixed(3)}, random vectors ${random.toFixed(3)}, ln V ${guess_nll.toFixed(3)}`,
            );
          },
        },
      ],
    }),
    experiment<AblationEvidence>({
      name: 'ablations',
      collect: ablations,
      checks: [
        {
          id: '5.3',
          says: '--disable_adapter: one linear projection in place of the adapter',
          claims: [18],
          judge: ({ full, variants }) => {
            const names = variants.adapter!.adapter;
            return verdict(
              full.adapter.some((name) => name.startsWith('mlp')) &&
                names.every((name) => /^(weight|bias)$/.test(name)),
              `${full.adapter.length} tensors (${full.adapter.slice(0, 3).join(', ')}, …) became ${names.join(', ')}`,
            );
          },
        },
        {
          id: '5.4',
          says: '--disable_calibration: the prefix starts at RMS 1, not at that of the embedding table',
          claims: [18],
          judge: ({ full, variants }) => {
            const scale = variants.calibration!.scale;
            return verdict(
              Math.abs(scale - 1) < 0.05 && Math.abs(full.scale - 1) > 0.2,
              `gain ${full.scale.toFixed(4)} became ${scale.toFixed(4)}`,
            );
          },
        },
        {
          id: '5.5',
          says: '--disable_kd: no distillation term',
          claims: [18],
          judge: ({ full, variants }) => {
            const { kd_rows, answer_rows, loss } = variants.distillation!;
            return verdict(
              full.kd_rows === full.answer_rows &&
                full.kd_rows > 0 &&
                kd_rows === 0 &&
                differs(loss, full.loss),
              `${full.kd_rows} of ${full.answer_rows} answer steps had the term, now ${kd_rows} of ${answer_rows}; loss ${full.loss.toFixed(4)} became ${loss.toFixed(4)}`,
            );
          },
        },
        {
          id: '5.6',
          says: '--K 1: only the first content token is supervised by itself',
          claims: [18, 20],
          judge: ({ full, variants }) => {
            const { k_is_first, answer_rows, loss } = variants.k1!;
            return verdict(
              full.k_is_first === 0 &&
                answer_rows > 0 &&
                k_is_first === answer_rows &&
                differs(loss, full.loss),
              `first-K term equals the first-token term in ${k_is_first} of ${answer_rows} steps (K=4: ${full.k_is_first}); loss ${full.loss.toFixed(4)} became ${loss.toFixed(4)}`,
            );
          },
        },
      ],
    }),
    experiment<ScalingEvidence>({
      name: 'grid-and-scaling',
      collect: scaling,
      checks: [
        {
          id: '5.7',
          says: 'Phase 2: a cell of the grid, --latent_len 16 --d_z 128',
          claims: [19],
          judge: ({ grid }) =>
            verdict(
              grid.latent_len === 16 && grid.d_z === 128 && grid.latents === 16,
              `trained and scored with M = ${grid.latents}, d_z = ${grid.d_z}`,
            ),
        },
        {
          id: '5.8',
          says: 'Phase 4: --samples changes the data, a second model reads the same wire',
          claims: [19],
          judge: ({ sizes, models }) =>
            verdict(
              sizes.every(({ samples, examples }) => samples === examples) &&
                differs(sizes[0]!.steps_per_epoch!, sizes[1]!.steps_per_epoch!) &&
                models.length === 2,
              `${sizes.map((s) => `${s.examples} examples, ${s.steps_per_epoch} steps an epoch`).join('; ')}; scored ${models.join(' and ')}`,
            ),
        },
      ],
    }),
    experiment<PlanEvidence>({
      name: 'plan',
      collect: mainPlan,
      checks: [
        {
          id: '5.9',
          says: 'All phases are one plan: baselines, 12 grid cells, 4 ablations, 5 sizes, 2 models, none twice',
          claims: [19],
          judge: (plan) => {
            const of = (phase: string): number =>
              plan.labels.filter((label) => label.startsWith(`${phase}:`)).length;
            const counts = { baselines: 3, core: 12, ablations: 5, samples: 5, models: 2 };
            const ok = Object.entries(counts).every(([phase, count]) => of(phase) === count);
            return verdict(
              ok && plan.cells === plan.distinct,
              `${plan.cells} runs, ${plan.distinct} distinct: ${Object.keys(counts)
                .map((phase) => `${phase} ${of(phase)}`)
                .join(', ')}`,
            );
          },
        },
      ],
    }),
    experiment<FairnessEvidence>({
      name: 'fairness',
      collect: fairness,
      checks: [
        {
          id: '5.10',
          says: 'No gold at evaluation: other, longer gold answers leave every prediction as it was',
          claims: [21],
          judge: (e) =>
            verdict(
              e.predictions > 0 && e.changed_by_gold === 0,
              `${e.changed_by_gold} of ${e.predictions} predictions (text and latent) changed`,
            ),
        },
        {
          id: '5.11',
          says: 'Padding is invisible: answers and likelihoods do not depend on who shares the batch',
          claims: [20],
          judge: (e) =>
            verdict(
              e.changed_by_batch === 0 && e.largest_nll_change < 1e-3,
              `${e.changed_by_batch} of ${e.predictions} predictions changed between batches of 3 and 1; NLL by ${e.largest_nll_change.toExponential(1)}`,
            ),
        },
      ],
    }),
    experiment<MessageEvidence>({
      name: 'message',
      collect: message,
      checks: [
        {
          id: '5.12',
          says: 'Compression ≥ 4× in bytes that can be sent, and in tokens; what is counted is what is in the file',
          claims: [22],
          judge: (e) => {
            const [bytes, tokens] = [e.utf8_bytes / e.file_bytes, e.tokens / e.positions];
            return verdict(
              e.file_bytes === e.reported_bytes && bytes >= 4 && tokens >= 4 && e.answer !== null,
              `${e.utf8_bytes} bytes of text (${e.zlib_bytes} by zlib) became a file of ${e.file_bytes} (reported ${e.reported_bytes}): ${bytes.toFixed(1)}×; positions ${tokens.toFixed(1)}×; decode ${e.decode}`,
            );
          },
        },
      ],
    }),
  ],
};
