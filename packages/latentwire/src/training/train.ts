/**
 * `latentwire train`: load, train, save, evaluate, report; and the evaluation alone of a run that exists. Every phase
 * may be stopped by a signal, and the next attempt goes on there.
 */
import { existsSync } from 'node:fs';
import * as t from '@latentwire/torch';
import { type RunConfig, settingsHash } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import {
  GpuMonitor,
  Interrupted,
  Interruption,
  type Logger,
  type OpenRunOptions,
  openRun,
  type Run,
  type RunMetrics,
  readDiagnostics,
  readMetrics,
  runLocation,
  runPaths,
  type SignalSource,
  summariseSteps,
  timeLedger,
} from '../telemetry/index.js';
import { evaluateConfigured, isBaselineRun } from './baseline-run.js';
import {
  batchPolicy,
  batchSizeMetrics,
  chooseBatchSize,
  memoryGauge,
  recordTrainingPeak,
} from './batch-size/index.js';
import {
  type CheckpointState,
  checkpointPath,
  findCheckpoint,
  loadStartingWeights,
  loadWire,
  ownCheckpoint,
  parseState,
  requireSameIdentity,
  runIdentity,
} from './checkpoint/index.js';
import { explained, failureStatus, interruptedStatus, logLines } from './end-state.js';
import { evaluationModes } from './evaluate-run.js';
import {
  agreedInterruption,
  type Beginning,
  joinTeam,
  type MicroBatchChoice,
  watchStopSignals,
} from './follow.js';
import { type LoopResult, resultOf, trainLoop } from './loop.js';
import { saveFaultsOf } from './save-faults.js';
import { closeSession, openSession, type Session } from './session.js';
import { startingPoint } from './starting-point.js';
import type { Team } from './team/index.js';
import { loadModels, loadTrainingData, prepare } from './training-data.js';

export interface TrainReport {
  readonly state: 'completed';
  readonly run: string;
  readonly directory: string;
  readonly steps: number;
  readonly metrics: RunMetrics;
}

/** A run that was asked to stop. The same command with `--auto-resume` goes on. */
export interface StoppedReport {
  readonly state: 'preempted' | 'timeout';
  readonly run: string;
  readonly directory: string;
  readonly signal: string;
  /** Step of the checkpoint; 0 without one. */
  readonly steps: number;
  readonly checkpoint: string | null;
}

export interface TrainIo {
  readonly logger: Logger;
  /** Draws the figures of a finished run; a failure here is logged and does not fail the run. */
  readonly figures?: (directory: string) => Promise<void>;
  /** A run of other settings may lie in the run directory; it is replaced. */
  readonly replace?: boolean;
  /** A reason to stop besides signals, e.g. the nearing end of a Slurm job; polled like them. */
  readonly stopNotice?: SignalSource;
  /** @internal See `LoopOptions.readLate`. */
  readonly readLate?: boolean;
  /** @internal Fault injection for saves. */
  readonly saveFault?: () => t.SaveFault | undefined;
}

/** Trains a wire and scores it. The run directory holds everything the report says. */
export async function train(config: RunConfig, io: TrainIo): Promise<TrainReport | StoppedReport> {
  requireSense(config);
  return withRun(config, io, async (attempt) => {
    const { run, logger, team } = attempt;
    if (isBaselineRun(config)) {
      const metrics = await score(attempt, await attempt.open(), 0, null);
      return { steps: 0, metrics };
    }
    using resume = startingPoint(config, run.paths, logger);
    const finished = resume?.own === true && resume.opened.state.finished;
    if (finished && run.previous?.state === 'completed') {
      const metrics = readMetrics(run.paths.metrics);
      if (metrics !== undefined) {
        await begin(attempt, config, 'nothing', null);
        logger.info('this run is complete: nothing is left to do', { step: resume.opened.state.step });
        return { steps: resume.opened.state.step, metrics };
      }
    }
    await begin(attempt, config, finished ? 'nothing' : 'train', resume?.opened.state ?? null);
    const session = await (finished ? attempt.open() : loadModels(config, attempt));
    const identity = await runIdentity(session, run, team?.size);
    if (resume !== undefined) {
      requireSameIdentity(resume.opened.identity, identity, {
        allowDrift: config.checkpoint.allow_drift,
        warn: logger.warn,
        file: resume.opened.file.path,
      });
    }
    if (finished) {
      loadWire(session.wire, run.paths);
      const result = resultOf(resume.opened.state);
      logger.info('training is finished: going on with the evaluation', { step: result.steps });
      return { steps: result.steps, metrics: await score(attempt, session, result.steps, result) };
    }
    const { init_from: start } = config.run;
    if (resume === undefined && start !== null) {
      loadStartingWeights(session.wire, start);
      logger.info('starting from the weights of another run', { from: start });
    }
    const data = await loadTrainingData(session, attempt);
    const { interruption } = attempt;
    const choose = () =>
      chooseBatchSize(session, data, {
        ...{ run, logger, interruption, state: resume?.opened.state },
        device: identity.facts.device!,
        processes: team?.size,
      });
    const chosen = await (team === null ? choose() : team.phase('batch size', choose));
    const plain = chosen.record?.steps === 'plain';
    await team?.fromLead<MicroBatchChoice>('micro-batch', { size: chosen.size, plain });
    attempt.touch();
    run.setRunning('train', resume?.opened.state.step ?? 0);
    const loadSeconds = secondsSince(attempt.began);
    const gauge = chosen.record === null ? null : memoryGauge(session.device);
    gauge?.begin(true);
    const fault = io.saveFault ?? saveFaultsOf(process.env);
    const loop = await trainLoop(session, data, {
      ...{ logger, team, writer: { run, identity } },
      interruption: team === null ? interruption : agreedInterruption(team, config),
      policy: batchPolicy(config.training, chosen.size, team?.size),
      ...(plain && { records: 'never' }),
      ...{ from: resume?.opened.state, resume: resume?.opened },
      ...(io.readLate !== undefined && { readLate: io.readLate }),
      ...(fault && { fault }),
    });
    if (gauge !== null) recordTrainingPeak({ run, logger }, chosen, gauge.peak());
    return { steps: loop.steps, metrics: await score(attempt, session, loop.steps, loop, loadSeconds) };
  });
}

/** Scores the saved wire of a run again, with the evaluation settings of `config`. */
export async function evaluateSaved(config: RunConfig, io: TrainIo): Promise<TrainReport | StoppedReport> {
  requireSense(config);
  const unfinished = unfinishedTraining(config);
  const evaluation = { mayChange: ['evaluation'], alone: true, keep: unfinished !== undefined } as const;
  return withRun(config, { ...io, ...evaluation }, async (attempt) => {
    if (unfinished !== undefined) {
      const { step, total_steps: of } = unfinished;
      io.logger.warn('the training is not finished: these are scores of its wire so far', { step, of });
    }
    const session = await attempt.open();
    const step = loadWire(session.wire, attempt.run.paths);
    io.logger.info('loaded', { checkpoint: checkpointPath(attempt.run.paths), step });
    return { steps: step, metrics: await score(attempt, session, step, null) };
  });
}

/** The checkpoint to be scored, when it is not one of the end. */
function unfinishedTraining(config: RunConfig): CheckpointState | undefined {
  const { root, name } = runLocation(config.run.save_dir);
  const found = findCheckpoint(runPaths(root, name));
  if (found === undefined) return undefined;
  using file = found.file;
  const state = parseState(file.metadata, file.path);
  return state.finished ? undefined : state;
}

/** Between two lines about an evaluation: on a processor one can take hours. */
const TELL_MS = 15_000;

/** What the phases of one attempt share. */
interface Attempt {
  readonly run: Run;
  readonly logger: Logger;
  readonly interruption: Interruption;
  readonly team: Team | null;
  readonly shouldStop: () => boolean;
  /** When it began, on the clock of `performance.now()`. */
  readonly began: number;
  /** Said before the first change of the run's results; until then a finished run stays finished. */
  touch(): void;
  /** Loads the models, once. */
  open(): Promise<Session>;
}

async function withRun(
  config: RunConfig,
  io: TrainIo &
    Pick<OpenRunOptions, 'mayChange'> & {
      readonly alone?: boolean;
      /** Status and settings of the run stay as they are. */
      readonly keep?: boolean;
    },
  body: (attempt: Attempt) => Promise<Pick<TrainReport, 'steps' | 'metrics'>>,
): Promise<TrainReport | StoppedReport> {
  const { root, name } = runLocation(config.run.save_dir);
  const { mayChange = [], keep = false, logger } = io;
  const began = performance.now();
  const interruption = new Interruption(
    () => t.receivedSignal() ?? io.stopNotice?.(),
    config.checkpoint.grace,
  );
  const team = io.alone === true ? null : joinTeam(config, interruption);
  if (team?.leads === false) {
    throw new LatentWireError(`rank ${team.rank} follows rank 0 and cannot write a run`, {
      code: 'internal',
    });
  }
  watchStopSignals();
  let run: Run | undefined;
  let session: Session | undefined;
  let monitor: GpuMonitor | undefined;
  let touched = false;
  const staysCompleted = ({ previous }: Run) => !touched && previous?.state === 'completed';
  try {
    run = await openRun(name, {
      ...{ root, config, torch: t.addonInfo().torch, mayChange, keepConfig: keep },
      onConfigChange: io.replace === true ? 'replace' : 'refuse',
      capture: t.captureOutput,
      onTrouble: logger.warn,
    });
    const { id, paths } = run;
    const attempt: Attempt = {
      ...{ run, logger, interruption, team, began, shouldStop: () => interruption.requested() },
      touch() {
        touched = true;
      },
      async open() {
        if (config.system.deterministic) t.setDeterministic(true);
        session ??= await openSession(config, logger, () => interruption.check());
        if (session.device !== 'cpu' && config.system.monitor_gpu) {
          monitor ??= new GpuMonitor({ logs: paths.logs });
        }
        interruption.check();
        return session;
      },
    };
    const { steps, metrics } = await body(attempt);
    // Figures can be drawn at any time from what is on disk: a signal is not kept waiting for them.
    if (io.figures !== undefined && !interruption.requested())
      await io.figures(paths.directory).catch(warnAboutFigures(logger));
    if (!keep || !run.restoreStatus()) run.setStatus({ state: 'completed', step: steps });
    await team?.end({ state: 'completed', steps });
    return { state: 'completed', run: id, directory: paths.directory, steps, metrics };
  } catch (error) {
    if (!(error instanceof Interrupted)) team?.fail(error);
    if (run === undefined) throw error;
    if (error instanceof Interrupted) {
      const report = stopped(run, error.signal, config, logger);
      if (keep || staysCompleted(run)) run.restoreStatus();
      await team?.end(report);
      return report;
    }
    const failure = explained(error, config);
    run.note(logLines(failure));
    try {
      if (!(keep || staysCompleted(run)) || !run.restoreStatus())
        run.setStatus(failureStatus(failure, lastStep(run)));
    } catch (second) {
      logger.warn(`the status could not be written: ${(second as Error).message}`);
    }
    throw failure;
  } finally {
    if (session !== undefined) closeSession(session);
    monitor?.stop();
    run?.close();
    t.unwatchSignals();
  }
}

/** Tells the other processes of a team what there is to do. */
async function begin(
  { run, team }: Attempt,
  config: RunConfig,
  work: Beginning['work'],
  from: Beginning['from'],
): Promise<void> {
  const settings = settingsHash(config);
  await team?.fromLead<Beginning>('beginning', { settings, work, from, logs: run.paths.logs });
}

async function score(
  { run, logger, interruption, shouldStop, touch, began }: Attempt,
  session: Session,
  step: number,
  loop: LoopResult | null,
  loadSeconds: number = secondsSince(began),
): Promise<RunMetrics> {
  const scoring = performance.now();
  interruption.check();
  run.setRunning('evaluate', step);
  const data = await prepare(session, 'dev', logger);
  touch();
  let told = performance.now();
  const result = await evaluateConfigured(session, data, {
    ...{ paths: run.paths, logger, shouldStop },
    onProgress(done, of) {
      run.renewLock();
      if (performance.now() - told < TELL_MS || done === of) return;
      told = performance.now();
      logger.info('evaluating', { done, of });
    },
  });
  if (result.state === 'interrupted') throw new Interrupted(interruption.signal!);
  const { metrics } = result;
  const batch = batchSizeMetrics(session.config, run.paths);
  const rows = existsSync(run.paths.diagnostics) ? readDiagnostics(run.paths.diagnostics) : [];
  const complete = {
    ...metrics,
    trainable_parameters: session.parameters,
    device: session.device,
    torch: t.torchVersion(),
    ...(batch && { batch }),
    time_ledger: timeLedger(rows, {
      load: loadSeconds,
      // Scored by itself, a wire has still been trained.
      train: loop?.seconds ?? summariseSteps(rows)?.seconds ?? 0,
      lastSave: loop?.lastSaveSeconds ?? 0,
      evaluate: secondsSince(scoring),
    }),
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

const secondsSince = (began: number): number => (performance.now() - began) / 1000;

/** Records that a signal ended this attempt; what the next one goes on from is looked up on disk. */
function stopped(run: Run, signal: string, { checkpoint }: RunConfig, logger: Logger): StoppedReport {
  const step = lastStep(run);
  const file = step > 0 ? checkpointPath(run.paths) : null;
  const status = interruptedStatus(signal, { step, checkpoint: file }, checkpoint.grace);
  run.setStatus(status);
  logger.info('stopped', { signal, step, checkpoint: file });
  const state = status.state === 'timeout' ? 'timeout' : 'preempted';
  return {
    ...{ state, run: run.id, directory: run.paths.directory, signal },
    ...{ steps: step, checkpoint: file },
  };
}

/** Step of the checkpoint on disk; 0 when there is no whole one. */
function lastStep(run: Run): number {
  try {
    using own = ownCheckpoint(run.paths, () => {});
    return own?.state.step ?? 0;
  } catch {
    return 0;
  }
}

/** What would otherwise be refused only at the evaluation, when the training is done. */
function requireSense(config: RunConfig): void {
  evaluationModes(config.evaluation.eval_modes);
  if (config.model.ids.length > 0) return;
  throw new LatentWireError('expected at least one frozen model, got none', {
    code: 'input',
    hint: 'name it with --model: a hub id, a folder or a .gguf file',
  });
}

function warnAboutFigures(logger: Logger): (error: unknown) => void {
  return (error) => logger.warn(`figures were not drawn: ${error instanceof Error ? error.message : error}`);
}
