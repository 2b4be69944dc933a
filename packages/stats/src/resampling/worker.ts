/** Thread entry: computes chunks of every job posted to it. Started by parallel.ts. */
import { parentPort } from 'node:worker_threads';
import { type Job, workOn } from './parallel.js';

parentPort?.on('message', (job: Job) => workOn(job));
