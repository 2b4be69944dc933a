/** What takes most memory: the longest texts, and of each kind of step of a schedule the one with most latents. */
import type { PreparedData } from '../prepare.js';
import { expanded, type Stage, type StagePlan, stageAt } from '../stages.js';

/**
 * Examples that make a large batch: first the one that is longest in each respect, since rows are padded to the longest;
 * then by length. Texts that questions share are encoded once, so different texts come first.
 */
export function longestExamples(data: PreparedData, count: number): number[] {
  const lists = [
    data.contexts,
    data.firstParts,
    ...data.readers.flatMap((reader) => [
      reader.tails,
      reader.targets,
      reader.texts,
      reader.repeat?.targets ?? null,
      reader.continuation,
    ]),
  ].filter((list) => list !== null && list.length > 0) as (readonly (Int32Array | null)[])[];
  const lengths = data.contexts.map((_, i) => lists.reduce((sum, list) => sum + (list[i]?.length ?? 0), 0));
  const byLength = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const extremes = lists.map((list) =>
    byLength.reduce(
      (most, i) => ((list[i]?.length ?? 0) > (list[most]?.length ?? 0) ? i : most),
      byLength[0]!,
    ),
  );
  const seen = new Set<Int32Array>();
  const [first, again]: [number[], number[]] = [[], []];
  for (const i of new Set([...extremes, ...byLength])) {
    const text = data.contexts[i]!;
    (seen.has(text) ? again : first).push(i);
    seen.add(text);
  }
  return [...first, ...again].slice(0, count);
}

/** One stage per set of terms, with the most latents that it will have. @param expansions see `--train-expansions` */
export function heaviestStages(plan: StagePlan, expansions: readonly number[]): Stage[] {
  const heaviest = new Map<string, Stage>();
  for (let i = 0; i < PLACES; i++) {
    for (const factor of expansions) {
      const stage = expanded(stageAt(plan, i / PLACES), factor);
      const terms = Object.entries(stage.weights).filter(([, weight]) => weight > 0);
      const key = terms.map(([name]) => name).join();
      if (stage.expansion > (heaviest.get(key)?.expansion ?? 0)) heaviest.set(key, stage);
    }
  }
  return [...heaviest.values()];
}

/** Places of the schedule that are looked at: finer than any stage. */
const PLACES = 512;
