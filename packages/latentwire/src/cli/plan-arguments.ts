/** The plan that a command line names, with the settings that it changes. */
import { type Assignment, readConfigFile } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import type { Plan } from '../experiments/index.js';
import type { CommandCall } from './command.js';

/** @throws LatentWireError `input` */
export async function planOf(call: CommandCall): Promise<Plan> {
  const [file] = call.args;
  if (file === undefined) {
    throw new LatentWireError('expected a plan file, got none', {
      code: 'input',
      hint: 'for example experiments/smoke.yaml',
    });
  }
  const { config, experimentDir } = call.options as { config?: string; experimentDir?: string };
  const { loadPlan } = await import('../experiments/index.js');
  const fromFile: readonly Assignment[] = config === undefined ? [] : readConfigFile(config);
  return loadPlan(file, { assignments: [...fromFile, ...call.assignments], directory: experimentDir });
}
