/**
 * What the losses of a run compare with, computed before its first step: the distributions of the text-reading model
 * (distillation) and the statistics of the embedding table (manifold). Nothing is done for terms without weight.
 */
import os from 'node:os';
import path from 'node:path';
import type { RunConfig } from '../config/index.js';
import { modelDigest } from '../models/decoder/index.js';
import { embeddingStatistics, type TeacherTargets, teacherTargets } from '../objective/index.js';
import type { Logger } from '../telemetry/index.js';
import { fullPromptTokens } from '../wire/index.js';
import type { PreparedData, PreparedReader } from './prepare.js';
import type { Session } from './session.js';
import { distillationWeight } from './stages.js';

export interface ComparisonOptions {
  readonly logger: Logger;
  /** Asked before each forward pass of a teacher; what it has computed by then is kept on disk. */
  readonly shouldStop?: () => boolean;
}

/** @returns null when `shouldStop` ended it */
export async function addComparisons(
  { config }: Pick<Session, 'config'>,
  data: PreparedData,
  options: ComparisonOptions,
): Promise<PreparedData | null> {
  const { objective } = config;
  const readers: PreparedReader[] = [];
  for (const prepared of data.readers) {
    let { teacher } = prepared;
    if (distillationWeight(config) > 0) {
      teacher = await teacherOf(prepared, data, objective, options);
      if (teacher === null) return null;
    }
    const statistics = objective.manifold_weight > 0 ? embeddingStatistics(prepared.reader.model) : null;
    readers.push({ ...prepared, teacher, statistics });
  }
  return { ...data, readers };
}

async function teacherOf(
  { reader, targets }: PreparedReader,
  { examples }: PreparedData,
  objective: RunConfig['objective'],
  { logger, shouldStop }: ComparisonOptions,
): Promise<TeacherTargets | null> {
  const { model, tokenizer, name } = reader;
  const started = performance.now();
  let reported = started;
  let computed = 0;
  const prompts = await fullPromptTokens(reader, examples);
  const teacher = await teacherTargets(
    model,
    prompts.map((prompt, i) => ({ prompt, target: targets[i]! })),
    {
      plan: {
        positions: objective.k,
        topK: Math.min(objective.kd_top_k, model.config.vocabSize - 1),
        tau: objective.kd_tau,
      },
      folder: objective.teacher_cache ?? defaultTeacherCache(),
      identity: { model: modelDigest(model), tokenizer: tokenizer.digest },
      onWarning: (message) => logger.warn(message),
      onProgress: (done, total, fresh) => {
        computed = fresh;
        const now = performance.now();
        if (now - reported < 10_000) return;
        reported = now;
        logger.info('teacher reads texts', { model: name, done, total, computed: fresh });
      },
      ...(shouldStop && { shouldStop }),
    },
  );
  const seconds = Math.round(performance.now() - started) / 1000;
  if (teacher !== null) {
    const agreement = Math.round(teacher.agreement(targets) * 1000) / 1000;
    logger.info('teacher ready', { model: name, examples: examples.length, computed, seconds, agreement });
  }
  return teacher !== null && objective.kd_positions === 'right' ? teacher.whereRight(targets) : teacher;
}

function defaultTeacherCache(): string {
  const userCache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  return path.join(userCache, 'latentwire', 'teacher');
}
