/** Scores a trained wire and the text baselines of every reader, and writes predictions and metrics. */

import { type TextBaseline, textBaselineRows, textBaselines } from '../baselines/index.js';
import type { RunConfig } from '../config/index.js';
import {
  type EvaluationOptions,
  evaluateLatents,
  evaluateRows,
  type ModeResult,
} from '../evaluation/index.js';
import type { AnswerMetrics, AnswerMode, Logger, PredictionsWriter, RunMetrics } from '../telemetry/index.js';
import { scoringVersion } from './datasets.js';
import type { PreparedData } from './prepare.js';
import type { Session } from './session.js';

/** Names of the modes in metrics and figures. */
const MODE_OF: Record<TextBaseline, AnswerMode> = {
  text_only: 'text',
  token_budget: 'token_budget',
  no_context: 'no_context',
};

/** @param data Evaluation examples, prepared without targets. */
export async function evaluateRun(
  session: Session,
  data: PreparedData,
  predictions: PredictionsWriter,
  logger: Logger,
): Promise<RunMetrics> {
  const { config, wire } = session;
  const latents = config.wire.latent_len;
  const scores = new Map<AnswerMode, Record<string, AnswerMetrics>>();
  for (const [index, { reader, head, tails }] of data.readers.entries()) {
    const record = (mode: AnswerMode, result: ModeResult): void => {
      const model = reader.name;
      result.answers.forEach((answer, i) => {
        predictions.append({ ...answer, model, mode, answers: data.examples[i]!.answers });
      });
      const { em, f1, contextPositions, seconds } = result;
      scores.set(mode, {
        ...scores.get(mode),
        [model]: { em, f1, context_positions: contextPositions, seconds },
      });
      logger.info(`evaluated ${mode}`, {
        model,
        f1: round(f1),
        em: round(em),
        n: result.n,
        seconds: round(seconds),
      });
    };
    const options = evaluationOptions(config);
    for (const kind of textBaselines) {
      const rows = await textBaselineRows(kind, reader, data.examples, latents);
      record(
        MODE_OF[kind],
        await evaluateRows(reader, data.examples, rows, meanContext(kind, data, latents), options),
      );
    }
    const inputs = { examples: data.examples, contexts: data.contexts, head, tails };
    record('latent', await evaluateLatents(wire, reader, index, inputs, latents, options));
  }
  return {
    dataset: config.data.dataset,
    samples: data.examples.length,
    ...Object.fromEntries(scores),
    latent_len: latents,
    d_z: config.wire.d_z,
    context_tokens: meanContext('text_only', data, latents),
    token_compression: meanContext('text_only', data, latents) / latents,
  };
}

function evaluationOptions(config: RunConfig): EvaluationOptions {
  return {
    batchSize: config.evaluation.eval_batch_size,
    maxNewTokens: config.evaluation.max_new_tokens,
    version: scoringVersion(config.data.dataset),
  };
}

/** Mean positions that the context takes, in encoder tokens for the text modes. */
function meanContext(kind: TextBaseline, data: PreparedData, budget: number): number {
  if (kind === 'no_context') return 0;
  const limit = kind === 'token_budget' ? budget : Number.POSITIVE_INFINITY;
  return data.contexts.reduce((sum, ids) => sum + Math.min(ids.length, limit), 0) / data.contexts.length;
}

function round(x: number): number {
  return Math.round(x * 1e4) / 1e4;
}
