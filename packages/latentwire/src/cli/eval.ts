/** `latentwire eval`: scores the saved wire of a run again. */
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';
import { scoreTable, stoppedText } from './score-table.js';

interface EvalOptions {
  readonly saveDir?: string;
}

export const evaluate: CliCommand = {
  name: 'eval',
  summary: 'score the saved wire of a run; evaluation settings may differ from those it was trained with',
  settings: ['evaluation', 'system', 'run'],
  async run({ options, assignments, logger }) {
    const { saveDir } = options as EvalOptions;
    if (saveDir === undefined) {
      throw new LatentWireError('expected the run to score, got none', {
        code: 'input',
        hint: 'name its directory: latentwire eval --save-dir runs/NAME',
      });
    }
    const { findRun, runLocation } = await import('../telemetry/index.js');
    const { applyAssignments, parseConfig } = await import('../config/index.js');
    const { root, name } = runLocation(saveDir);
    const record = findRun(name, { root });
    const config = applyAssignments(assignments, parseConfig(record.config, record.paths.config));
    const { evaluateSaved } = await import('../training/index.js');
    const { drawRunFigures } = await import('../results/index.js');
    const report = await evaluateSaved(config, { logger, figures: drawRunFigures });
    if (report.state !== 'completed') return { json: { ...report }, text: stoppedText(report) };
    return { json: { ...report }, text: await scoreTable(report) };
  },
};
