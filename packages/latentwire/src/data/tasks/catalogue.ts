/**
 * The tasks by dataset name. Templates follow the original's data loaders (Context/Question for reading, one line of
 * instruction and an anchor for classification), with the text that the wire carries always in the context's place.
 */
import type { Task } from './task.js';
import { EXTRACTIVE, type PromptTemplate } from './template.js';

/** Label words in the order of the label ids of the published files. */
export const SST2_LABELS = ['negative', 'positive'] as const;
/** AG News classes 1–4 (ids 0–3 on the hub). */
export const AGNEWS_LABELS = ['world', 'sports', 'business', 'science'] as const;
/** The coarse classes of TREC, in the order of the ids of CogComp/trec; they are read by name. */
export const TREC_LABELS = ['ABBR', 'ENTY', 'DESC', 'HUM', 'LOC', 'NUM'] as const;
export const BOOLQ_LABELS = ['no', 'yes'] as const;

export const TASKS = {
  squad: reading({ kind: 'squad', version: '1.1' }),
  squad_v2: reading({ kind: 'squad', version: '2.0' }, 'If the context does not say, answer nothing.'),
  facts: reading({ kind: 'squad', version: '1.1' }),
  hotpot: reading({ kind: 'hotpot' }, 'Yes and no are answers too.'),
  boolq: classifying(BOOLQ_LABELS, {
    ...EXTRACTIVE,
    anchor: 'Answer (yes or no):',
    instruction: 'Answer with yes or no.',
  }),
  sst2: classifying(SST2_LABELS, {
    before: "Classify sentiment as 'positive' or 'negative':",
    questionLabel: null,
    anchor: 'Sentiment:',
    instruction: 'Answer with one word, positive or negative.',
  }),
  agnews: classifying(AGNEWS_LABELS, {
    before: 'Article:',
    questionLabel: null,
    anchor: 'Topic (world, sports, business, or science):',
    instruction: 'Answer with the topic of the article in one word: world, sports, business or science.',
  }),
  trec: classifying(TREC_LABELS, {
    before: 'Question:',
    questionLabel: null,
    anchor: 'Answer type (ABBR, ENTY, DESC, HUM, LOC or NUM):',
    instruction:
      'Do not answer the question. Say what it asks for: ABBR (abbreviation), ENTY (thing), DESC (description), HUM (person), LOC (place) or NUM (number).',
  }),
  gsm8k: {
    template: {
      before: 'Question:',
      questionLabel: null,
      anchor: 'Answer:',
      instruction: 'Reason step by step. End with a line of #### and the number.',
    },
    scoring: { kind: 'final-number' },
    multiline: true,
  },
} as const satisfies Record<string, Task>;

/** A dataset that has a task. */
export type TaskName = keyof typeof TASKS;

export function taskOf(name: TaskName): Task {
  return TASKS[name];
}

function reading(scoring: Task['scoring'], more?: string): Task {
  const instruction = more === undefined ? EXTRACTIVE.instruction : `${EXTRACTIVE.instruction} ${more}`;
  return { template: { ...EXTRACTIVE, instruction }, scoring, multiline: false };
}

function classifying(labels: readonly string[], template: PromptTemplate): Task {
  return { template, scoring: { kind: 'label', labels }, multiline: false };
}
