/** `latentwire score`: official SQuAD exact match and F1 of a prediction file. */
import type { ScoreSummary } from '../evaluation/scoring/index.js';
import type { JsonRecord } from '../telemetry/index.js';
import type { CliCommand } from './command.js';

interface ScoreOptions {
  readonly dataset: string;
  readonly predictions: string;
  readonly v2?: true;
}

export const score: CliCommand = {
  name: 'score',
  summary: 'official SQuAD exact match and F1 of a prediction file',
  declare: (command) =>
    command
      .requiredOption(
        '--dataset <file>',
        'SQuAD questions with gold answers: official JSON (or .gz), or Parquet',
      )
      .requiredOption('--predictions <file>', 'JSON object {question id: answer} (or .gz)')
      .option('--v2', 'read and score by the rules of SQuAD v2.0 (questions without an answer)'),
  async run({ options, logger }) {
    const { dataset, predictions, v2 } = options as unknown as ScoreOptions;
    const { loadSquad } = await import('../data/index.js');
    const { readPredictions, scoreSquad } = await import('../evaluation/scoring/index.js');

    const version = v2 === true ? '2.0' : '1.1';
    const { examples } = await loadSquad(dataset, version);
    const answers = readPredictions(predictions);
    const result = scoreSquad(examples, answers, version);
    if (result.missing.length > 0) {
      const [first] = result.missing;
      logger.warn(`${result.missing.length} of ${result.total} questions have no prediction; each scores 0`, {
        first,
      });
    }
    const foreign = answers.size - (result.total - result.missing.length);
    if (foreign > 0) logger.warn(`${foreign} predictions are for questions that ${dataset} does not have`);

    const halves = { HasAns: result.answerable, NoAns: result.unanswerable };
    return {
      json: {
        exact_match: result.exactMatch,
        f1: result.f1,
        total: result.total,
        // The names that evaluate-v2.0.py prints.
        ...Object.fromEntries(
          Object.entries(halves).flatMap(([name, half]) => (half ? named(name, half) : [])),
        ),
      } satisfies JsonRecord,
      text: [
        `exact match  ${result.exactMatch.toFixed(2)}`,
        `F1           ${result.f1.toFixed(2)}`,
        `questions    ${result.total}`,
      ].join('\n'),
    };
  },
};

function named(name: string, half: ScoreSummary): [string, number][] {
  return [
    [`${name}_exact`, half.exactMatch],
    [`${name}_f1`, half.f1],
    [`${name}_total`, half.total],
  ];
}
