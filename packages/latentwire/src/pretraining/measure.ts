/** Exact match and F1 on held-out questions, through the evaluator that also scores latents. */
import { random } from '@latentwire/torch';
import { baselineRows } from '../baselines/index.js';
import { type FactsShape, loadFacts } from '../data/facts/index.js';
import { evaluateRows } from '../evaluation/index.js';
import type { Reader } from '../wire/index.js';

export interface FactsScore {
  /** 0 to 1 */
  readonly em: number;
  /** 0 to 1 */
  readonly f1: number;
  readonly questions: number;
  /** F1 by kind of question. */
  readonly f1ByKind: Readonly<Record<string, number>>;
}

/** Seed of held-out contexts; training uses the train split and other seeds. */
const HELD_OUT_SEED = 1_000_003;
const MAX_ANSWER_TOKENS = 12;

/** Greedy answers to the first `questions` questions of the dev split, with the context as text or without it. */
export async function measureFacts(
  reader: Reader,
  mode: 'text_only' | 'no_context',
  questions: number,
  shape: FactsShape = {},
): Promise<FactsScore> {
  const { examples } = loadFacts({ split: 'dev', samples: questions, seed: HELD_OUT_SEED, shape });
  const { rows } = await baselineRows(mode, {
    ...{ reader, examples, positions: 0, latentWidth: 1, budgetMode: 'first' },
    root: new random.RandomRoot(0),
  });
  const result = await evaluateRows(reader, examples, rows, {
    batchSize: 128,
    maxNewTokens: MAX_ANSWER_TOKENS,
    version: '1.1',
  });
  const byKind = new Map<string, number[]>();
  examples.forEach(({ title }, i) => {
    const scores = byKind.get(title) ?? [];
    scores.push(result.answers[i]!.f1);
    byKind.set(title, scores);
  });
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return {
    em: result.em,
    f1: result.f1,
    questions: result.n,
    f1ByKind: Object.fromEntries([...byKind].sort().map(([kind, scores]) => [kind, mean(scores)])),
  };
}
