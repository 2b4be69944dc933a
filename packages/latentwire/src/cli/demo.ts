/**
 * `latentwire demo`: a whole run on what is bundled. The frozen model and the generated facts come with the package,
 * so nothing is downloaded; a wire is trained on the spot and compared with text.
 */
import { fileURLToPath } from 'node:url';
import type { CliCommand } from './command.js';
import { scoreTable, stoppedText } from './score-table.js';

/** Chosen so that the whole demo takes a few minutes on two CPU cores. */
const SETTINGS = {
  'data.dataset': 'facts',
  'data.samples': 40_000,
  'facts.people': 1,
  'facts.each': 2,
  'wire.latent_len': 4,
  'wire.d_z': 64,
  'adapter.hidden': 256,
  'optimizer.lr': 2e-3,
  'optimizer.encoder_lr': 1e-3,
  'training.batch_size': 32,
  'training.epochs': 1,
  'evaluation.eval_samples': 300,
  'evaluation.eval_batch_size': 100,
  'evaluation.max_new_tokens': 16,
} as const;

export const demo: CliCommand = {
  name: 'demo',
  summary: 'train a wire for the bundled model on generated facts and show how it compares with text',
  settings: ['wire', 'training', 'evaluation', 'system', 'run'],
  async run({ assignments, logger }) {
    const model = bundledModel('tiny-llama');
    const { resolveConfig } = await import('../config/index.js');
    const { train } = await import('../training/index.js');
    const { drawRunFigures } = await import('../results/index.js');
    const fixed = [
      { path: 'model.ids', value: [model] },
      { path: 'encoder.id', value: model },
      { path: 'run.save_dir', value: 'runs/demo' },
      { path: 'checkpoint.restart', value: true },
      ...Object.entries(SETTINGS).map(([path, value]) => ({ path, value })),
    ].map((assignment) => ({ ...assignment, origin: 'demo' }));
    const config = resolveConfig({ assignments: [...fixed, ...assignments] });
    logger.info('a frozen model of half a million weights will read facts through latents instead of text');
    const report = await train(config, { logger, figures: drawRunFigures });
    if (report.state !== 'completed') return { json: { ...report }, text: stoppedText(report) };
    return {
      json: { ...report },
      text: `${await scoreTable(report)}\nfigures: ${report.directory}/figures/f1.png and loss.png`,
    };
  },
};

/** Folder of a bundled model. */
function bundledModel(name: string): string {
  return fileURLToPath(new URL(`../../assets/${name}`, import.meta.url));
}
