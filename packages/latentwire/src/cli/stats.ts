/** `latentwire stats`: statistical report of a results file. */
import type { StatisticsRequest } from '../results/index.js';
import type { CliCommand } from './command.js';

export const stats: CliCommand = {
  name: 'stats',
  summary: 'compare methods with a baseline: intervals, corrected tests, effect sizes, power, verdicts',
  declare: (command) =>
    command
      .requiredOption('--results <file>', 'per-item scores, JSON or .gz (layout: docs/STATISTICS.md)')
      .option('--output <file>', 'write the report here: .md, .tex, .json, or text')
      .option('--format <name>', 'markdown, latex, text or json (default: by the extension of --output)')
      .option('--baseline <method>', 'compare with this method (default: the one the file names)')
      .option('--correction <name>', 'bonferroni, holm, sidak, holm-sidak, hochberg, fdr_bh or fdr_by')
      .option('--family <name>', "corrected together: 'all' tests, or those of one 'metric'")
      .option('--test <name>', 'auto, permutation, bootstrap, t, wilcoxon or mcnemar')
      .option('--alpha <number>', 'significance level (default: 0.05)', Number)
      .option('--confidence <number>', 'level of the intervals (default: 0.95)', Number)
      .option('--power <number>', 'power that counts as enough data (default: 0.8)', Number)
      .option('--resamples <count>', 'bootstrap resamples (default: 10000)', Number)
      .option('--seed <number>', 'seed of the resampling (default: 0)', Number)
      .option('--threads <count>', 'threads; the result does not depend on it', Number),
  async run({ options, logger }) {
    const { reportStatistics } = await import('../results/index.js');
    // Every option but the frame's own has the name of the setting it sets.
    const { json: _json, debug: _debug, ...settings } = options;
    const request = settings as unknown as StatisticsRequest;
    const { comparison, report, json } = reportStatistics(request);
    for (const { message } of comparison.warnings) logger.warn(message);
    if (request.output === undefined) return { json, text: report };
    const verdicts = comparison.comparisons.map((entry) => entry.sentence);
    return {
      json: { ...json, output: request.output },
      text: [...verdicts, `report: ${request.output}`].join('\n'),
    };
  },
};
