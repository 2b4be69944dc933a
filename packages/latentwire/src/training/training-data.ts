/**
 * What a training needs before its first step, loaded in the same order by every process that takes part. Rank 0 goes
 * first where something is left in a cache (downloads, tokens, the teacher's distributions), so that it is made once.
 */
import * as t from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import { modelDigest } from '../models/decoder/index.js';
import { resolveModel } from '../models/hub/index.js';
import { Interrupted, type Interruption, type Logger } from '../telemetry/index.js';
import { encoderLimit } from '../wire/index.js';
import { addComparisons } from './comparisons.js';
import { loadSplit, loggedDownloads } from './datasets.js';
import { type PreparedData, prepareData, readingOptions } from './prepare.js';
import type { Session } from './session.js';
import type { Team } from './team/index.js';

export interface Loading {
  readonly logger: Logger;
  /** What this process itself was asked. */
  readonly interruption: Interruption;
  /** null: this process trains alone. */
  readonly team: Team | null;
  /** Loads the models. */
  open(): Promise<Session>;
}

/** The models, on the device of this process, and the team connected. */
export async function loadModels(config: RunConfig, { team, open }: Loading): Promise<Session> {
  if (team === null) return open();
  const references = [...config.model.ids, ...(config.encoder.type === 'byte' ? [] : [config.encoder.id])];
  await team.leadFirst('files of the models', async () => {
    for (const reference of references) await resolveModel(reference, { parts: 'all' });
  });
  const session = await team.phase('models', open);
  await requireSameModels(team, session);
  await team.connect(session.device);
  return session;
}

/** Tokens of the training examples, and what their losses compare with. @throws Interrupted */
export async function loadTrainingData(session: Session, loading: Loading): Promise<PreparedData> {
  const { team, logger, interruption } = loading;
  const tokenise = () => prepare(session, 'train', logger);
  const data = await (team === null ? tokenise() : team.leadFirst('training data', tokenise));
  if (team === null) interruption.check();
  const compare = async (): Promise<PreparedData> => {
    const shouldStop = () => interruption.requested();
    const compared = await addComparisons(session, data, { logger, shouldStop });
    if (compared === null) throw new Interrupted(interruption.signal!);
    return compared;
  };
  return team === null ? compare() : team.leadFirst('comparisons', compare);
}

export async function prepare(
  session: Session,
  split: 'train' | 'dev',
  logger: Logger,
): Promise<PreparedData> {
  const { config } = session;
  const examples = await loadSplit(config, split, session.root, loggedDownloads(logger));
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

/** Machines may hold different files under one name. */
async function requireSameModels(team: Team, { readers, encoderTokenizer }: Session): Promise<void> {
  const all = await team.meet('models of all', {
    torch: t.torchVersion(),
    weights: readers.map(({ model }) => modelDigest(model)).join(' '),
    tokenizers: [encoderTokenizer, ...readers.map(({ tokenizer }) => tokenizer)]
      .map((it) => it.digest)
      .join(' '),
  });
  for (const [rank, own] of all.entries()) {
    for (const [what, value] of Object.entries(own)) {
      const expected = (all[0] as Record<string, string>)[what];
      if (value === expected) continue;
      throw new LatentWireError(
        `expected the same ${what} on all ranks, rank ${rank} has others than rank 0`,
        {
          code: 'state',
          hint: 'give every machine the same files and the same torch',
        },
      );
    }
  }
}
