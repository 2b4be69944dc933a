/**
 * From a results file (per-item scores of several methods) to a statistical report. The layout of the file is
 * documented in docs/STATISTICS.md and in `parseScoreTable`; the statistics are those of @latentwire/stats.
 */
import {
  type Comparison,
  type ComparisonOptions,
  compareScores,
  formatReport,
  parseScoreTable,
  REPORT_FORMATS,
  type ReportFormat,
  StatsError,
} from '@latentwire/stats';
import { parseJson, readDatasetFile } from '../data/index.js';
import { LatentWireError } from '../errors.js';
import { writeFileAtomic } from '../telemetry/index.js';

export interface StatisticsRequest extends ComparisonOptions {
  /** The results file: JSON, or gzip of it. */
  readonly results: string;
  /** Where to write the report; nothing is written without it. */
  readonly output?: string | undefined;
  /** Default: by the extension of `output` (.md, .tex, .json, else text). */
  readonly format?: ReportFormat | undefined;
  /** Overrides the baseline named in the file. */
  readonly baseline?: string | undefined;
}

export interface StatisticsReport {
  readonly comparison: Comparison;
  /** The report in the requested format. */
  readonly report: string;
  /** The comparison as plain JSON, non-finite numbers as strings. */
  readonly json: Readonly<Record<string, unknown>>;
}

const FORMAT_OF: Readonly<Record<string, ReportFormat>> = { md: 'markdown', tex: 'latex', json: 'json' };

/**
 * Compares all methods of a results file with its baseline and writes the report.
 * @throws LatentWireError `input` or `format` naming the place in the file; `io` when the report cannot be written
 */
export function reportStatistics(request: StatisticsRequest): StatisticsReport {
  const { results, output, format, baseline, ...options } = request;
  if (format !== undefined && !REPORT_FORMATS.includes(format)) {
    throw new LatentWireError(`--format: expected one of ${REPORT_FORMATS.join(', ')}, got ${format}`, {
      code: 'input',
    });
  }
  const json = parseJson(readDatasetFile(results).bytes, results);
  const comparison = inFile(results, () => compareScores(parseScoreTable(json, baseline), options));
  const extension = output?.slice(output.lastIndexOf('.') + 1) ?? '';
  const report = formatReport(comparison, format ?? FORMAT_OF[extension] ?? 'text');
  if (output !== undefined) writeFileAtomic(output, report);
  return { comparison, report, json: JSON.parse(formatReport(comparison, 'json')) };
}

/** Errors about the data name the file; errors about options name the option as the user knows it. */
function inFile<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof StatsError)) throw error;
    const option = /^options\.(\w+)$/.exec(error.argument)?.[1];
    const about =
      option === undefined
        ? `${file}: ${error.message}`
        : error.message.replace(
            error.argument,
            `--${option.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`,
          );
    const code = option === undefined && error.argument !== 'baseline' ? 'format' : 'input';
    throw new LatentWireError(about, {
      code,
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}
