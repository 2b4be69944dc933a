/**
 * From prediction rows to metrics. All numbers are computed from all rows at the end, in file order, so that an
 * evaluation that was interrupted gives the same ones, to the last bit, as one in a single go.
 */
import { labelsOf, type Task } from '../data/index.js';
import {
  type AgreementMetrics,
  ANSWER_MODES,
  type AnswerMetrics,
  type AnswerMode,
  type PredictionRow,
  type RunMetrics,
} from '../telemetry/index.js';
import type { AnswerSource } from './answer-source.js';
import type { TextSizes } from './compression.js';
import { macroF1, normalizeAnswer } from './scoring/index.js';

export interface SummaryInputs {
  readonly rows: readonly PredictionRow[];
  readonly sources: readonly AnswerSource[];
  readonly task: Task;
  readonly textSizes: TextSizes;
  /** Mean tokens of the contexts, per model name. */
  readonly contextTokens: ReadonlyMap<string, number>;
}

/** The blocks of metrics.json that come from predictions: one per mode, and `agreement`. */
export function summarise(inputs: SummaryInputs): Pick<RunMetrics, AnswerMode | 'agreement'> {
  const metrics: Partial<Record<AnswerMode, Record<string, AnswerMetrics>>> = {};
  const agreement: Partial<Record<AnswerMode, AgreementMetrics>> = {};
  for (const mode of ANSWER_MODES) {
    const ofMode = inputs.rows.filter((row) => row.mode === mode);
    const models = [...new Set(ofMode.map((row) => row.model))];
    if (models.length === 0) continue;
    const perModel = models.map((model) => ofMode.filter((row) => row.model === model));
    metrics[mode] = Object.fromEntries(
      models.map((model, k) => [
        model,
        { ...scores(perModel[k]!, inputs.task), ...cost(mode, model, inputs) },
      ]),
    );
    if (models.length > 1) agreement[mode] = agreementOf(perModel);
  }
  return { ...metrics, ...(Object.keys(agreement).length > 0 && { agreement }) };
}

function scores(rows: readonly PredictionRow[], task: Task): AnswerMetrics {
  const labels = labelsOf(task);
  const forced = rows.filter((row) => row.nll !== undefined);
  return {
    em: mean(rows.map((row) => row.em)),
    f1: mean(rows.map((row) => row.f1)),
    ...(labels !== null && {
      macro_f1: macroF1(
        labels,
        rows.map(({ prediction, answers }) => ({ prediction, gold: answers[0] ?? '' })),
      ),
    }),
    ...(forced.length > 0 && {
      nll_token: sum(forced.map((row) => row.nll!)) / sum(forced.map((row) => row.nll_tokens!)),
      first_token_top1: mean(forced.map((row) => Number(row.first_token_rank! < 1))),
      first_token_top5: mean(forced.map((row) => Number(row.first_token_rank! < 5))),
    }),
  };
}

/** What the context costs in this mode: positions, bytes and how many times less that is than the text. */
function cost(mode: AnswerMode, model: string, inputs: SummaryInputs): Partial<AnswerMetrics> {
  const source = inputs.sources.find((s) => s.mode === mode && s.reader.name === model);
  if (source === undefined) return {};
  const { textSizes } = inputs;
  const positions = mean(source.contextPositions);
  const message = source.messageBytes === null ? null : mean(source.messageBytes);
  const byteRatios = Object.entries(textSizes).map(([name, bytes]) => [name, bytes / (message ?? 1)]);
  return {
    context_positions: positions,
    ...(message !== null && { bytes: { message, ...textSizes } }),
    ...(positions > 0 && {
      ratios: {
        tokens: inputs.contextTokens.get(model)! / positions,
        ...(message !== null && message > 0 && Object.fromEntries(byteRatios)),
      },
    }),
  };
}

/** @param perModel rows of each model; the same questions, in any order */
function agreementOf(perModel: readonly (readonly PredictionRow[])[]): AgreementMetrics {
  const byId = perModel.map((rows) => new Map(rows.map((row) => [row.id, row])));
  // Questions in the order of their ids, so that the sums do not depend on the batches of the first model.
  const questions = [...byId[0]!.keys()].sort().map((id) => byId.map((rows) => rows.get(id)!));
  const same = ([first, ...others]: readonly PredictionRow[]): boolean =>
    others.every((row) => normalizeAnswer(row.prediction) === normalizeAnswer(first!.prediction));
  return {
    agreement: mean(questions.map((rows) => Number(same(rows)))),
    oracle_f1: mean(questions.map((rows) => Math.max(...rows.map((row) => row.f1)))),
    oracle_em: mean(questions.map((rows) => Math.max(...rows.map((row) => row.em)))),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
