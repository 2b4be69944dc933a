/** `latentwire train`: trains a wire between frozen models, scores it and draws its figures. */
import type { CliCommand } from './command.js';
import { scoreTable, stoppedText } from './score-table.js';

export const train: CliCommand = {
  name: 'train',
  summary: 'train a wire, score it against text, truncated text and no context, and draw figures',
  settings: 'all',
  async run({ config, logger }) {
    const settings = config();
    const { train: trainWire } = await import('../training/index.js');
    const { drawRunFigures } = await import('../results/index.js');
    const report = await trainWire(settings, { logger, figures: drawRunFigures });
    if (report.state !== 'completed') return { json: { ...report }, text: stoppedText(report) };
    return { json: { ...report }, text: await scoreTable(report) };
  },
};
