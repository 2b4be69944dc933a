/**
 * The micro-batch of a run: as the settings say, as its checkpoint says, as an earlier attempt found it, or found now. It is
 * found once in the life of a run: a requeued job that measured again might find another number, and with it other bits.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { type RunConfig, settingsHash } from '../../config/index.js';
import {
  type Interruption,
  type Logger,
  type Run,
  type RunPaths,
  writeJsonAtomic,
} from '../../telemetry/index.js';
import type { CheckpointState } from '../checkpoint/index.js';
import type { PreparedData } from '../prepare.js';
import type { Session } from '../session.js';
import { StepLauncher } from '../step-launcher.js';
import { tryEvaluation } from './evaluation-trial.js';
import { type MemoryGauge, memoryGauge } from './memory-gauge.js';
import { usedMicroBatch } from './policy.js';
import { type SearchResult, searchBatchSize } from './search.js';
import { type Timing, Trials, type Way } from './trial.js';

/** logs/batch_size.json: what `--batch-size auto` found, and how. */
export interface BatchSizeRecord {
  /** Examples per micro-batch. */
  readonly batch_size: number;
  /** Whether steps may be launched as graphs, which hold memory of their own, or are all issued plainly. */
  readonly steps: 'plain' | 'launched';
  readonly limited_by: SearchResult['limitedBy'];
  readonly capacity_bytes: number;
  readonly target_memory: number;
  /** Peak that was expected of this size before it was tried; null: it was among the first that were tried. */
  readonly predicted_bytes: number | null;
  /** Peak of the trial of this size. */
  readonly measured_bytes: number;
  /** Peak of one batch of the evaluation. */
  readonly evaluation_bytes: number;
  readonly measurements: SearchResult['measurements'];
  /** Of steps as the run has them most often, issued plainly and launched; absent: there was nothing to choose, or not tried. */
  readonly samples_per_second?: { plain: number; launched?: number };
  readonly seconds: number;
  /** Peak of the training, in its last attempt; absent until it ends. */
  readonly training_bytes?: number;
  /** Of the settings and the device it was found for. */
  readonly identity: string;
}

export interface ChosenBatchSize {
  readonly size: number;
  /** null: it was not looked for, or that was in another run. */
  readonly record: BatchSizeRecord | null;
}

export interface ChooseOptions {
  readonly run: Pick<Run, 'paths' | 'setRunning'>;
  readonly logger: Logger;
  readonly interruption: Interruption;
  /** Where the training goes on from. */
  readonly state: CheckpointState | undefined;
  /** What the device is, as far as it changes results. */
  readonly device: string;
  /** Default: that of the session's device. */
  readonly gauge?: MemoryGauge;
  /** Processes that train together; default: this one alone. */
  readonly processes?: number | undefined;
}

/** How many times faster launched steps must be: the shapes of real batches are not all recorded. */
const LAUNCH_GAIN = 1.1;
/** On the CPU a larger batch saves no time: what is looked for there is only whether this one fits. */
const MOST_ON_CPU = 32;

/** @throws LatentWireError `oom` when no batch fits; Interrupted */
export async function chooseBatchSize(
  session: Session,
  data: PreparedData,
  options: ChooseOptions,
): Promise<ChosenBatchSize> {
  const { config } = session;
  const { batch_size } = config.training;
  const { run, logger, state } = options;
  if (batch_size !== 'auto') return { size: batch_size, record: null };
  const file = recordFile(run.paths);
  const identity = `${settingsHash(config)} ${options.device}`;
  const earlier = readRecord(file, identity);
  if (state !== undefined) {
    const size = state.accumulation.batch_size;
    logger.info('batch size kept from the checkpoint', { batch_size: size });
    return { size, record: earlier?.batch_size === size ? earlier : null };
  }
  if (earlier !== undefined && !config.checkpoint.restart) {
    logger.info('batch size kept from an earlier attempt', { batch_size: earlier.batch_size });
    return { size: earlier.batch_size, record: earlier };
  }
  run.setRunning('batch-size', 0);
  const record = await findBatchSize(session, data, options, identity);
  writeJsonAtomic(file, { ...record });
  return { size: record.batch_size, record };
}

async function findBatchSize(
  session: Session,
  data: PreparedData,
  { logger, interruption, gauge = memoryGauge(session.device), processes = 1 }: ChooseOptions,
  identity: string,
): Promise<BatchSizeRecord> {
  const { config, device } = session;
  const { effective_batch, target_memory } = config.training;
  const started = performance.now();
  const check = (): void => interruption.check();
  const evaluation = await tryEvaluation(session, data, { gauge, check });
  const examples = data.examples.length;
  const most = Math.min(
    Math.ceil(Math.min(examples, effective_batch ?? Number.POSITIVE_INFINITY) / processes),
    device === 'cpu' ? MOST_ON_CPU : Number.POSITIVE_INFINITY,
  );
  using trials = new Trials(session, data, { gauge, check, processes });
  const { capacity } = gauge;
  const search = (way: Way): SearchResult =>
    searchBatchSize({
      ...{ capacity, target: target_memory, most },
      usable: (tried) => usedMicroBatch(config.training, tried, { examples, processes }),
      measure: (tried) => {
        const bytes = trials.measure(tried, way);
        const memory = bytes === null ? 'too little' : gib(bytes);
        logger.debug('tried a batch size', { size: tried, way, memory });
        return bytes;
      },
    });
  let way: Way = 'plain';
  let result = search(way);
  // The last trial: its memory stays with the allocator, in pieces of the right sizes for the training.
  const settle = (): void => {
    if (trials.measure(result.size, way) !== null) return;
    logger.warn(
      `a batch of ${result.size} fitted into memory, tried again it did not: is other work on this device?`,
    );
  };
  if (device !== 'cpu' && result.measurements.at(-1)!.size !== result.size) settle();
  const canLaunch = StepLauncher.canLaunch(session.wire, { disabled: config.system.disable_graphs });
  const perSecond = (timing: Timing | null): number => Math.round(10 * (timing?.samplesPerSecond ?? 0)) / 10;
  const timed = canLaunch ? trials.time(result.size, way) : null;
  const speeds: BatchSizeRecord['samples_per_second'] =
    timed === null ? undefined : { plain: perSecond(timed) };
  // Recorded steps hold memory of their own, so that fewer examples fit; and where the device is the slower side they save
  // nothing.
  if (speeds !== undefined && timed?.deviceBound === false) {
    const plainly = result;
    [way, result] = ['launched', search('launched')];
    settle();
    speeds.launched = perSecond(trials.time(result.size, way));
    if (speeds.launched < LAUNCH_GAIN * speeds.plain) {
      [way, result] = ['plain', plainly];
      settle();
    }
  }
  const { size, predicted, measured, limitedBy, measurements } = result;
  const seconds = Math.round(performance.now() - started) / 1000;
  logger.info('batch size found', {
    batch_size: size,
    effective_batch: effective_batch ?? size * config.training.grad_accum,
    limited_by: limitedBy,
    steps: way,
    predicted: predicted === null ? null : gib(predicted),
    measured: gib(measured),
    of: gib(capacity),
    share: Math.round((1000 * measured) / capacity) / 1000,
    ...(speeds && { samples_per_second: JSON.stringify(speeds) }),
    seconds,
  });
  if (measured > target_memory * capacity * 1.02) {
    logger.warn(`even a batch of ${size} takes more than --target_memory ${target_memory}`);
  }
  if (evaluation > target_memory * capacity) {
    logger.warn(`a batch of the evaluation takes ${gib(evaluation)}: lower --eval_batch_size to be safe`);
  }
  return {
    batch_size: size,
    steps: way,
    limited_by: limitedBy,
    capacity_bytes: capacity,
    target_memory,
    predicted_bytes: predicted === null ? null : Math.round(predicted),
    measured_bytes: measured,
    evaluation_bytes: evaluation,
    measurements,
    ...(speeds && { samples_per_second: speeds }),
    seconds,
    identity,
  };
}

/** Adds the peak of the training that has ended. */
export function recordTrainingPeak(
  { run, logger }: Pick<ChooseOptions, 'run' | 'logger'>,
  { record }: ChosenBatchSize,
  bytes: number,
): void {
  if (record === null) return;
  const { predicted_bytes, measured_bytes, capacity_bytes } = record;
  logger.info('memory of the training', {
    predicted: predicted_bytes === null ? null : gib(predicted_bytes),
    trial: gib(measured_bytes),
    peak: gib(bytes),
    share: Math.round((1000 * bytes) / capacity_bytes) / 1000,
  });
  writeJsonAtomic(recordFile(run.paths), { ...record, training_bytes: bytes });
}

/** For metrics.json: what was found for a run; undefined without `--batch-size auto`. */
export function batchSizeMetrics(
  { training }: Pick<RunConfig, 'training'>,
  paths: RunPaths,
): Omit<BatchSizeRecord, 'identity'> | undefined {
  if (training.batch_size !== 'auto') return undefined;
  const record = readRecord(recordFile(paths));
  if (record === undefined) return undefined;
  const { identity: _, ...rest } = record;
  return rest;
}

const recordFile = ({ logs }: RunPaths): string => path.join(logs, 'batch_size.json');

/** @param identity whose it must be; absent: anyone's */
function readRecord(file: string, identity?: string): BatchSizeRecord | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as BatchSizeRecord;
    const same = identity === undefined || record.identity === identity;
    return same && Number.isInteger(record.batch_size) ? record : undefined;
  } catch {
    // Damaged: it is found anew.
    return undefined;
  }
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
