/**
 * The words around the context and the question of a task. Plain data, so that it can stand in cache keys; how they
 * become a prompt (plain lines or a chat message) is decided by the wire's prompt format.
 */
export interface PromptTemplate {
  /** Right before the context, on its line. */
  readonly before: string;
  /** Stands before the question; null for tasks that ask the same of every context. */
  readonly questionLabel: string | null;
  /** Right before the answer. */
  readonly anchor: string;
  /** What chat models are told besides. */
  readonly instruction: string;
}

/** Questions about a context, answered by a few of its words. */
export const EXTRACTIVE: PromptTemplate = {
  before: 'Context:',
  questionLabel: 'Question:',
  anchor: 'Answer:',
  instruction: 'Answer with a short phrase from the context.',
};
