/** What a dataset asks for: how a question is put and how an answer is judged. */
import type { PromptTemplate } from './template.js';

/** Rules by which an answer is judged; all of them compare with every gold answer and take the best. */
export type Scoring =
  /** Official SQuAD exact match and F1; '2.0' knows questions without an answer. */
  | { readonly kind: 'squad'; readonly version: '1.1' | '2.0' }
  /** Official HotpotQA answer scores: SQuAD's, but yes, no and "noanswer" match themselves only. */
  | { readonly kind: 'hotpot' }
  /** The label exactly, after SQuAD's normalisation. */
  | { readonly kind: 'label'; readonly labels: readonly string[] }
  /** The number behind "####", else the last number (GSM8K). */
  | { readonly kind: 'final-number' };

export interface Task {
  readonly template: PromptTemplate;
  readonly scoring: Scoring;
  /** The answer may have several lines; otherwise the first line is the answer. */
  readonly multiline: boolean;
}

/** Label words of a classification task in the order of their ids; null for other tasks. */
export function labelsOf(task: Task): readonly string[] | null {
  return task.scoring.kind === 'label' ? task.scoring.labels : null;
}
