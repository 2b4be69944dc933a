/** A runner as a process of its own: `node stand-in-shell.fixture.js PLAN DIRECTORY SLOTS STEP_MS`. */
import { fileURLToPath } from 'node:url';
import { silentLogger } from '../telemetry/index.js';
import { Claims, claimsFolder, LocalExecutor, loadPlan, runPlan } from './index.js';

const [file = '', directory = '', slots = '1', stepMs = '5'] = process.argv.slice(2);
const plan = loadPlan(file, { directory });
const claims = new Claims(claimsFolder(plan.directory));
const abort = new AbortController();
process.on('SIGTERM', () => abort.abort());
const cell = fileURLToPath(new URL('./stand-in-cell.fixture.js', import.meta.url));
const executor = new LocalExecutor({
  slots: Number(slots),
  gpuClaims: claims,
  command: (_, files) => [process.execPath, cell, files.config, stepMs],
});
const { states, completed } = await runPlan(plan, {
  executor,
  claims,
  logger: silentLogger,
  signal: abort.signal,
  pollMs: 100,
  crashPauseMs: 50,
});
claims.close();
console.log(JSON.stringify({ completed, states: [...states.values()].map(({ kind }) => kind) }));
