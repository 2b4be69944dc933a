/** `latentwire train`: load, train, save, evaluate, report. Also the evaluation alone of a run that exists. */
import * as t from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import {
  type Logger,
  type OpenRunOptions,
  openRun,
  type Run,
  type RunMetrics,
  runLocation,
} from '../telemetry/index.js';
import { encoderLimit } from '../wire/index.js';
import { evaluateConfigured, isBaselineRun } from './baseline-run.js';
import { checkpointPath, loadWire, saveWire } from './checkpoint.js';
import { addComparisons } from './comparisons.js';
import { loadSplit } from './datasets.js';
import { type LoopResult, trainLoop } from './loop.js';
import { type PreparedData, prepareData, readingOptions } from './prepare.js';
import { closeSession, openSession, type Session } from './session.js';

export interface TrainReport {
  readonly run: string;
  readonly directory: string;
  readonly steps: number;
  readonly metrics: RunMetrics;
}

export interface TrainIo {
  readonly logger: Logger;
  /** Draws the figures of a finished run; a failure here is logged and does not fail the run. */
  readonly figures?: (directory: string) => Promise<void>;
}

/** Trains a wire and scores it. The run directory holds everything the report says. */
export async function train(config: RunConfig, io: TrainIo): Promise<TrainReport> {
  requireModels(config);
  return withRun(config, io, async (run, session) => {
    if (isBaselineRun(config)) {
      const metrics = await score(run, session, 0, null, io.logger);
      return { run: run.id, directory: run.paths.directory, steps: 0, metrics };
    }
    const prepared = await prepare(session, 'train', io.logger);
    const trainData = (await addComparisons(session, prepared, { logger: io.logger }))!;
    run.setRunning('train', 0);
    const loop = trainLoop(session, trainData, run, io.logger);
    run.diagnostics.sync();
    const checkpoint = saveWire(session.wire, run.paths, config, loop.steps);
    io.logger.info('saved', { checkpoint });
    const metrics = await score(run, session, loop.steps, loop, io.logger);
    return { run: run.id, directory: run.paths.directory, steps: loop.steps, metrics };
  });
}

/** Scores the saved wire of a run again, with the evaluation settings of `config`. */
export async function evaluateSaved(config: RunConfig, io: TrainIo): Promise<TrainReport> {
  requireModels(config);
  return withRun(config, { ...io, mayChange: ['evaluation'] }, async (run, session) => {
    const step = loadWire(session.wire, run.paths);
    io.logger.info('loaded', { checkpoint: checkpointPath(run.paths), step });
    const metrics = await score(run, session, step, null, io.logger);
    return { run: run.id, directory: run.paths.directory, steps: step, metrics };
  });
}

async function withRun(
  config: RunConfig,
  io: TrainIo & Pick<OpenRunOptions, 'mayChange'>,
  body: (run: Run, session: Session) => Promise<TrainReport>,
): Promise<TrainReport> {
  const { root, name } = runLocation(config.run.save_dir);
  const { mayChange = [] } = io;
  const run = await openRun(name, { root, config, torch: t.addonInfo().torch, mayChange });
  let session: Session | undefined;
  try {
    session = await openSession(config, io.logger);
    const report = await body(run, session);
    if (io.figures !== undefined) await io.figures(run.paths.directory).catch(warnAboutFigures(io.logger));
    run.setStatus({ state: 'completed', step: report.steps });
    return report;
  } catch (error) {
    run.setStatus(failure(error));
    throw error;
  } finally {
    if (session !== undefined) closeSession(session);
    run.close();
  }
}

async function prepare(session: Session, split: 'train' | 'dev', logger: Logger): Promise<PreparedData> {
  const { config } = session;
  const examples = await loadSplit(config, split, session.root);
  const data = await prepareData(examples, {
    encoderTokenizer: session.encoderTokenizer,
    readers: session.readers,
    encode: config.encoder.encode,
    maxContextTokens: encoderLimit(config.encoder),
    maxAnswerTokens: split === 'train' ? config.objective.max_answer_tokens : null,
    ...(split === 'train' ? readingOptions(session) : { reconstruction: false }),
  });
  logger.info(`tokenised ${split}`, { examples: examples.length });
  if (data.truncatedContexts > 0) {
    logger.warn(
      `${data.truncatedContexts} contexts were cut at ${encoderLimit(config.encoder)} encoder tokens; questions are whole`,
    );
  }
  return data;
}

async function score(
  run: Run,
  session: Session,
  step: number,
  loop: LoopResult | null,
  logger: Logger,
): Promise<RunMetrics> {
  run.setRunning('evaluate', step);
  const data = await prepare(session, 'dev', logger);
  const result = await evaluateConfigured(session, data, { paths: run.paths, logger });
  if (result.state === 'interrupted') {
    throw new LatentWireError('expected an evaluation that nothing stops, got an interrupted one', {
      code: 'internal',
    });
  }
  const { metrics } = result;
  const complete = {
    ...metrics,
    trainable_parameters: session.parameters,
    device: session.device,
    torch: t.torchVersion(),
    ...(loop === null
      ? {}
      : {
          train: {
            steps: loop.steps,
            seconds: loop.seconds,
            samples_per_second: loop.samplesPerSecond,
            final_loss: loop.finalLoss,
          },
        }),
  };
  run.writeMetrics(complete);
  return complete;
}

function requireModels(config: RunConfig): void {
  if (config.model.ids.length > 0) return;
  throw new LatentWireError('expected at least one frozen model, got none', {
    code: 'input',
    hint: 'name it with --model: a hub id, a folder or a .gguf file',
  });
}

function failure(error: unknown): Parameters<Run['setStatus']>[0] {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof t.TorchError && error.outOfMemory) {
    return {
      state: 'oom',
      step: 0,
      error: { code: 'oom', message, hint: 'lower --batch-size and raise --grad-accum' },
    };
  }
  const known = error instanceof LatentWireError;
  return {
    state: 'failed',
    step: 0,
    error: {
      code: known ? error.code : 'internal',
      message,
      ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
    },
  };
}

function warnAboutFigures(logger: Logger): (error: unknown) => void {
  return (error) => logger.warn(`figures were not drawn: ${error instanceof Error ? error.message : error}`);
}
