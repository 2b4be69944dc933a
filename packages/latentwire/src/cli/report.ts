/** `latentwire report`: from runs to tables and figures. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

interface ReportRequest {
  readonly experimentDir?: string;
  readonly results?: string;
  readonly output?: string;
  readonly title?: string;
  readonly resamples: number;
}

export const report: CliCommand = {
  name: 'report',
  summary: 'write the report of an experiment: HTML, Markdown, LaTeX tables, figures as PNG, SVG and PDF',
  declare: (command) =>
    command
      .option('--experiment-dir <folder>', 'folder of the run directories')
      .option('--results <file>', 'a results file of latentwire aggregate, in place of aggregating now')
      .option('--output <folder>', 'where to write (default: results/report, or the run itself for one run)')
      .option('--title <text>', 'title of the report')
      .option('--resamples <n>', 'bootstrap resamples', Number, 10_000),
  async run({ options, logger }) {
    const request = options as unknown as ReportRequest;
    const { aggregateRuns, buildReport, writeRunReport } = await import('../results/index.js');
    if (request.results === undefined && request.experimentDir === undefined) {
      throw new LatentWireError('expected --experiment-dir or --results, got neither', {
        code: 'input',
        hint: 'for example latentwire report --experiment-dir runs/main_experiment',
      });
    }
    const directory = request.experimentDir;
    if (request.results === undefined && existsSync(path.join(directory!, 'config.json'))) {
      const file = await writeRunReport(directory!, {
        ...(request.title !== undefined && { title: request.title }),
        ...(request.output !== undefined && { output: request.output }),
      });
      return { json: { html: file }, text: `report: ${file}` };
    }
    const document =
      request.results === undefined
        ? aggregateRuns(directory!)
        : readResults(request.results, request.experimentDir);
    for (const problem of document.problems) logger.warn(problem);
    const files = await buildReport(document, request.output ?? 'results/report', {
      title: request.title,
      resamples: request.resamples,
    });
    return {
      json: { ...files },
      text: [
        `report: ${files.html}`,
        `        ${files.markdown}`,
        ...files.tables.map((file) => `table:  ${file}`),
        ...files.figures.map((stem) => `figure: ${stem}.{pdf,svg,png}`),
      ].join('\n'),
    };
  },
};

function readResults(file: string, experimentDir: string | undefined) {
  let document: import('../results/index.js').ResultsDocument;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new LatentWireError(`cannot read ${file}: ${(error as Error).message}`, {
      code: 'input',
      cause: error,
    });
  }
  if (document.format !== 'latentwire-results/1' || !Array.isArray(document.groups)) {
    throw new LatentWireError(`${file} is not a results file of latentwire aggregate`, {
      code: 'format',
      hint: 'make one with latentwire aggregate --experiment-dir …',
    });
  }
  return experimentDir === undefined ? document : { ...document, experiment: experimentDir };
}
