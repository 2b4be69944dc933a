/** The figures of a report: each a specification made from the results document and from run files. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { numberOf, readDiagnostics } from '../../telemetry/index.js';
import { type Group, type ResultsDocument, RUN_FILES } from '../aggregate/index.js';
import { ablationBars } from '../figures/ablation-bars.js';
import { f1Grid } from '../figures/f1-grid.js';
import { type GpuSample, gpuUtilisation } from '../figures/gpu-utilisation.js';
import { type LossSeries, lossCurves, MOST_LINES } from '../figures/loss-curves.js';
import { type ParetoPoint, pareto } from '../figures/pareto.js';
import { sampleScaling } from '../figures/sample-scaling.js';
import type { FigureSpec } from '../figures/theme.js';
import { timeLedger } from '../figures/time-ledger.js';
import { readGpuSamples, readLedger } from './run-times.js';
import type { Contrast, MethodSummary } from './summarise.js';
import { placeOf, samplesOf } from './tables.js';

export interface ReportFigure {
  /** File name without extension. */
  readonly id: string;
  /** What it shows and what its marks mean. */
  readonly caption: string;
  readonly spec: FigureSpec;
}

export interface FigureInputs {
  readonly document: ResultsDocument;
  readonly methods: readonly MethodSummary[];
  readonly ablation:
    | { readonly contrasts: readonly Contrast[]; readonly labels: ReadonlyMap<string, string> }
    | undefined;
}

const INTERVALS = 'Bars are 95 % bootstrap intervals over seeds and questions.';

/** Only what the runs have measured; one figure per frozen model where several read the wire. */
export function reportFigures(inputs: FigureInputs): ReportFigure[] {
  const { methods } = inputs;
  const models = [...new Set(methods.filter(({ mode }) => mode === 'latent').map(({ model }) => model))];
  const perModel = models.flatMap((model) => {
    const suffix = models.length > 1 ? `-${slug(model)}` : '';
    const of = models.length > 1 ? ` of ${model}` : '';
    return modelFigures(
      methods.filter((method) => method.model === model),
      suffix,
      of,
    );
  });
  return [
    ...lossFigures(inputs.document),
    ...perModel,
    ...ablationFigures(inputs),
    ...timeFigures(inputs.document),
  ];
}

function modelFigures(methods: readonly MethodSummary[], suffix: string, of: string): ReportFigure[] {
  const figures: ReportFigure[] = [];
  const grid = methods.filter((method) => method.mode === 'latent' && placeOf(method, 'grid') !== undefined);
  const text = methods.find((method) => method.mode === 'text')?.f1.mean;
  const noContext = methods.find((method) => method.mode === 'no_context')?.f1.mean;
  const budgets = methods.filter((method) => method.reference?.mode === 'token_budget');
  if (grid.length > 0) {
    figures.push({
      id: `f1-grid${suffix}`,
      caption: `F1${of} by number of latents M and their width d_z. ${INTERVALS} Dashed lines: the whole text, and no context; short dashes: the first M tokens of the text.`,
      spec: f1Grid(
        grid.map((method) => ({ ...gridPlace(method), ...method.f1 })),
        {
          text,
          noContext,
          budget: budgets.map((method) => ({ latents: method.reference!.budget!, f1: method.f1.mean })),
        },
      ),
    });
  }
  for (const unit of ['tokens', 'bytes'] as const) {
    const points = paretoPoints(methods, unit);
    if (!points.some(({ series }) => series.startsWith('wire'))) continue;
    figures.push({
      id: `f1-${unit}${suffix}`,
      caption: `F1${of} against how many times fewer ${unit} than the text are used. ${INTERVALS} The line joins methods that no other beats in both (Pareto front).`,
      spec: pareto(points, unit, { floor: noContext }),
    });
  }
  const samples = methods.filter(
    (method) => method.mode === 'latent' && placeOf(method, 'samples') !== undefined,
  );
  if (new Set(samples.map(samplesOf)).size > 1) {
    figures.push({
      id: `samples${suffix}`,
      caption: `F1${of} by number of training examples. ${INTERVALS} The line is a least-squares fit of F1 to the logarithm of the number.`,
      spec: sampleScaling(
        samples.map((method) => ({ samples: samplesOf(method), ...method.f1 })),
        { text },
      ),
    });
  }
  return figures;
}

function paretoPoints(methods: readonly MethodSummary[], unit: 'tokens' | 'bytes'): ParetoPoint[] {
  return methods.flatMap((method): ParetoPoint[] => {
    const ratio = unit === 'tokens' ? method.tokenRatio : method.byteRatio;
    const series = seriesOf(method);
    if (ratio === undefined || series === undefined) return [];
    const point = { series, ratio, ...method.f1 };
    if (unit === 'tokens' || method.reference?.mode !== 'text') return [point];
    const { 'bytes/utf8': utf8, 'bytes/zlib': zlib } = method.reference.measures;
    return utf8 !== undefined && zlib !== undefined && zlib > 0
      ? [point, { ...point, series: 'text, zlib', ratio: utf8 / zlib }]
      : [point];
  });
}

/** Undefined: not in this figure. */
function seriesOf(method: MethodSummary): string | undefined {
  if (method.reference !== undefined) {
    if (method.mode === 'text') return 'full text';
    return method.mode === 'token_budget' ? 'M tokens of text' : undefined;
  }
  if (method.mode === 'latent') {
    return placeOf(method, 'grid') === undefined ? undefined : `wire d_z = ${gridPlace(method).width}`;
  }
  return method.mode === 'random_projection' || method.mode === 'pooled_embeddings'
    ? method.mode.replace('_', ' ')
    : undefined;
}

function gridPlace(method: MethodSummary): { readonly latents: number; readonly width: number } {
  const wire = method.group?.config.wire;
  return { latents: Number(wire?.latent_len), width: Number(wire?.d_z) };
}

/** One figure per frozen model: names of two parts and of models would not fit beside the bars. */
function ablationFigures({ ablation, methods }: FigureInputs): ReportFigure[] {
  if (ablation === undefined) return [];
  const modelOf = new Map(methods.map(({ method, model }) => [method, model]));
  const models = [...new Set(ablation.contrasts.map(({ method }) => modelOf.get(method)!))];
  return models.map((model) => {
    const several = models.length > 1;
    const contrasts = ablation.contrasts.filter(({ method }) => modelOf.get(method) === model);
    return {
      id: `ablation${several ? `-${slug(model)}` : ''}`,
      caption: `Change of F1${several ? ` of ${model}` : ''} when a part is taken away, paired by question. Bars: difference; lines: 95 % intervals; coloured: p < 0.05 after correction (Holm).`,
      spec: ablationBars(
        contrasts.map(({ method, comparison, significant }) => ({
          label: (ablation.labels.get(method) ?? method).replace(` · ${model}`, ''),
          difference: comparison.difference,
          low: comparison.ci.low,
          high: comparison.ci.high,
          significant,
        })),
      ),
    };
  });
}

/** The cells of the grid in parts of as many lines as can be told apart: one figure per width. */
function lossFigures(document: ResultsDocument): ReportFigure[] {
  const trained = document.groups.filter((group) => String(group.config.baseline?.kind ?? 'none') === 'none');
  const grid = trained.filter((group) => group.places.some(({ kind }) => kind === 'grid'));
  const chosen = grid.length > 0 ? grid : trained;
  if (chosen.length <= MOST_LINES) return lossFigure(document, chosen, 'loss', '');
  const widths = [...new Set(chosen.map(({ config }) => Number(config.wire?.d_z)))].sort((a, b) => a - b);
  return widths.flatMap((width) =>
    lossFigure(
      document,
      chosen.filter(({ config }) => Number(config.wire?.d_z) === width).slice(0, MOST_LINES),
      `loss-dz${width}`,
      `, d_z = ${width}`,
    ),
  );
}

function lossFigure(
  document: ResultsDocument,
  groups: readonly Group[],
  id: string,
  of: string,
): ReportFigure[] {
  const series = groups.flatMap((group): LossSeries[] => {
    const points = meanLoss(document, group);
    return points.length === 0 ? [] : [{ label: shortLabel(group), points }];
  });
  if (series.length === 0) return [];
  return [
    {
      id,
      caption: `Training loss${of}: mean over seeds and over neighbouring steps. The stages of training have different losses, so steps in the curve are changes of stage.`,
      spec: lossCurves(series),
    },
  ];
}

/** Mean over the runs that have reached a step. A damaged file has been named by the aggregation. */
function meanLoss(document: ResultsDocument, group: Group): LossSeries['points'] {
  const sums = new Map<number, { sum: number; n: number }>();
  for (const run of group.runs) {
    for (const { step, loss } of diagnosticsOf(path.join(document.experiment, run))) {
      const value = numberOf(loss);
      if (value === undefined || !Number.isFinite(value)) continue;
      const entry = sums.get(step) ?? { sum: 0, n: 0 };
      sums.set(step, { sum: entry.sum + value, n: entry.n + 1 });
    }
  }
  return [...sums].sort(([a], [b]) => a - b).map(([step, { sum, n }]) => ({ step, loss: sum / n }));
}

function diagnosticsOf(directory: string): { readonly step: number; readonly loss?: unknown }[] {
  try {
    return readDiagnostics(path.join(directory, RUN_FILES.diagnostics));
  } catch {
    return [];
  }
}

function timeFigures(document: ResultsDocument): ReportFigure[] {
  const figures: ReportFigure[] = [];
  const bars = document.groups.flatMap((group) => {
    const ledgers = group.runs
      .map((run) => readLedger(path.join(document.experiment, run)))
      .filter((ledger) => ledger !== undefined);
    const parts = new Set(ledgers.flatMap((ledger) => Object.keys(ledger)));
    const mean = (part: string): number =>
      ledgers.reduce((sum, ledger) => sum + (ledger[part] ?? 0), 0) / ledgers.length;
    return ledgers.length === 0
      ? []
      : [
          {
            label: shortLabel(group),
            seconds: Object.fromEntries([...parts].map((part) => [part, mean(part)])),
          },
        ];
  });
  if (bars.length > 0) {
    figures.push({
      id: 'time',
      caption: 'Where the wall time of runs went; mean over the runs of a cell that were not interrupted.',
      spec: timeLedger(bars),
    });
  }
  const samples = gpuSamples(document);
  if (samples.length > 0) {
    const mean = samples.reduce((sum, { utilisation }) => sum + utilisation, 0) / samples.length;
    figures.push({
      id: 'gpu',
      caption: `GPU utilisation of all runs over their time: mean ${mean.toFixed(1)} % of ${samples.length} samples; the band spans the lowest and highest sample.`,
      spec: gpuUtilisation(samples, {
        subtitle: `mean ${mean.toFixed(1)} %; band: lowest to highest sample`,
      }),
    });
  }
  return figures;
}

function gpuSamples(document: ResultsDocument): GpuSample[] {
  return document.runs.flatMap(({ name }) => {
    const logs = path.join(document.experiment, name, 'logs');
    let files: string[];
    try {
      files = readdirSync(logs).filter((file) => /^gpu_monitor_.*\.jsonl$/.test(file));
    } catch {
      return [];
    }
    return files.flatMap((file) => readGpuSamples(path.join(logs, file)));
  });
}

function shortLabel(group: Group): string {
  const place = group.places.find(({ kind }) => kind === 'grid') ?? group.places[0];
  return (place?.label ?? group.name)
    .replace('latent_len=', 'M=')
    .replaceAll(/(?<=[a-z])_(?=[a-z]{2})/g, ' ');
}

function slug(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .toLowerCase();
}
