/** Thread entry of the batch loader: composes the batches it is asked for, in the order of asking. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type ComposingModule,
  transferable,
  type WorkerAnswer,
  type WorkerStart,
  type WorkerTask,
} from './composer.js';

const port = parentPort!;
const start = workerData as WorkerStart;
const module = (await import(start.module)) as ComposingModule<unknown, unknown, unknown>;
const compose = module.createComposer(start.data);

port.on('message', async ({ step, request }: WorkerTask) => {
  let answer: WorkerAnswer;
  try {
    answer = { step, batch: await compose(request) };
  } catch (error) {
    answer = { step, error: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(answer, 'batch' in answer ? [...transferable(answer.batch)] : []);
});
