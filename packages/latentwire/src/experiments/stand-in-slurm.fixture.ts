/**
 * The product as jobs of a plan start it, with the stand-in trainer in place of the real one:
 * `node stand-in-slurm.fixture.js STEP_MS slurm (task|advance) FILE`.
 */
import { fileURLToPath } from 'node:url';
import { createLogger } from '../telemetry/index.js';
import { guardPlan, runCellTask } from './slurm-plan/index.js';

const [stepMs = '5', , action, file = ''] = process.argv.slice(2);
const logger = createLogger({ level: 'info' });
const program = [process.execPath, fileURLToPath(import.meta.url), stepMs];
const cell = fileURLToPath(new URL('./stand-in-cell.fixture.js', import.meta.url));
if (action === 'task') {
  const command = (_: unknown, files: { readonly config: string }) => [
    ...[process.execPath, cell, files.config, stepMs],
  ];
  const result = await runCellTask({ file, command, program, logger });
  console.log(JSON.stringify(result));
  process.exitCode = result.exitCode;
} else {
  const next = await guardPlan(file, { program, logger, pauseMs: 2000 });
  console.log(JSON.stringify({ arrays: next?.arrays, held: next?.held }));
}
