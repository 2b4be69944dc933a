/** `latentwire figures`: draws the figures of a run again from what is on disk, finished or not. */
import type { CliCommand } from './command.js';

export const figures: CliCommand = {
  name: 'figures',
  summary: 'draw the figures of a run (PNG and SVG) from what it has written so far',
  declare: (command) => command.argument('<run>', 'run directory'),
  async run({ args }) {
    const { findRun, runLocation } = await import('../telemetry/index.js');
    const { drawRunFigures } = await import('../results/index.js');
    const { root, name } = runLocation(args[0]!);
    const { paths } = findRun(name, { root });
    await drawRunFigures(paths.directory);
    return { json: { figures: paths.figures }, text: `figures: ${paths.figures}` };
  },
};
