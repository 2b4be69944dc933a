/**
 * The optimiser steps of a run, from wherever it stands to the last. A step is a function of (settings, data, step
 * number, saved tensors) and nothing else, so that a run that was interrupted ends with the bytes of one that was not.
 */
import { performance } from 'node:perf_hooks';
import * as t from '@latentwire/torch';
import { LatentWireError } from '../errors.js';
import {
  Interrupted,
  type Interruption,
  type Logger,
  Progress,
  peakTflops,
  type Run,
} from '../telemetry/index.js';
import { accumulationOf, type BatchPolicy, stepOrder } from './batch-size/index.js';
import {
  CheckpointSaver,
  type CheckpointState,
  checkpointTensors,
  liveDigests,
  type OpenedCheckpoint,
  type RunIdentity,
  restore,
} from './checkpoint/index.js';
import { stepDraws } from './draws.js';
import { MicroBatchTimer } from './micro-batch-timer.js';
import { wireOptimizer } from './optimizer.js';
import { meanTextTokens, type PreparedData } from './prepare.js';
import type { Session } from './session.js';
import { answersAlone, expanded, type Stage, stageAt, stagePlan } from './stages.js';
import { issueStep } from './step.js';
import { type LauncherOptions, StepLauncher, shapeMultiples } from './step-launcher.js';
import { requireSameLead, StepLoader } from './step-loader.js';
import { microBatchWork } from './step-work.js';
import { Agreement, GradientSum, type Team } from './team/index.js';

export interface LoopResult {
  readonly steps: number;
  /** Seconds of training over all attempts; steps that were computed twice count once. */
  readonly seconds: number;
  readonly finalLoss: number;
  /** Examples per second over the whole training. */
  readonly samplesPerSecond: number;
  /** Seconds of this attempt's last save, which no step has. */
  readonly lastSaveSeconds: number;
}

export interface LoopOptions {
  readonly logger: Logger;
  readonly interruption: Interruption;
  /** Who writes; null in all processes of a team but the first. */
  readonly writer: { readonly run: Run; readonly identity: RunIdentity } | null;
  /** The processes that train together; null: this one alone. */
  readonly team: Team | null;
  /** How many examples a step and a micro-batch have. */
  readonly policy: BatchPolicy;
  /** Which steps become recordings. Default: where it pays. */
  readonly records?: LauncherOptions['records'];
  /** State to go on from; undefined: at the first step. */
  readonly from: CheckpointState | undefined;
  /** The checkpoint of that state; in a team rank 0 alone reads it. */
  readonly resume: OpenedCheckpoint | undefined;
  /** Read the numbers of a step when the next one was issued, so that a device never waits for the host. Default: on a GPU. */
  readonly readLate?: boolean;
  /** @internal Fault injection for saves. */
  readonly fault?: () => t.SaveFault | undefined;
}

/** A step that cannot be finished in the grace time: its gradients are dropped and computed again after a resume. */
class AbandonedStep extends Error {}

/** What a finished training came to, as its checkpoint says. */
export function resultOf(state: CheckpointState): LoopResult {
  return {
    steps: state.step,
    seconds: state.elapsed_seconds,
    finalLoss: state.last_loss ?? Number.NaN,
    samplesPerSecond: state.samples / state.elapsed_seconds,
    lastSaveSeconds: 0,
  };
}

/**
 * Trains until epochs, max_steps or max_minutes is reached, and leaves a checkpoint.
 * @throws Interrupted after a signal, when the checkpoint is saved (or could not be: the saver has said so)
 */
export async function trainLoop(
  session: Session,
  data: PreparedData,
  options: LoopOptions,
): Promise<LoopResult> {
  try {
    const result = await steps(session, data, options);
    options.team?.disconnect();
    return result;
  } catch (error) {
    if (error instanceof Interrupted) options.team?.disconnect();
    throw error;
  }
}

async function steps(session: Session, data: PreparedData, options: LoopOptions): Promise<LoopResult> {
  const { config, wire } = session;
  const { writer, logger, interruption, team, policy, resume, from: before } = options;
  const run = writer?.run;
  const { max_minutes } = config.training;
  const { stepsPerEpoch, totalSteps, cursorAt, microBatchesAt } = stepOrder(session, data, policy);
  const schedule: t.optim.LearningRateSchedule = {
    kind: 'cosine',
    totalSteps,
    warmupSteps: Math.round(totalSteps * config.schedule.warmup_ratio),
    floorRatio: 0.02,
  };
  const optimizer = wireOptimizer(wire, {
    lr: config.optimizer.lr,
    encoderLr: config.optimizer.encoder_lr,
    weightDecay: config.optimizer.weight_decay,
  });
  const stages = stagePlan(config, wire.layout, meanTextTokens(data), wire.encoder.finest);
  const draws = stepDraws(config, session.root, session.readers.length);
  const stageOf = (at: number, position: number): Stage => {
    const stage = expanded(stageAt(stages, position / totalSteps), draws.expansion(at));
    return draws.reads(at) ? stage : answersAlone(stage);
  };
  const torchSeeds = session.root.stream('torch');
  const trained = { wire, adamw: optimizer.adamw };
  if (resume !== undefined) {
    restore(resume, trained);
    logger.info('going on', { step: resume.state.step, of: totalSteps, checkpoint: resume.file.path });
  }
  team?.takeFromLead_(checkpointTensors(trained).values());
  if (max_minutes !== null) {
    logger.warn(
      '--max-minutes ties the schedule to the clock: an interrupted run is not byte-exact, only equal in plan',
    );
  }
  logger.info('training', {
    steps: totalSteps,
    steps_per_epoch: stepsPerEpoch,
    examples: data.examples.length,
    ...(team !== null && { processes: team.size, examples_per_step: policy.planned * policy.perStep }),
  });

  const start = performance.now();
  let step = before?.step ?? 0;
  let samples = before?.samples ?? 0;
  let loss = before?.last_loss ?? null;
  let best = before?.best ?? null;
  let dataSeconds = 0;
  /** In which training stood still for a checkpoint. */
  let saveSeconds = 0;
  const whileSaving = (action: () => void): void => {
    const began = performance.now();
    action();
    saveSeconds += (performance.now() - began) / 1000;
  };
  /** Of which until the threads that compose had begun. */
  let firstBatchSeconds: number | null = null;
  const late = options.readLate ?? session.device !== 'cpu';
  let unread: (() => void) | null = null;
  let lastRead = 0;
  const readNumbers = (): void => {
    const read = unread;
    unread = null;
    read?.();
  };
  const elapsed = (): number => (before?.elapsed_seconds ?? 0) + (performance.now() - start) / 1000;
  const state = (): CheckpointState => ({
    step,
    total_steps: totalSteps,
    finished: false,
    cursor: cursorAt(step),
    accumulation: accumulationOf(policy),
    random: { seed: session.root.seed, position: step },
    schedule: { ...schedule },
    samples,
    elapsed_seconds: elapsed(),
    last_loss: loss,
    best,
    attempt: run?.attempt ?? 0,
    digests: null,
  });
  const withDigests = (changes: Partial<CheckpointState> = {}): CheckpointState => {
    const { weights, optimizer: moments, cursor } = liveDigests(trained, cursorAt(step), step);
    return { ...state(), digests: { weights, optimizer: moments, cursor }, ...changes };
  };

  const saver =
    writer === null
      ? null
      : new CheckpointSaver({
          ...writer,
          ...{ trained, logger, interruption, intervalSeconds: config.checkpoint.interval },
          ...(options.fault && { fault: options.fault }),
        });
  // A clock moves stages, and each rank settles them when it asks for batches.
  if (team !== null && max_minutes !== null) await requireSameLead(team, config);
  const requireSpace = (): void => saver?.requireSpace(state());
  await (team === null ? requireSpace() : team.phase('ready to train', requireSpace));
  saver?.reserveMemory();
  run?.beginSteps(step);
  const progress = new Progress({ total: totalSteps, ...(run === undefined && { sink: { write() {} } }) });
  const work = microBatchWork(wire, data.readers);
  const peak =
    session.device === 'cpu' ? undefined : peakTflops(run?.environment.gpus?.map(({ name }) => name) ?? []);
  let told = { data: 0, save: 0 };
  const timer = new MicroBatchTimer();
  const onMicroBatch = (left: number): void => {
    timer.mark();
    // In a team all finish the step, so that all stop after the same one.
    if (saver === null || team !== null || !interruption.requested()) return;
    const needed = timer.secondsFor(left) + 2 * saver.estimateSeconds(state());
    if (needed > interruption.secondsLeft()) throw new AbandonedStep();
  };

  // With a time limit the schedule follows whichever ends first, so that the rate has decayed when time is up.
  const timeSpent = (): number => (max_minutes === null ? 0 : elapsed() / (max_minutes * 60));
  // The clock of a team is that of rank 0.
  const agreement = new Agreement(late, (before?.elapsed_seconds ?? 0) / ((max_minutes ?? Infinity) * 60));
  const timeShare = (): number => (team === null ? timeSpent() : agreement.clock(step));
  const positionOf = (at: number): number => Math.max(at, Math.floor(totalSteps * timeShare()));

  const gradients = team === null ? null : new GradientSum(wire.parameters(), wire.encoder.device, team);
  const shared = team &&
    gradients && {
      ...{ shard: team, gradients },
      numbers: () => ({ stop: team.asked ? 1 : 0, clock: team.leads ? timeSpent() : 0 }),
    };
  using launcher = StepLauncher.forRun(wire, {
    disabled: config.system.disable_graphs,
    records: options.records ?? 'where it pays',
    // What --batch-size auto found leaves the rest to others.
    memoryShare: config.training.batch_size === 'auto' ? config.training.target_memory : 1,
    gather: gradients ?? undefined,
  });
  const loader = StepLoader.forRun({
    ...{ config, data, draws, root: session.root, layout: wire.layout },
    multiples: shapeMultiples(launcher, wire.encoder.device),
    shard: team ?? undefined,
    microBatches: microBatchesAt,
    stage: (at) => stageOf(at, positionOf(at)),
    start: step,
    end: totalSteps,
  });
  try {
    while (step < totalSteps && timeShare() < 1) {
      if (agreement.stops(step)) await team?.meet('asked to stop', null);
      if (interruption.requested()) await saveAndStop();
      const began = performance.now();
      const position = positionOf(step);
      const factor = t.optim.learningRateFactor(schedule, position);
      const cursor = cursorAt(step);
      const loaded = await loader?.take(step);
      const stage = loaded?.stage ?? stageOf(step, position);
      const microBatches = loaded === undefined ? microBatchesAt(step) : [];
      dataSeconds += (performance.now() - began) / 1000;
      firstBatchSeconds ??= dataSeconds;

      optimizer.setLrFactor(factor);
      // Whatever an operator draws is a function of the step: nothing of a generator needs to be saved.
      t.manualSeed(torchSeeds.uint32At(step + 1));
      const issued = issueStep(wire, data, optimizer, microBatches, {
        maxGradNorm: config.optimizer.max_grad_norm,
        stage,
        k: config.objective.k,
        readers: draws.readers(step),
        continues: (example) => draws.continues(step, example),
        readOnce: config.data.questions_together,
        readingWindow: (example, length) => draws.readingWindow(step, example, length),
        launcher,
        ...(loaded && { composed: loaded.composed }),
        ...{ work, onMicroBatch },
        beforeUpdate: () => whileSaving(() => saver?.beforeUpdate()),
        ...(shared && { shared }),
      });
      readNumbers();
      step++;
      samples += issued.examples;
      const [at, samplesSoFar] = [step, samples];
      const waits = { data_seconds: dataSeconds - told.data, save_seconds: saveSeconds - told.save };
      told = { data: dataSeconds, save: saveSeconds };
      const digested = config.checkpoint.digest_every > 0 && step % config.checkpoint.digest_every === 0;
      unread = () => {
        const result = issued.read();
        const now = performance.now();
        const seconds = (now - Math.max(began, lastRead)) / 1000;
        lastRead = now;
        loss = result.loss;
        if (Number.isFinite(loss) && (best === null || loss < best.loss)) best = { loss, step: at };
        if (result.agreed !== null) agreement.hear(at, result.agreed);
        run?.appendStep({
          step: at,
          epoch: cursor.epoch,
          stage: stage.name,
          latents: stage.latents,
          loss: result.loss,
          ...result.terms,
          lr: config.optimizer.lr * factor,
          grad_norm: result.gradNorm,
          samples: result.examples,
          samples_per_second: result.examples / seconds,
          tokens: result.tokens,
          target_tokens: result.targetTokens,
          seconds,
          ...waits,
          tflop_per_second: result.tflop / seconds,
          ...(peak !== undefined && { mfu: result.tflop / seconds / peak / (team?.size ?? 1) }),
          ...(digested && { digests: liveDigests(trained, cursorAt(at), at) }),
        });
        const dataWait = dataSeconds / ((now - start) / 1000);
        progress.update({ step: at, loss, samples: samplesSoFar, dataWait });
      };
      // Digests are of the weights as they are now.
      if (!late || digested) readNumbers();
      timer.pause();
      whileSaving(() =>
        saver?.afterStep(() => {
          readNumbers();
          return state();
        }),
      );
      run?.renewLock();
      if (step % 100 === 0) run?.setRunning('train', step);
    }
    readNumbers();
    progress.finish();
    if (launcher !== null) logger.info('captured steps', { ...launcher.steps.counts });
    const trainedSeconds = (performance.now() - start) / 1000;
    logger.info('trained', {
      ...{ step, seconds: trainedSeconds, data_wait: dataSeconds / trainedSeconds },
      first_batch_seconds: firstBatchSeconds,
    });
    const last = withDigests({ finished: true });
    await requireSameState(last);
    const savedFor = saveSeconds;
    if (saver !== null) whileSaving(() => saveLast(saver, last));
    return { ...resultOf(last), lastSaveSeconds: saveSeconds - savedFor };
  } catch (error) {
    if (error instanceof AbandonedStep) readNumbers();
    progress.finish();
    if (!(error instanceof AbandonedStep)) throw error;
    t.zeroGrad(wire.parameters());
    logger.info('dropped the gradients of a step that cannot end in time', { step: step + 1 });
    // Awaited here: what is freed below is saved first.
    return await saveAndStop();
  } finally {
    await loader?.close();
    saver?.finish();
    gradients?.[Symbol.dispose]();
    optimizer.adamw.dispose();
  }

  async function saveAndStop(): Promise<never> {
    readNumbers();
    progress.finish();
    logger.info('asked to stop', {
      step,
      signal: interruption.signal,
      seconds_left: interruption.secondsLeft(),
    });
    // A run that did nothing since its checkpoint has nothing to save.
    if (step > (before?.step ?? -1) && (team !== null || saver?.savedStep !== step)) {
      const now = withDigests();
      await requireSameState(now);
      if (saver?.savedStep !== step) saver?.saveNow(now);
    }
    throw new Interrupted(interruption.signal!);
  }

  /** What rank 0 saves is what every rank has. */
  async function requireSameState({ step, digests }: CheckpointState): Promise<void> {
    const all = (await team?.meet('state', { step, ...digests })) ?? [];
    const other = all.findIndex((one) => JSON.stringify(one) !== JSON.stringify(all[0]));
    if (other < 0) return;
    throw new LatentWireError(
      `expected every rank to have the state of rank 0 (step ${all[0]!.step}), rank ${other} has another (step ${all[other]!.step})`,
      { code: 'internal', hint: 'nothing was saved; --auto-resume goes on from the checkpoint before' },
    );
  }
}

/** The checkpoint of a finished training is worth waiting for: the disk gets three chances. */
function saveLast(saver: CheckpointSaver, state: CheckpointState): void {
  for (let attempt = 1; attempt <= 3; attempt++) {
    if (saver.saveNow(state)) return;
    if (attempt < 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
  }
  throw saver.failure!;
}
