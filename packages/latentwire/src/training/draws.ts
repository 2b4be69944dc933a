/** What is drawn anew in each optimiser step. Element by element from counters, so a resumed run draws the same. */
import type { random } from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';

export interface StepDraws {
  /** Readers of a step (from 0): all of them, or one. */
  readers(step: number): readonly number[];
  /** Whether an example's context is continued, not repeated, in a step. */
  continues(step: number, example: number): boolean;
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
  return {
    readers: (step) => (training.decoders_per_step === 'all' ? all : [decoder.integerAt(step, readers)]),
    // 2^20 examples per step before two draws share a number; steps up to 2^33 stay exact.
    continues: (step, example) =>
      repeated < 1 && reading.uniformAt(step * 2 ** 20 + (example % 2 ** 20)) >= repeated,
  };
}
