/** How each published dataset is read. */
import { agnews } from './agnews.js';
import { boolq } from './boolq.js';
import { gsm8k } from './gsm8k.js';
import { hotpot } from './hotpot.js';
import type { Source } from './source.js';
import { sst2 } from './sst2.js';
import { trec } from './trec.js';

export { readSource, type Source } from './source.js';

/** Datasets read record by record; SQuAD, a tree, has a loader of its own. */
export const SOURCES = { hotpot, gsm8k, sst2, agnews, trec, boolq } as const satisfies Record<string, Source>;
