/**
 * The report of an experiment: HTML in one file, Markdown, LaTeX tables, and figures as SVG, PNG and PDF. What was
 * not measured is not there; what went wrong has a section of its own.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../../telemetry/index.js';
import type { ResultsDocument } from '../aggregate/index.js';
import { renderPng, renderSvg } from '../figures/render.js';
import { renderPdf } from '../figures/svg-to-pdf.js';
import { type ReportFigure, reportFigures } from './figures.js';
import { figureGrid, type PageFigure, type PageSection, renderPage } from './page.js';
import { html, htmlTable, latexTable, markdownTable, type ReportTable } from './report-table.js';
import { type MethodSummary, type StatisticsOptions, summariseMethods } from './summarise.js';
import { ablationTable, labelOf, mainTable, percentInterval, scalingTable } from './tables.js';

export interface ReportOptions extends StatisticsOptions {
  readonly title?: string | undefined;
}

export interface ReportFiles {
  readonly html: string;
  readonly markdown: string;
  readonly tables: readonly string[];
  /** Stems: each is there as .svg, .png and .pdf. */
  readonly figures: readonly string[];
}

/**
 * Writes report.html, report.md, tables/*.tex and figures/*.{svg,png,pdf} into `folder`.
 * @throws LatentWireError `io`
 */
export async function buildReport(
  document: ResultsDocument,
  folder: string,
  options: ReportOptions = {},
): Promise<ReportFiles> {
  const methods = summariseMethods(document, options);
  const ablation = ablationTable(document, methods, options);
  const tables = [
    mainTable(document, methods, options),
    ablation?.table,
    scalingTable(document, methods),
  ].filter((table) => table !== undefined);
  const figures = reportFigures({ document, methods, ablation });
  for (const name of ['', 'tables', 'figures']) mkdirSync(path.join(folder, name), { recursive: true });
  const drawn = await drawFigures(figures, path.join(folder, 'figures'));
  for (const table of tables)
    writeFileAtomic(path.join(folder, 'tables', `${table.id}.tex`), latexTable(table));

  const title = options.title ?? `LatentWire: ${path.basename(path.resolve(document.experiment))}`;
  const lead = leadOf(document, methods);
  const files = { html: path.join(folder, 'report.html'), markdown: path.join(folder, 'report.md') };
  writeFileAtomic(files.html, renderPage(title, lead, sectionsOf(document, tables, drawn)));
  writeFileAtomic(files.markdown, markdownReport(title, lead, document, tables, figures));
  return {
    ...files,
    tables: tables.map(({ id }) => path.join(folder, 'tables', `${id}.tex`)),
    figures: figures.map(({ id }) => path.join(folder, 'figures', id)),
  };
}

/** Draws and writes figures in all three formats. */
export async function drawFigures(figures: readonly ReportFigure[], folder: string): Promise<PageFigure[]> {
  const drawn: PageFigure[] = [];
  for (const { id, caption, spec } of figures) {
    const svg = await renderSvg(spec);
    writeFileAtomic(path.join(folder, `${id}.svg`), svg);
    writeFileAtomic(path.join(folder, `${id}.png`), await renderPng(svg));
    writeFileAtomic(path.join(folder, `${id}.pdf`), await renderPdf(svg));
    drawn.push({ id, caption, svg });
  }
  return drawn;
}

/** The result in two sentences, then what it rests on. */
function leadOf(document: ResultsDocument, methods: readonly MethodSummary[]): string[] {
  const finished = document.runs.filter(({ state }) => state === 'completed').length;
  const wires = methods.filter((method) => method.mode === 'latent');
  const best = wires.reduce<MethodSummary | undefined>(
    (a, b) => (a === undefined || b.f1.mean > a.f1.mean ? b : a),
    undefined,
  );
  const text = methods.find((method) => method.mode === 'text' && method.model === best?.model);
  const lines: string[] = [];
  if (best !== undefined) {
    const ratio = best.tokenRatio === undefined ? '' : ` at ${best.tokenRatio.toFixed(1)} times fewer tokens`;
    const against =
      text === undefined
        ? ''
        : `; the same frozen model reading the text reaches ${percentInterval(text.f1)}`;
    lines.push(`Best wire: ${labelOf(best)}, F1 ${percentInterval(best.f1)} %${ratio}${against}.`);
  }
  const open = document.missing.length === 0 ? '' : `, ${document.missing.length} planned runs are missing`;
  lines.push(`${finished} finished runs of ${document.groups.length} cells${open}.`);
  return lines;
}

function sectionsOf(
  document: ResultsDocument,
  tables: readonly ReportTable[],
  figures: readonly PageFigure[],
): PageSection[] {
  const sections: PageSection[] = [];
  if (tables.length > 0) sections.push({ title: 'Tables', body: tables.map(htmlTable).join('\n') });
  if (figures.length > 0) sections.push({ title: 'Figures', body: figureGrid(figures) });
  const problems = problemLines(document);
  sections.push({
    title: 'Missing and wrong',
    body:
      problems.length === 0
        ? '<p>Nothing: every planned run is there and whole.</p>'
        : `<ul>${problems.map((line) => `<li>${html(line)}</li>`).join('\n')}</ul>`,
  });
  sections.push({ title: 'Where the numbers are from', body: sourcesHtml(document) });
  return sections;
}

/** Missing cells, unfinished runs, and problems, each by name. */
function problemLines(document: ResultsDocument): string[] {
  const planned = new Set(document.missing.map(({ name }) => name));
  const unfinished = document.runs.filter(({ state, name }) => state !== 'completed' && !planned.has(name));
  return [
    ...document.missing.map(({ cell, name, why }) => `missing: ${cell} (${name}): ${why}`),
    ...unfinished.map(
      ({ name, state, error }) => `not finished: ${name}: ${state}${error === undefined ? '' : `: ${error}`}`,
    ),
    ...document.problems,
  ];
}

function sourcesHtml(document: ResultsDocument): string {
  const rows = document.runs.map(
    ({ name, group, seed, state, step, attempt, config_hash }) =>
      `<tr><td class="left"><code>${html(name)}</code></td><td class="left">${html(group ?? '')}</td><td>${seed ?? ''}</td><td class="left">${state}</td><td>${step}</td><td>${attempt}</td><td class="left"><code>${config_hash.slice(0, 12)}</code></td></tr>`,
  );
  return `<p>Scores and their intervals are computed from <code>${html(document.files.methods)}</code>, other numbers are read from <code>${html(document.files.measures)}</code> of these runs. Hovering over a row of a table names its runs.</p>
<details><summary>${document.runs.length} runs</summary><div class="scroll"><table>
<thead><tr><th class="left">run</th><th class="left">cell</th><th>seed</th><th class="left">state</th><th>steps</th><th>attempts</th><th class="left">settings</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

function markdownReport(
  title: string,
  lead: readonly string[],
  document: ResultsDocument,
  tables: readonly ReportTable[],
  figures: readonly ReportFigure[],
): string {
  const problems = problemLines(document);
  return [
    `# ${title}`,
    '',
    ...lead.flatMap((line) => [line, '']),
    ...tables.flatMap((table) => [markdownTable(table), '']),
    ...figures.flatMap(({ id, caption }) => [`![${id}](figures/${id}.png)`, '', caption, '']),
    '## Missing and wrong',
    '',
    ...(problems.length === 0
      ? ['Nothing: every planned run is there and whole.']
      : problems.map((line) => `- ${line}`)),
    '',
  ].join('\n');
}
