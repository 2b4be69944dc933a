/** The table that `train`, `eval` and `demo` end with: one row per model and way of answering. */
import type { AnswerMode } from '../telemetry/index.js';
import type { TrainReport } from '../training/index.js';

const LABELS: Record<AnswerMode, string> = {
  text: 'text (whole context)',
  token_budget: 'token budget (first M tokens)',
  no_context: 'no context',
  latent: 'latent (the wire)',
};

/** Scores in percent, one row per model and mode, and where the run lies. */
export async function scoreTable(report: TrainReport): Promise<string> {
  const { numberOf } = await import('../telemetry/index.js');
  const { renderTable } = await import('../results/index.js');
  const rows = (Object.keys(LABELS) as AnswerMode[]).flatMap((mode) =>
    Object.entries(report.metrics[mode] ?? {}).map(([model, { em, f1, context_positions }]) => [
      model,
      LABELS[mode],
      100 * f1,
      100 * em,
      numberOf(context_positions),
    ]),
  );
  const table = renderTable({
    columns: [
      { title: 'model' },
      { title: 'reads' },
      { title: 'F1', digits: 1 },
      { title: 'EM', digits: 1 },
      { title: 'context positions', digits: 1 },
    ],
    rows,
  });
  const { dataset, samples } = report.metrics;
  return `${table}\n\n${samples} questions of ${dataset}, ${report.steps} training steps\nrun directory: ${report.directory}`;
}
