/** `latentwire train`: trains a wire between frozen models, scores it and draws its figures. */
import path from 'node:path';
import type { CliCommand } from './command.js';
import { inSlurmJob } from './in-slurm-job.js';
import { scoreTable, stoppedText } from './score-table.js';

export const train: CliCommand = {
  name: 'train',
  summary: 'train a wire, score it against text, truncated text and no context, and draw figures',
  settings: 'all',
  async run({ config, logger }) {
    const settings = config();
    const directory = path.resolve(settings.run.save_dir);
    if (Number(process.env.RANK ?? process.env.SLURM_PROCID ?? 0) > 0) {
      const { follow, placeOf } = await import('../training/index.js');
      if ((placeOf()?.rank ?? 0) > 0) {
        const report = await follow(settings, { logger });
        return { json: { ...report }, text: '', silent: true };
      }
    }
    return inSlurmJob({
      ...{ directories: [directory], record: path.join(directory, 'logs', 'slurm.jsonl'), logger },
      async work(stopNotice) {
        const { train: trainWire } = await import('../training/index.js');
        const { drawRunFigures } = await import('../results/index.js');
        const report = await trainWire(settings, { logger, figures: drawRunFigures, stopNotice });
        const stopped = report.state !== 'completed';
        const text = stopped ? stoppedText(report) : await scoreTable(report);
        const { watchSignals } = await import('@latentwire/torch');
        return { stopped, result: { json: { ...report }, text }, ignoreSignals: watchSignals };
      },
    });
  },
};
