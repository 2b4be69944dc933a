/** `latentwire aggregate`: from run directories to one results file. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { CliCommand } from './command.js';

export const aggregate: CliCommand = {
  name: 'aggregate',
  summary:
    'collect the finished runs of an experiment: per cell over seeds and items, every number with its run',
  declare: (command) =>
    command
      .requiredOption('--experiment-dir <folder>', 'folder of the run directories')
      .option('--output <file>', 'results file', 'results/final_results.json')
      .option('--baseline <method>', 'what latentwire stats compares with (default: full text)'),
  async run({ options, logger }) {
    const { aggregateRuns, serializeResults } = await import('../results/aggregate/index.js');
    const { renderTable } = await import('../results/tables/index.js');
    const { writeFileAtomic } = await import('../telemetry/index.js');
    const { experimentDir, output, baseline } = options as {
      experimentDir: string;
      output: string;
      baseline?: string;
    };
    const document = aggregateRuns(experimentDir, { baseline });
    mkdirSync(path.dirname(path.resolve(output)), { recursive: true });
    writeFileAtomic(output, serializeResults(document));
    for (const problem of document.problems) logger.warn(problem);
    for (const { cell, why } of document.missing) logger.warn(`missing: ${cell}: ${why}`);
    const rows = document.groups.flatMap(({ name, seeds, measures, methods }) =>
      Object.keys(methods).map((key) => [
        name,
        key,
        seeds.length,
        percent(measures[`${key}/f1`]?.mean),
        percent(measures[`${key}/f1`]?.std),
        percent(measures[`${key}/em`]?.mean),
      ]),
    );
    const finished = document.runs.filter(({ state }) => state === 'completed').length;
    const text = [
      renderTable({
        columns: [
          { title: 'cell' },
          { title: 'answers of' },
          { title: 'seeds' },
          { title: 'F1', digits: 1 },
          { title: 'sd', digits: 1 },
          { title: 'EM', digits: 1 },
        ],
        rows,
      }),
      '',
      `${finished} of ${document.runs.length} runs finished, ${document.groups.length} cells, ${document.missing.length} planned runs missing, ${document.problems.length} problems`,
      `results: ${output}`,
    ].join('\n');
    return {
      json: {
        output,
        runs: document.runs.length,
        finished,
        groups: document.groups.length,
        methods: Object.keys(document.methods),
        baseline: document.baseline,
        missing: document.missing,
        problems: document.problems,
      },
      text,
    };
  },
};

function percent(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : 100 * value;
}
