/** The optimiser steps of a run, from the first to the last. */
import { performance } from 'node:perf_hooks';
import * as t from '@latentwire/torch';
import { BatchPlan } from '../data/index.js';
import { type Logger, Progress, type Run } from '../telemetry/index.js';
import { stepDraws } from './draws.js';
import { wireOptimizer } from './optimizer.js';
import { meanTextTokens, type PreparedData } from './prepare.js';
import type { Session } from './session.js';
import { stageAt, stagePlan } from './stages.js';
import { trainStep } from './step.js';
import { StepLauncher } from './step-launcher.js';

export interface LoopResult {
  readonly steps: number;
  readonly seconds: number;
  readonly finalLoss: number;
  /** Examples per second over the whole loop. */
  readonly samplesPerSecond: number;
}

/** Trains until epochs, max_steps or max_minutes is reached. */
export function trainLoop(session: Session, data: PreparedData, run: Run, logger: Logger): LoopResult {
  const { config, wire } = session;
  const { batch_size, grad_accum, epochs, max_steps, max_minutes } = config.training;
  const plan = new BatchPlan({
    lengths: data.contexts.map((ids) => ids.length),
    batchSize: batch_size,
    stream: session.root.stream('data-order'),
  });
  const stepsPerEpoch = Math.ceil(plan.batchesPerEpoch / grad_accum);
  const totalSteps = Math.min(epochs * stepsPerEpoch, max_steps ?? Number.POSITIVE_INFINITY);
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
  using launcher = StepLauncher.forRun(wire, { disabled: config.system.disable_graphs });
  const stages = stagePlan(config, wire.layout, meanTextTokens(data), wire.encoder.finest);
  const draws = stepDraws(config, session.root, session.readers.length);
  logger.info('training', {
    steps: totalSteps,
    steps_per_epoch: stepsPerEpoch,
    examples: data.examples.length,
  });

  const progress = new Progress({ total: totalSteps });
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  let step = 0;
  let samples = 0;
  let dataSeconds = 0;
  let finalLoss = Number.NaN;
  // With a time limit the schedule follows whichever ends first, so that the rate has decayed when time is up.
  const timeShare = (): number => (max_minutes === null ? 0 : elapsed() / (max_minutes * 60));
  while (step < totalSteps && timeShare() < 1) {
    const began = performance.now();
    const position = Math.max(step, Math.floor(totalSteps * timeShare()));
    const factor = t.optim.learningRateFactor(schedule, position);
    const epoch = Math.floor(step / stepsPerEpoch);
    const first = (step % stepsPerEpoch) * grad_accum;
    const last = Math.min(first + grad_accum, plan.batchesPerEpoch);
    const microBatches: (readonly number[])[] = [];
    for (let i = first; i < last; i++) microBatches.push(plan.batch(epoch, i));
    dataSeconds += (performance.now() - began) / 1000;

    optimizer.setLrFactor(factor);
    const stage = stageAt(stages, position / totalSteps);
    const result = trainStep(wire, data, optimizer, microBatches, {
      maxGradNorm: config.optimizer.max_grad_norm,
      stage,
      launcher,
      k: config.objective.k,
      readers: draws.readers(step),
      continues: (example) => draws.continues(step, example),
    });
    step++;
    samples += result.examples;
    finalLoss = result.loss;
    const seconds = (performance.now() - began) / 1000;
    run.diagnostics.append({
      step,
      epoch,
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
    });
    progress.update({ step, loss: result.loss, samples, dataWait: dataSeconds / elapsed() });
    if (step % 100 === 0) run.setRunning('train', step);
  }
  progress.finish();
  optimizer.adamw.dispose();
  const seconds = elapsed();
  return { steps: step, seconds, finalLoss, samplesPerSecond: samples / seconds };
}
