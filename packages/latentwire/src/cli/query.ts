/** `latentwire query`: SQL over the files of runs. */
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

const FORMATS: readonly string[] = ['table', 'markdown', 'csv'];

export const query: CliCommand = {
  name: 'query',
  summary: 'ask a question in SQL about runs: tables runs, measures, metrics, predictions, diagnostics, gpu',
  declare: (command) =>
    command
      .argument('<sql>', 'e.g. "SELECT mode, avg(f1) FROM predictions GROUP BY mode"')
      .option('--experiment-dir <folder>', 'folder of the run directories', 'runs')
      .option('--format <name>', 'table, markdown or csv', 'table'),
  async run({ args, options }) {
    const { queryRuns } = await import('../results/query/index.js');
    const { renderTable } = await import('../results/tables/index.js');
    const { experimentDir, format } = options as { experimentDir: string; format: string };
    if (!FORMATS.includes(format)) {
      throw new LatentWireError(`--format: expected ${FORMATS.join(', ')}, got ${JSON.stringify(format)}`, {
        code: 'input',
      });
    }
    const { columns, rows } = await queryRuns(experimentDir, args[0] ?? '');
    const cells = rows.map((row) => row.map(cellOf));
    const table = { columns: columns.map((title) => ({ title })), rows: cells };
    const text =
      format === 'csv'
        ? [columns, ...cells].map((row) => row.map(csvField).join(',')).join('\n')
        : renderTable(table, format === 'markdown' ? 'markdown' : 'terminal');
    return { json: { columns, rows }, text };
  },
};

function cellOf(value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // 64-bit integers come as text; those that fit are numbers to people.
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

/** RFC 4180. */
function csvField(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
