/**
 * `latentwire demo`: a whole run on what is bundled. Two frozen models of different families read the facts of a
 * generated corpus through one wire that is trained on the spot, from bundled weights; nothing is downloaded.
 */
import { fileURLToPath } from 'node:url';
import type { Assignment } from '../config/index.js';
import type { CliCommand } from './command.js';
import { scoreTable, stoppedText } from './score-table.js';

const READERS = ['tiny-llama', 'tiny-qwen2'] as const;

/** Weights of a wire for these readers that a GPU trained for five minutes (assets/README.md). */
const STARTING_WIRE = fileURLToPath(new URL('../../assets/tiny-wire/wire.safetensors', import.meta.url));

/** The facts, the wire's shape as in assets/tiny-wire/training.json, and about a minute of training on two CPU cores. */
const SETTINGS = {
  'data.dataset': 'facts',
  'data.samples': 7680,
  'data.questions_together': true,
  'encoder.non_causal': true,
  'facts.people': 1,
  'facts.each': 4,
  'facts.questions': 'attribute',
  'facts.style': 'prose',
  // Other contexts than those that the bundled wire was trained with.
  'facts.seed': 1,
  // Text lengths are no multiples of it: 9 makes the mean about 8.
  'wire.latent_ratio': 9,
  'wire.d_z': 32,
  'wire.bits': 4,
  'wire.group': 0,
  'adapter.hidden': 256,
  'adapter.disable_calibration': true,
  'objective.disable_kd': true,
  'objective.reconstruction_weight': 0,
  'schedule.warmup_ratio': 0.05,
  'training.batch_size': 32,
  'training.decoders_per_step': 'one',
  'training.train_expansions': '1,2',
  'evaluation.eval_samples': 400,
  'evaluation.eval_batch_size': 100,
  'evaluation.max_new_tokens': 12,
} as const;

/** A trained wire is only adjusted; random heads need brisk steps. */
const RATES = {
  bundled: { 'optimizer.lr': 5e-4, 'optimizer.encoder_lr': 2e-4 },
  random: { 'optimizer.lr': 2e-3, 'optimizer.encoder_lr': 1e-3 },
} as const;

/** The same wire is asked with twice as many latents, and as it is; the run directory keeps the latter. */
const TWICE = {
  'evaluation.expansion': 2,
  'evaluation.eval_modes': ['token_budget', 'random_projection', 'latent', 'shuffled'],
} as const;
const ONCE = {
  'evaluation.expansion': 1,
  'evaluation.eval_modes': ['text', 'token_budget', 'random_projection', 'no_context', 'latent', 'shuffled'],
} as const;

interface DemoFlags {
  readonly fromScratch?: boolean;
}

export const demo: CliCommand = {
  name: 'demo',
  summary: 'train a wire for the two bundled models on generated facts and show how it compares with text',
  settings: ['wire', 'training', 'evaluation', 'system', 'run'],
  declare: (command) =>
    command.option('--from-scratch', 'train from random weights, not on from the bundled wire'),
  async run({ options, assignments, logger }) {
    const { applyAssignments, resolveConfig } = await import('../config/index.js');
    const { evaluateSaved, train } = await import('../training/index.js');
    const { drawRunFigures, writeRunReport } = await import('../results/index.js');
    const scratch = (options as DemoFlags).fromScratch === true;
    const start = scratch
      ? 'The wire starts from random weights.'
      : 'The wire starts from bundled weights that one GPU trained in five minutes (assets/README.md) and trains on.';
    const settings = {
      'model.ids': READERS.map(bundledModel),
      'encoder.id': bundledModel('tiny-llama'),
      'run.save_dir': 'runs/demo',
      'checkpoint.restart': true,
      ...(!scratch && { 'run.init_from': STARTING_WIRE }),
      ...SETTINGS,
      ...RATES[scratch ? 'random' : 'bundled'],
    };
    const config = resolveConfig({ assignments: [...assigned({ ...settings, ...TWICE }), ...assignments] });
    logger.info('two frozen models will read facts through one set of latents instead of text');
    logger.info(start);
    const finer = await train(config, { logger, replace: true });
    if (finer.state !== 'completed') return { json: { ...finer }, text: stoppedText(finer) };
    const plain = applyAssignments([...assigned(ONCE), ...assignments], config);
    const report = await evaluateSaved(plain, { logger, figures: drawRunFigures });
    if (report.state !== 'completed') return { json: { ...report }, text: stoppedText(report) };
    const page = await writeRunReport(report.directory, {
      title: 'LatentWire demo',
      lead: [start],
      also: { title: 'Scores with twice as many latents', metrics: finer.metrics },
    });
    return {
      json: { ...report, twice_as_many_latents: finer.metrics, start, report: page },
      text: `${await scoreTable(report, finer.metrics)}\n${start}\nreport: ${page}\nfigures: ${report.directory}/figures/f1.png and loss.png`,
    };
  },
};

function assigned(settings: Readonly<Record<string, unknown>>): Assignment[] {
  return Object.entries(settings).map(([path, value]) => ({ path, value, origin: 'demo' }));
}

/** Folder of a bundled model. */
function bundledModel(name: string): string {
  return fileURLToPath(new URL(`../../assets/${name}`, import.meta.url));
}
