/** Baselines that read tokens: the whole text, M tokens of it, or none. */
import type { random } from '@latentwire/torch';
import {
  contextTokens,
  fullPromptTokens,
  headTokens,
  type Reader,
  type Segment,
  tailTokens,
} from '../wire/index.js';
import type { BaselineInputs, BaselineRows, BudgetMode } from './baseline.js';

/** The whole prompt as one text, tokenised in one piece. */
export async function textRows({ reader, examples }: BaselineInputs): Promise<BaselineRows> {
  const prompts = await fullPromptTokens(reader, examples);
  return text(
    prompts.map((ids) => [{ kind: 'tokens', ids }]),
    await contextsOf(reader, examples),
  );
}

/** The question alone. */
export async function noContextRows({ reader, examples }: BaselineInputs): Promise<BaselineRows> {
  const contexts = examples.map(() => new Int32Array());
  return text(await promptRows(reader, examples, contexts), contexts);
}

/** At most M tokens of the context: its first, its last, or random ones in their order. */
export async function tokenBudgetRows(inputs: BaselineInputs): Promise<BaselineRows> {
  const { reader, examples, positions, budgetMode, root } = inputs;
  const stream = root.stream('token-budget');
  const contexts = (await contextsOf(reader, examples)).map((ids, i) =>
    // One child stream per context, so that a subset of the examples keeps the same tokens.
    keepTokens(ids, positions, budgetMode, () => stream.child(examples[i]!.contextId)),
  );
  return text(await promptRows(reader, examples, contexts), contexts);
}

/** @param stream asked for in mode `random` only */
export function keepTokens(
  ids: Int32Array,
  budget: number,
  mode: BudgetMode,
  stream: () => random.RandomStream,
): Int32Array {
  if (ids.length <= budget) return ids;
  if (mode === 'first') return ids.subarray(0, budget);
  if (mode === 'last') return ids.subarray(ids.length - budget);
  const source = stream();
  const drawn = Array.from(ids, (_, place) => ({ place, key: source.uniformAt(place) }));
  drawn.sort((a, b) => a.key - b.key || a.place - b.place);
  const places = drawn.slice(0, budget).map(({ place }) => place);
  return Int32Array.from(
    places.sort((a, b) => a - b),
    (place) => ids[place]!,
  );
}

/** The contexts in the reader's tokens, as they stand in its prompt. */
export async function contextsOf(
  reader: Reader,
  examples: BaselineInputs['examples'],
): Promise<readonly Int32Array[]> {
  return contextTokens(
    reader,
    examples.map((e) => e.context),
  );
}

async function promptRows(
  reader: Reader,
  examples: BaselineInputs['examples'],
  contexts: readonly Int32Array[],
): Promise<Segment[][]> {
  const head = await headTokens(reader);
  const tails = await tailTokens(
    reader,
    examples.map((e) => e.question),
  );
  return contexts.map((ids, i) => [
    { kind: 'tokens', ids: head },
    { kind: 'tokens', ids },
    { kind: 'tokens', ids: tails[i]! },
  ]);
}

function text(rows: Segment[][], contexts: readonly Int32Array[]): BaselineRows {
  return { rows, latents: 0, prefix: null, contextPositions: contexts.map((ids) => ids.length) };
}
