/** One cell as a child process: `node stand-in-cell.fixture.js CONFIG STEP_MS`. */
import { readFileSync } from 'node:fs';
import type { RunConfig } from '../config/index.js';
import { standInTrain } from './stand-in-trainer.fixture.js';

let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});
const [config = '', stepMs = '5'] = process.argv.slice(2);
await standInTrain(JSON.parse(readFileSync(config, 'utf8')) as RunConfig, {
  stepMs: Number(stepMs),
  checkpointEvery: 5,
  stopping: () => stopping,
});
