/** report.html of one run: its scores, its loss, where its time went, what it was made with. Offline, one file. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { numberOf, type RunMetrics, readDiagnostics, writeFileAtomic } from '../../telemetry/index.js';
import { measuresOf, RUN_FILES, type RunReading, readRun } from '../aggregate/index.js';
import { modelScores } from '../draw-run-figures.js';
import { f1Bars } from '../figures/f1-bars.js';
import { lossCurve } from '../figures/loss-curve.js';
import { timeLedger } from '../figures/time-ledger.js';
import { drawFigures } from './build-report.js';
import type { ReportFigure } from './figures.js';
import { figureGrid, type PageSection, renderPage } from './page.js';
import { html, htmlTable, type ReportCell, type ReportTable } from './report-table.js';
import { readLedger } from './run-times.js';

export interface RunReportOptions {
  readonly title?: string;
  /** Folder of the report and its figures, in place of the run directory. */
  readonly output?: string;
  /** Paragraphs above the tables. */
  readonly lead?: readonly string[];
  /** What the same run scored otherwise. */
  readonly also?: { readonly title: string; readonly metrics: RunMetrics };
}

/**
 * Writes `report.html` into the run directory (or `output`), and its figures (.svg, .png, .pdf) into `figures/`.
 * @returns the path of the report
 * @throws LatentWireError `io`
 */
export async function writeRunReport(directory: string, options: RunReportOptions = {}): Promise<string> {
  const run = readRun(directory);
  const { output = directory } = options;
  const folder = path.join(output, 'figures');
  mkdirSync(folder, { recursive: true });
  const { also } = options;
  const second = also && { ...run, measures: measuresOf(also.metrics, []) };
  const figures = await drawFigures(
    [...figuresOf(directory, run), ...(second === undefined ? [] : f1Figure(second, 'f1-also', also!.title))],
    folder,
  );
  const sections: PageSection[] = [
    ...scoreSection('Scores', run),
    ...(second === undefined ? [] : scoreSection(also!.title, second)),
    ...(figures.length === 0 ? [] : [{ title: 'Figures', body: figureGrid(figures) }]),
    ...(run.problems.length === 0
      ? []
      : [
          {
            title: 'Missing and wrong',
            body: `<ul>${run.problems.map((line) => `<li>${html(line)}</li>`).join('\n')}</ul>`,
          },
        ]),
    { title: 'Settings', body: settingsHtml(run) },
  ];
  const state =
    run.state === 'completed' ? `completed after ${run.step} steps` : `${run.state} at step ${run.step}`;
  const attempts = run.attempt > 1 ? ` in ${run.attempt} attempts` : '';
  const file = path.join(output, 'report.html');
  writeFileAtomic(
    file,
    renderPage(
      options.title ?? `Run ${run.name}`,
      [...(options.lead ?? []), `${state}${attempts}; settings ${run.configHash.slice(0, 12)}.`],
      sections,
    ),
  );
  return file;
}

function figuresOf(directory: string, run: RunReading): ReportFigure[] {
  const figures: ReportFigure[] = [];
  const points = lossOf(directory);
  if (points.length > 0) {
    figures.push({
      id: 'loss',
      caption: 'Training loss of every step, and the mean over neighbouring steps.',
      spec: lossCurve(points, { run: run.name }),
    });
  }
  figures.push(...f1Figure(run, 'f1', 'F1 of each way of answering, by free generation'));
  const ledger = readLedger(directory);
  if (ledger !== undefined) {
    figures.push({
      id: 'time',
      caption: 'Where the wall time went.',
      spec: timeLedger([{ label: 'this run', seconds: ledger }], { subtitle: 'share of wall time' }),
    });
  }
  return figures;
}

function f1Figure({ measures }: RunReading, id: string, caption: string): ReportFigure[] {
  const models = modelScores(measures);
  return models.length === 0 ? [] : [{ id, caption: `${caption}.`, spec: f1Bars(models) }];
}

function scoreSection(title: string, run: RunReading): PageSection[] {
  const table = scoreTable(run);
  return table === undefined ? [] : [{ title, body: htmlTable(table) }];
}

function lossOf(directory: string): { step: number; loss: number }[] {
  try {
    return readDiagnostics(path.join(directory, RUN_FILES.diagnostics)).flatMap(({ step, loss }) => {
      const value = numberOf(loss);
      return value === undefined || !Number.isFinite(value) ? [] : [{ step, loss: value }];
    });
  } catch {
    return [];
  }
}

/** One row per model and way of answering, from metrics.json. */
function scoreTable(run: RunReading): ReportTable | undefined {
  const keys = [...run.measures.keys()].flatMap((key) =>
    key.endsWith('/f1') && key.split('/').length === 3 ? [key.slice(0, -3)] : [],
  );
  if (keys.length === 0) return undefined;
  const cell = (key: string, digits: number, scale = 1): ReportCell | null => {
    const value = run.measures.get(key);
    return value === undefined ? null : { text: (scale * value).toFixed(digits) };
  };
  const models = [...new Set(keys.map((key) => key.split('/')[1]!))];
  return {
    id: 'scores',
    caption: `${run.measures.get('samples') ?? 'All'} questions of ${String(run.config?.data?.dataset ?? 'the dataset')}`,
    columns: [
      { title: 'the frozen model reads', left: true },
      { title: 'F1' },
      { title: 'EM' },
      { title: 'NLL' },
      { title: 'positions' },
      { title: 'tokens ×' },
      { title: 'bytes ×' },
    ],
    rows: models.flatMap((model) =>
      keys
        .filter((key) => key.split('/')[1] === model)
        .map((key, i) => ({
          ...(i === 0 && { part: model }),
          cells: [
            { text: key.split('/')[0]!.replaceAll('_', ' ') },
            cell(`${key}/f1`, 1, 100),
            cell(`${key}/em`, 1, 100),
            cell(`${key}/nll_token`, 2),
            cell(`${key}/context_positions`, 1),
            cell(`${key}/ratios/tokens`, 1),
            cell(`${key}/ratios/utf8`, 2),
          ],
          source: `${RUN_FILES.metrics} of ${run.name}, ${key}`,
        })),
    ),
    notes: [
      'F1 and EM in percent; NLL in nats per gold answer token; tokens × and bytes × say how many times smaller than the text.',
    ],
  };
}

function settingsHtml({ config, versions }: RunReading): string {
  const groups = Object.entries(config ?? {}).map(
    ([name, fields]) =>
      `<tr><td class="left">${html(name)}</td><td class="left"><code>${html(
        Object.entries(fields ?? {})
          .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
          .join(', '),
      )}</code></td></tr>`,
  );
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version.slice(0, 12)}`);
  return `<details><summary>All settings</summary><div class="scroll"><table>${groups.join('\n')}</table></div></details>
<p class="note">${html(programs.join(', '))}</p>`;
}
