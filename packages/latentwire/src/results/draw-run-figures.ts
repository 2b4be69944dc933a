/** The figures of one run, from what lies in its directory; what was not measured is not drawn. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import {
  ANSWER_MODES,
  type AnswerMode,
  numberOf,
  type RunMetrics,
  readDiagnostics,
  readMetrics,
  runLocation,
  runPaths,
} from '../telemetry/index.js';
import { f1Bars, type ModelF1 } from './figures/f1-bars.js';
import { lossCurve } from './figures/loss-curve.js';
import { renderFigure } from './figures/render.js';

/**
 * Draws figures/loss and figures/f1 (each .svg and .png) of the run in `directory`.
 * @throws LatentWireError `format` (damaged run files) or `io`.
 */
export async function drawRunFigures(directory: string): Promise<void> {
  const { root, name } = runLocation(directory);
  const paths = runPaths(root, name);
  mkdirSync(paths.figures, { recursive: true });

  const points = readDiagnostics(paths.diagnostics).flatMap(({ step, loss }) => {
    const value = numberOf(loss);
    return value === undefined || !Number.isFinite(value) ? [] : [{ step, loss: value }];
  });
  if (points.length > 0)
    await renderFigure(lossCurve(points, { run: name }), path.join(paths.figures, 'loss'));

  const metrics = readMetrics(paths.metrics);
  const models = metrics === undefined ? [] : f1PerModel(metrics);
  if (metrics === undefined || models.length === 0) return;
  const parts = [metrics.dataset, metrics.samples === undefined ? undefined : `${metrics.samples} questions`];
  const subtitle = parts.filter((part) => part !== undefined).join(', ');
  await renderFigure(f1Bars(models, subtitle === '' ? {} : { subtitle }), path.join(paths.figures, 'f1'));
}

function f1PerModel(metrics: RunMetrics): ModelF1[] {
  const models = new Map<string, Partial<Record<AnswerMode, number>>>();
  for (const mode of ANSWER_MODES) {
    for (const [model, scores] of Object.entries(metrics[mode] ?? {})) {
      const f1 = numberOf(scores.f1);
      if (f1 !== undefined && Number.isFinite(f1)) models.set(model, { ...models.get(model), [mode]: f1 });
    }
  }
  return [...models].map(([model, scores]) => ({ model, ...scores }));
}

/** F1 per model and way of answering, from flattened metrics (`mode/model/f1`). */
export function modelScores(measures: ReadonlyMap<string, number>): ModelF1[] {
  const models = new Map<string, Partial<Record<AnswerMode, number>>>();
  for (const mode of ANSWER_MODES) {
    for (const [key, value] of measures) {
      const [of, model, metric, ...rest] = key.split('/');
      if (of === mode && metric === 'f1' && rest.length === 0)
        models.set(model!, { ...models.get(model!), [mode]: value });
    }
  }
  return [...models].map(([model, scores]) => ({ model, ...scores }));
}
