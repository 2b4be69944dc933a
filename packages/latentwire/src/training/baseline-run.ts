/**
 * A run that is a baseline: nothing is trained, one simple way of answering is scored in place of the wire. It writes
 * the same run directory, metrics and predictions.
 */
import { linearProbe, type ProbeResult } from '../baselines/index.js';
import type { RunConfig } from '../config/index.js';
import { type Example, labelsOf } from '../data/index.js';
import {
  type AnswerMetrics,
  type AnswerMode,
  PredictionsWriter,
  type RunMetrics,
} from '../telemetry/index.js';
import { taskOfRun } from './datasets.js';
import { type EvaluateRunOptions, type EvaluateRunResult, evaluateRun } from './evaluate-run.js';
import type { PreparedData } from './prepare.js';
import type { Session } from './session.js';

/** Name of the probe in metrics and predictions. */
const PROBE = 'linear_probe';

export function isBaselineRun({ baseline }: Pick<RunConfig, 'baseline'>): boolean {
  return baseline.kind !== 'none';
}

/** Scores the configured baseline, or everything that a run without one is scored by. */
export function evaluateConfigured(
  session: Session,
  data: PreparedData,
  options: EvaluateRunOptions,
): Promise<EvaluateRunResult> {
  const { config } = session;
  const mode = baselineMode(config);
  if (mode === null) return evaluateRun(session, data, options);
  if (mode === PROBE) return evaluateProbe(session, data, options);
  const evaluation = { ...config.evaluation, eval_modes: [mode] };
  return evaluateRun({ ...session, config: { ...config, evaluation } }, data, options);
}

function baselineMode({ baseline }: RunConfig): AnswerMode | typeof PROBE | null {
  switch (baseline.kind) {
    case 'none':
      return null;
    case 'text_only':
      return 'text';
    case 'token_budget':
      return baseline.budget_mode === 'first' ? 'token_budget' : `token_budget_${baseline.budget_mode}`;
    default:
      return baseline.kind;
  }
}

async function evaluateProbe(
  { config, root, readers }: Session,
  { examples }: PreparedData,
  { paths, logger, shouldStop, onProgress, fs }: EvaluateRunOptions,
): Promise<EvaluateRunResult> {
  const { probe_layer, probe_pooling, probe_folds, probe_c } = config.baseline;
  const scores: Record<string, AnswerMetrics> = {};
  using predictions = new PredictionsWriter(paths.predictions, { resume: false, ...(fs && { fs }) });
  for (const [index, reader] of readers.entries()) {
    if (shouldStop?.() === true) return { state: 'interrupted', done: index, total: readers.length };
    const result = await linearProbe(reader, examples, {
      layer: probe_layer,
      pooling: probe_pooling,
      folds: probe_folds,
      c: probe_c,
      batchSize: config.evaluation.eval_batch_size,
      labels: labelsOf(taskOfRun(config)),
      root,
    });
    for (const row of probeRows(reader.name, examples, result)) predictions.append(row);
    scores[reader.name] = probeMetrics(result);
    logger.info('evaluated linear_probe', { model: reader.name, accuracy: result.accuracy });
    onProgress?.(index + 1, readers.length);
  }
  predictions.sync();
  const metrics: RunMetrics = {
    dataset: config.data.dataset,
    samples: examples.length,
    [PROBE]: scores,
  };
  return { state: 'complete', metrics };
}

function probeRows(model: string, examples: readonly Example[], { predictions, golds }: ProbeResult) {
  return examples.map((example, i) => {
    const right = Number(predictions[i] === golds[i]);
    return {
      ...{ id: example.id, model, mode: PROBE, prediction: predictions[i]!, answers: example.answers },
      ...{ gold: golds[i]!, em: right, f1: right },
    };
  });
}

function probeMetrics(result: ProbeResult): AnswerMetrics {
  return {
    em: result.accuracy,
    f1: result.accuracy,
    accuracy: result.accuracy,
    macro_f1: result.macroF1,
    fold_accuracies: result.foldAccuracies,
    classes: result.classes,
    coverage: result.coverage,
    layer: result.layer,
  };
}
