/** F1 of the ways of answering, side by side, one panel per model. */
import { ANSWER_MODES, type AnswerMode } from '../../telemetry/index.js';
import { type FigureSpec, PLOT_WIDTH, palette, shorten } from './theme.js';

/** F1 in [0, 1] per way of answering; absent: not measured. */
export type ModelF1 = Readonly<Partial<Record<AnswerMode, number>>> & { readonly model: string };

const LABELS: Readonly<Record<AnswerMode, string>> = {
  text: 'full text',
  token_budget: 'truncated text',
  token_budget_last: 'text, last tokens',
  token_budget_random: 'text, random tokens',
  no_context: 'no context',
  latent: 'latent wire',
  shuffled: 'shuffled latents',
  random_projection: 'random projection',
  pooled_embeddings: 'pooled embeddings',
  joint: 'joint rescoring',
};
const COLOURS: Readonly<Record<AnswerMode, string>> = {
  text: palette.blue,
  token_budget: palette.orange,
  token_budget_last: palette.orange,
  token_budget_random: palette.orange,
  no_context: palette.grey,
  latent: palette.green,
  shuffled: palette.grey,
  random_projection: palette.grey,
  pooled_embeddings: palette.grey,
  joint: palette.green,
};
const BAR_STEP = 19;

/** @param models at least one, in the order to show them */
export function f1Bars(models: readonly ModelF1[], options: { readonly subtitle?: string } = {}): FigureSpec {
  // A way that no model was measured with gets no row; one that only some lack is marked there.
  const modes = ANSWER_MODES.filter((mode) => models.some((model) => model[mode] !== undefined));
  const values = models.flatMap((model) =>
    modes.map((mode) => ({
      model: shortName(model.model),
      mode: LABELS[mode],
      f1: model[mode] === undefined ? null : 100 * model[mode],
      text: model[mode] === undefined ? 'not measured' : (100 * model[mode]).toFixed(1),
    })),
  );
  const labels = modes.map((mode) => LABELS[mode]);
  const several = models.length > 1;
  const panel = {
    width: PLOT_WIDTH - 55,
    height: { step: BAR_STEP },
    encoding: {
      y: {
        field: 'mode',
        type: 'nominal' as const,
        title: null,
        sort: labels,
        axis: { ticks: false, domain: false, labelPadding: 6 },
      },
      x: {
        field: 'f1',
        type: 'quantitative' as const,
        title: 'F1 (%)',
        scale: { domain: [0, 100] },
        axis: { tickCount: 5, grid: false },
      },
    },
    layer: [
      {
        mark: { type: 'bar' as const, height: 13 },
        encoding: {
          color: {
            field: 'mode',
            type: 'nominal' as const,
            scale: { domain: labels, range: modes.map((mode) => COLOURS[mode]) },
            legend: null,
          },
        },
      },
      {
        transform: [{ calculate: 'datum.f1 === null ? 0 : datum.f1', as: 'end' }],
        mark: { type: 'text' as const, align: 'left' as const, dx: 4, fontSize: 10, color: palette.ink },
        encoding: { x: { field: 'end', type: 'quantitative' as const }, text: { field: 'text' } },
      },
    ],
  };
  const subtitle = [several ? undefined : values[0]?.model, options.subtitle].filter(
    (part) => part !== undefined,
  );
  const head = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: 'Answer F1', ...(subtitle.length > 0 && { subtitle: shorten(subtitle.join(' · '), 52) }) },
    data: { values },
  };
  if (!several) return { ...head, ...panel };
  return {
    ...head,
    facet: {
      field: 'model',
      type: 'nominal',
      title: null,
      sort: models.map(({ model }) => shortName(model)),
      header: { labelAnchor: 'start', labelOrient: 'top', labelPadding: 2 },
    },
    columns: 1,
    spacing: 14,
    spec: panel,
  };
}

/** Last part of a path or hub id, without .gguf. */
function shortName(id: string): string {
  const name = id
    .replace(/[/\\]+$/, '')
    .split(/[/\\]/)
    .at(-1)!;
  return shorten(name.replace(/\.gguf$/i, ''));
}
