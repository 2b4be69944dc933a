/**
 * A process that trains with others and is not rank 0: it computes its part of every step and writes nothing but a log.
 * What there is to do, and from which state, rank 0 says.
 */
import * as t from '@latentwire/torch';
import { type RunConfig, settingsHash } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import { Interrupted, Interruption, type Logger } from '../telemetry/index.js';
import { batchPolicy } from './batch-size/index.js';
import type { CheckpointState } from './checkpoint/index.js';
import { trainLoop } from './loop.js';
import { closeSession, openSession, type Session } from './session.js';
import { type Outcome, type Place, placeOf, Team, takeOwnGpu } from './team/index.js';
import { RankLog } from './team/rank-log.js';
import { type Loading, loadModels, loadTrainingData } from './training-data.js';

/** Signals that ask a training to save and end. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGUSR2'] as const;

/** What rank 0 tells the others at the start. */
export interface Beginning {
  /** Digest of the settings that matter. */
  readonly settings: string;
  readonly work: 'train' | 'nothing';
  /** State to go on from; null: the first step. */
  readonly from: CheckpointState | null;
  /** Folder of logs. */
  readonly logs: string;
}

/** Signals set a flag from now on; and a process that `latentwire launch` started is asked to save when that ends. */
export function watchStopSignals(): void {
  t.watchSignals(STOP_SIGNALS, { secondStops: ['SIGINT'] });
  const launcher = process.env.LATENTWIRE_LAUNCHER;
  if (launcher === undefined) return;
  t.signalWhenParentEnds('SIGTERM');
  if (launcher !== String(process.ppid)) process.kill(process.pid, 'SIGTERM');
}

/** How rank 0 cuts steps into micro-batches; found on its own device with `--batch_size auto`. */
export interface MicroBatchChoice {
  /** Examples for each process. */
  readonly size: number;
  /** No step becomes a recording. */
  readonly plain: boolean;
}

export interface FollowReport extends Outcome {
  readonly rank: number;
}

/** The other processes of this training, as the environment names them; null: it is alone. */
export function joinTeam(config: RunConfig, interruption: Interruption): Team | null {
  const place: Place | null = placeOf();
  if (place === null) return null;
  if (config.baseline.kind !== 'none') {
    throw new LatentWireError(
      `expected one process for --baseline ${config.baseline.kind}, got ${place.size}`,
      {
        code: 'input',
        hint: 'a baseline trains nothing: run it without latentwire launch',
      },
    );
  }
  takeOwnGpu(place, config.system.device);
  return new Team(place, { interruption, timeoutSeconds: config.system.rank_timeout });
}

/** Takes part until rank 0 has ended. @throws the error that ended this rank */
export async function follow(config: RunConfig, options: { readonly logger: Logger }): Promise<FollowReport> {
  const interruption = new Interruption(() => t.receivedSignal(), config.checkpoint.grace);
  const team = joinTeam(config, interruption);
  if (team === null || team.leads) {
    throw new LatentWireError('expected a rank above 0 of several processes', { code: 'internal' });
  }
  watchStopSignals();
  let log: RankLog | undefined;
  let session: Session | undefined;
  const { rank } = team;
  try {
    try {
      const beginning = await hearBeginning(team, config);
      log = openLog(beginning.logs, rank, options.logger);
      const logger = log?.logger ?? options.logger;
      logger.info('taking part', { rank, of: team.size, work: beginning.work });
      if (beginning.work === 'train') {
        const loading: Loading = {
          ...{ logger, interruption, team },
          async open() {
            if (config.system.deterministic) t.setDeterministic(true);
            session = await openSession(config, logger, () => interruption.check());
            return session;
          },
        };
        await trainWith(team, config, loading, beginning);
      }
    } catch (error) {
      // The save and the end are rank 0's.
      if (!(error instanceof Interrupted)) throw error;
    }
    if (session !== undefined) closeSession(session);
    session = undefined;
    const outcome = await team.ending();
    team.leave();
    return { ...outcome, rank };
  } catch (error) {
    // Rank 0 was asked to stop as well, and is gone or takes all of the grace time.
    if (error instanceof Interrupted) return { state: 'preempted', steps: 0, rank };
    team.fail(error);
    log?.logger.error(error instanceof Error ? error.message : String(error));
    await team.farewell();
    throw error;
  } finally {
    if (session !== undefined) closeSession(session);
    log?.[Symbol.dispose]();
    t.unwatchSignals();
  }
}

async function trainWith(
  team: Team,
  config: RunConfig,
  loading: Loading,
  { from }: Beginning,
): Promise<void> {
  const session = await loadModels(config, loading);
  const data = await loadTrainingData(session, loading);
  await team.phase('batch size', () => {});
  const { size, plain } = await team.fromLead<MicroBatchChoice>('micro-batch', { size: 0, plain: false });
  await trainLoop(session, data, {
    ...{ logger: loading.logger, team, writer: null, resume: undefined, from: from ?? undefined },
    interruption: agreedInterruption(team, config),
    policy: batchPolicy(config.training, size, team.size),
    ...(plain && { records: 'never' }),
  });
}

/** The stop of all ranks, as `Interruption`: never of one alone. */
export function agreedInterruption(team: Team, { checkpoint }: RunConfig): Interruption {
  return new Interruption(() => team.agreedStop, checkpoint.grace);
}

async function hearBeginning(team: Team, config: RunConfig): Promise<Beginning> {
  const settings = settingsHash(config);
  const beginning = await team.fromLead<Beginning>('beginning', {
    settings,
    work: 'nothing',
    from: null,
    logs: '',
  });
  if (beginning.settings === settings) return beginning;
  throw new LatentWireError(`rank ${team.rank} was started with other settings than rank 0`, {
    code: 'input',
    hint: 'give every rank the same command',
  });
}

function openLog(folder: string, rank: number, logger: Logger): RankLog | undefined {
  try {
    return new RankLog(folder, rank);
  } catch (error) {
    logger.warn(`rank ${rank} has no log of its own: ${(error as Error).message}`);
    return undefined;
  }
}
