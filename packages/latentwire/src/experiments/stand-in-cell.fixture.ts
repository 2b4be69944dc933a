/** One cell as a child process: `node stand-in-cell.fixture.js CONFIG STEP_MS`. */
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { RunConfig } from '../config/index.js';
import { standInTrain } from './stand-in-trainer.fixture.js';

let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});
const [config = '', stepMs = '5'] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(config, 'utf8')) as RunConfig;
const { RANK = '0', LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT } = process.env;
if (WORLD_SIZE !== undefined) {
  const words = [RANK, LOCAL_RANK, WORLD_SIZE, `${MASTER_ADDR}:${MASTER_PORT}`];
  appendFileSync(path.join(path.dirname(config), 'ranks.txt'), `${words.join(' ')}\n`);
}
// The other ranks of a training have nothing to do here, and write nothing.
if (RANK === '0') {
  await standInTrain(settings, { stepMs: Number(stepMs), checkpointEvery: 5, stopping: () => stopping });
}
