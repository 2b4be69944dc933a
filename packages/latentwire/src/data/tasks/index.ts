/** What each dataset asks for: templates, labels and rules of scoring. */
export { AGNEWS_LABELS, BOOLQ_LABELS, SST2_LABELS, type TaskName, TREC_LABELS, taskOf } from './catalogue.js';
export { labelsOf, type Scoring, type Task } from './task.js';
export { EXTRACTIVE, type PromptTemplate } from './template.js';
