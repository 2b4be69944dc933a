/**
 * The batch of one step of pretraining, composed in worker threads while the device computes: facts are made, tokenised and
 * padded. Knows no weights.
 */
import { random } from '@latentwire/torch';
import { type FactsExample, type FactsStyle, factsExample } from '../data/facts/index.js';
import type { Composer } from '../data/loader/index.js';
import { loadTokenizer } from '../models/index.js';
import { silentLogger } from '../telemetry/index.js';
import { PromptFormat, type PromptReader } from '../wire/index.js';
import {
  answerBatch,
  type BatchFormat,
  contextNoise,
  type FactsBatch,
  type PartWeights,
  repeatBatch,
  retellBatch,
} from './batch.js';
import type { Lesson } from './curriculum.js';
import { modelDesign } from './model-designs.js';
import { rememberPieces } from './piece-tokenizer.js';

/** Given to each thread once. */
export interface LessonData {
  readonly design: string;
  /** Folder with the tokenizer. */
  readonly folder: string;
  readonly seed: number;
  /** Contexts per step at full length. */
  readonly contexts: number;
  readonly questions: number;
  readonly style: FactsStyle;
  /** Most noise on the embeddings of a context; 0: none. */
  readonly noise: number;
  /** What sizes are rounded up to; 1: nothing. */
  readonly multiple: number;
}

export interface LessonRequest {
  readonly step: number;
  readonly lesson: Lesson;
}

const PART_WEIGHTS: PartWeights = { context: 0.1, question: 0.1 };

/** What the prompts of a design need, without its weights. */
export async function designReader(name: string, folder: string): Promise<PromptReader> {
  const { config, tokenizer } = modelDesign(name);
  return {
    tokenizer: rememberPieces(
      await loadTokenizer(folder, { logger: silentLogger }),
      new RegExp(tokenizer.pattern, 'gu'),
    ),
    format: new PromptFormat({ renderChat: null, stopIds: config.eosIds, bosId: config.bosId }),
  };
}

/** See `ComposingModule`. */
export function createComposer(data: LessonData): Composer<LessonRequest, FactsBatch> {
  const reader = designReader(data.design, data.folder);
  const noise = new random.RandomRoot(data.seed).stream('noise');
  return async ({ step, lesson }) => {
    // Crowded early batches hold up to three times the contexts of late ones.
    const first = step * 4 * data.contexts;
    const shape = { ...lesson.shape, style: data.style };
    const examples = Array.from(
      { length: lesson.contexts },
      (_, i): FactsExample => factsExample('train', data.seed, first + i, shape),
    );
    const format = { weights: PART_WEIGHTS, multiple: data.multiple };
    const batch = await lessonBatch(await reader, lesson.task, examples, data.questions, format);
    if (data.noise === 0) return batch;
    return { ...batch, noise: contextNoise(batch.contexts, noise.cursor(step * 2 ** 20), data.noise) };
  };
}

function lessonBatch(
  reader: PromptReader,
  task: Lesson['task'],
  examples: readonly FactsExample[],
  questions: number,
  format: BatchFormat,
): Promise<FactsBatch> {
  switch (task) {
    case 'answer':
      return answerBatch(reader, examples, questions, format);
    case 'repeat':
      return repeatBatch(reader, examples, format);
    case 'retell':
      return retellBatch(reader, examples, format);
  }
}
