/**
 * One attempt at a training, as `latentwire train --auto-resume` makes it but without figures; run by kill-matrix.mjs.
 *
 *   node attempt.mjs CONFIG.json [PLAN.json]
 *
 * The plan may make a save go wrong: {"save": n, "signal": "SIGTERM"} raises a signal as save n begins (from 0),
 * {"save": n, "fault": {"at": 3, "kind": "kill"}} injects a fault at one of its system calls.
 */
import { readFileSync } from 'node:fs';
import { runConfigSchema } from '../../packages/latentwire/dist/config/index.js';
import { createLogger } from '../../packages/latentwire/dist/telemetry/index.js';
import { train } from '../../packages/latentwire/dist/training/index.js';

const config = runConfigSchema.parse(JSON.parse(readFileSync(process.argv[2], 'utf8')));
const plan = JSON.parse(process.argv[3] ?? '{}');
let saves = 0;
const saveFault = () => {
  if (plan.save === undefined || saves++ !== plan.save) return undefined;
  if (plan.signal) process.kill(process.pid, plan.signal);
  return plan.fault;
};
try {
  const report = await train(config, { logger: createLogger({ level: 'info' }), saveFault });
  process.stdout.write(`${JSON.stringify(report)}\n`);
} catch (error) {
  process.stderr.write(`error: ${error.stack}\n`);
  process.exitCode = 1;
}
