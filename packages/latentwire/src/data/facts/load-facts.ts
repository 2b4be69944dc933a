/** The fact corpus as a dataset, in the form in which SQuAD comes. */
import { LatentWireError } from '../../errors.js';
import { contextIdOf, type Dataset, digestExamples, type Example } from '../example.js';
import type { Split } from '../locate.js';
import { type FactsShape, factsExample, type QuestionKind } from './facts-example.js';

export interface LoadFactsOptions {
  readonly split: Split;
  /** Number of questions. */
  readonly samples: number;
  /** Default 0. */
  readonly seed?: number;
  /** Questions asked of one context. Default 4. */
  readonly questionsPerContext?: number;
  readonly shape?: FactsShape;
  /** Kinds of question to ask. Default: all. */
  readonly kinds?: readonly QuestionKind[];
}

/**
 * The first `samples` questions of a split. A smaller dataset is a prefix of a larger one.
 * @throws LatentWireError `input` when a number is out of range.
 */
export function loadFacts(options: LoadFactsOptions): Dataset {
  const { split, samples, seed = 0, questionsPerContext = 4, shape = {}, kinds } = options;
  checkCount('samples', samples);
  checkCount('questionsPerContext', questionsPerContext);
  const examples: Example[] = [];
  for (let i = 0; examples.length < samples; i++) {
    const { context, qa } = factsExample(split, seed, i, shape);
    const asked = kinds === undefined ? qa : qa.filter(({ kind }) => kinds.includes(kind));
    const contextId = contextIdOf(context);
    for (const [j, { question, answer, kind }] of asked.slice(0, questionsPerContext).entries()) {
      if (examples.length === samples) break;
      const id = `facts-${split}-${seed}-${i}-${j}`;
      examples.push({ id, context, question, answers: [answer], title: kind, contextId });
    }
  }
  return { examples, digest: digestExamples(examples), sources: [] };
}

function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new LatentWireError(`expected ${name} to be an integer ≥ 1, got ${value}`, { code: 'input' });
}
