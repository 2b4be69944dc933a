/**
 * `latentwire demo`: a whole run on what is bundled. Two frozen models of different families read the facts of a
 * generated corpus through one wire that is trained on the spot; nothing is downloaded.
 */
import { fileURLToPath } from 'node:url';
import type { CliCommand } from './command.js';
import { scoreTable, stoppedText } from './score-table.js';

const READERS = ['tiny-llama', 'tiny-qwen2'] as const;

/**
 * Chosen so that the whole demo takes a few minutes on two CPU cores. One person and one latent per 4.5 tokens: two people
 * and one per 8 do not take off in this time (docs/LOG.md).
 */
const SETTINGS = {
  'data.dataset': 'facts',
  'data.samples': 44_800,
  'facts.people': 1,
  'facts.each': 2,
  // The bundled models answer little else (assets/README.md).
  'facts.questions': 'attribute',
  'wire.latent_ratio': 4.5,
  'wire.d_z': 32,
  // A message of 50 to 60 bytes, smaller than the text that it stands for.
  'wire.bits': 2,
  'wire.group': 0,
  'wire.bits_start': 0.7,
  'adapter.hidden': 256,
  'adapter.disable_calibration': true,
  'objective.kd_weight': 0,
  'objective.pretrain_share': 0.45,
  'objective.reconstruction_weight': 0.2,
  'optimizer.lr': 2e-3,
  'optimizer.encoder_lr': 1e-3,
  'schedule.warmup_ratio': 0.03,
  'training.batch_size': 32,
  'training.epochs': 1,
  'training.decoders_per_step': 'one',
  'evaluation.eval_samples': 200,
  'evaluation.eval_batch_size': 100,
  'evaluation.max_new_tokens': 12,
  'evaluation.eval_modes': ['text', 'token_budget', 'random_projection', 'no_context', 'latent', 'shuffled'],
} as const;

export const demo: CliCommand = {
  name: 'demo',
  summary: 'train one wire for the two bundled models on generated facts and show how it compares with text',
  settings: ['wire', 'training', 'evaluation', 'system', 'run'],
  async run({ assignments, logger }) {
    const { resolveConfig } = await import('../config/index.js');
    const { train } = await import('../training/index.js');
    const { drawRunFigures, writeRunReport } = await import('../results/index.js');
    const fixed = [
      { path: 'model.ids', value: READERS.map(bundledModel) },
      { path: 'encoder.id', value: bundledModel('tiny-llama') },
      { path: 'run.save_dir', value: 'runs/demo' },
      { path: 'checkpoint.restart', value: true },
      ...Object.entries(SETTINGS).map(([path, value]) => ({ path, value })),
    ].map((assignment) => ({ ...assignment, origin: 'demo' }));
    const config = resolveConfig({ assignments: [...fixed, ...assignments] });
    logger.info('two frozen models will read facts through one set of latents instead of text');
    const report = await train(config, { logger, figures: drawRunFigures });
    if (report.state !== 'completed') return { json: { ...report }, text: stoppedText(report) };
    const page = await writeRunReport(report.directory, { title: 'LatentWire demo' });
    return {
      json: { ...report, report: page },
      text: `${await scoreTable(report)}\nreport: ${page}\nfigures: ${report.directory}/figures/f1.png and loss.png`,
    };
  },
};

/** Folder of a bundled model. */
function bundledModel(name: string): string {
  return fileURLToPath(new URL(`../../assets/${name}`, import.meta.url));
}
