/** What is drawn anew in each optimiser step. Element by element from counters, so a resumed run draws the same. */
import type { random } from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';

export interface StepDraws {
  /** Readers of a step (from 0): all of them, or one. */
  readers(step: number): readonly number[];
  /** Whether an example's context is continued, not repeated, in a step. */
  continues(step: number, example: number): boolean;
  /** Part [start, end) of a text of `length` tokens that is supervised when it is repeated or continued. */
  readingWindow(step: number, example: number, length: number): readonly [start: number, end: number];
  /** Whether a step with answers has the text repeated or continued too. */
  reads(step: number): boolean;
  /** Times as many latents as the wire has that the readers of a step get. */
  expansion(step: number): number;
}

export function stepDraws(
  { training, objective }: Pick<RunConfig, 'training' | 'objective'>,
  root: random.RandomRoot,
  readers: number,
): StepDraws {
  const decoder = root.stream('decoder-of-step');
  const reading = root.stream('reading-of-step');
  const all = Array.from({ length: readers }, (_, k) => k);
  const repeated = objective.reconstruction_share;
  const window = root.stream('reading-window-of-step');
  const beside = root.stream('reading-beside-answers');
  const finer = root.stream('expansion-of-step');
  const expansions = training.train_expansions.split(',').map(Number);
  const longest = objective.reading_tokens ?? Number.POSITIVE_INFINITY;
  // 2^20 examples per step before two draws share a number; steps up to 2^33 stay exact.
  const drawOf = (step: number, example: number): number => step * 2 ** 20 + (example % 2 ** 20);
  return {
    readers: (step) => (training.decoders_per_step === 'all' ? all : [decoder.integerAt(step, readers)]),
    continues: (step, example) => repeated < 1 && reading.uniformAt(drawOf(step, example)) >= repeated,
    readingWindow: (step, example, length) => {
      if (length <= longest) return [0, length];
      const start = window.integerAt(drawOf(step, example), length - longest + 1);
      return [start, start + longest];
    },
    reads: (step) => objective.reading_share >= 1 || beside.uniformAt(step) < objective.reading_share,
    expansion: (step) => expansions[expansions.length > 1 ? finer.integerAt(step, expansions.length) : 0]!,
  };
}
