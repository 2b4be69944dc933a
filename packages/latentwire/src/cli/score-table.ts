/** The table that `train`, `eval` and `demo` end with: one row per way of answering and model. */
import type { AnswerMode, PerModel, RunMetrics } from '../telemetry/index.js';
import type { StoppedReport, TrainReport } from '../training/index.js';

const LABELS: Record<AnswerMode | 'linear_probe', string> = {
  text: 'text (whole context)',
  token_budget: 'token budget (first M tokens)',
  token_budget_last: 'token budget (last M tokens)',
  token_budget_random: 'token budget (random M tokens)',
  no_context: 'no context',
  latent: 'latent (the wire)',
  shuffled: 'latent of another context',
  random_projection: 'random projection',
  pooled_embeddings: 'pooled embeddings',
  joint: 'latent, joint rescoring',
  linear_probe: 'linear probe (accuracy)',
};

/** What `train`, `eval` and `demo` print when a signal stopped them. */
export function stoppedText(report: StoppedReport): string {
  const saved = report.checkpoint === null ? 'no checkpoint yet' : `checkpoint of step ${report.steps}`;
  return `stopped by ${report.signal}: ${saved} in ${report.directory}\nthe same command with --auto-resume goes on`;
}

/**
 * Scores in percent, tokens and bytes as times less than the text, and where the run lies.
 * @param more what the same run scored otherwise, below
 */
export async function scoreTable(report: TrainReport, ...more: readonly RunMetrics[]): Promise<string> {
  const { ANSWER_MODES, numberOf } = await import('../telemetry/index.js');
  const { renderTable } = await import('../results/index.js');
  const modes = [...ANSWER_MODES, 'linear_probe' as const];
  const rows = [report.metrics, ...more].flatMap((metrics) =>
    modes.flatMap((mode) =>
      Object.entries((metrics[mode] ?? {}) as PerModel).map(([model, { em, f1, ratios }]) => [
        LABELS[mode],
        model,
        100 * f1,
        100 * em,
        numberOf(ratios?.tokens),
        numberOf(ratios?.utf8),
        numberOf(ratios?.zlib),
      ]),
    ),
  );
  const table = renderTable({
    columns: [
      { title: 'reads' },
      { title: 'model' },
      { title: 'F1', digits: 1 },
      { title: 'EM', digits: 1 },
      { title: 'tokens ×', digits: 2 },
      { title: 'bytes ×', digits: 2 },
      { title: 'zlib bytes ×', digits: 2 },
    ],
    rows,
  });
  const { dataset, samples } = report.metrics;
  return `${table}\n\n${samples} questions of ${dataset}, ${report.steps} training steps\nrun directory: ${report.directory}`;
}
