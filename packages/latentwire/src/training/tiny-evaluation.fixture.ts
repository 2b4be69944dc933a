/** A session of two tiny random models with a tokenizer of letters: a whole evaluation in a fraction of a second. */
import * as t from '@latentwire/torch';
import { applyAssignments, type RunConfig } from '../config/index.js';
import { contextIdOf, type Example } from '../data/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import type { PreparedData } from './prepare.js';
import { prepareData } from './prepare.js';
import type { Session } from './session.js';
import { LATENTS, tinySession } from './tiny-session.fixture.js';

/** Ids 2–31 by the letter's code; decoding gives letters, and a space for some, so that answers have words. */
const letters: Tokenizer = {
  vocabSize: 32,
  special: { bosId: null, eosIds: [1], padId: null },
  digest: 'letters',
  encodeBatch: async (texts) =>
    texts.map((text) => Int32Array.from(text, (letter) => 2 + (letter.codePointAt(0)! % 30))),
  decode: async (ids) =>
    Array.from(ids, (id) => (id % 4 === 0 ? ' ' : String.fromCharCode(97 + (id % 26)))).join(''),
  tokenId: () => undefined,
};

export const QUESTIONS = 7;

/** Contexts of different length, two questions of the same one; some questions have several golds, one has none. */
export function examples(): Example[] {
  return Array.from({ length: QUESTIONS }, (_, i) => {
    const context = `the ${'lamp '.repeat(1 + (i % 4))}was lit in ${1850 + Math.floor(i / 2) * 2}`;
    const answers = i === 3 ? [] : i % 2 === 0 ? [`${1850 + i}`] : [`lit ${i}`, 'b d f'];
    return {
      id: `q${i}`,
      context,
      question: `when ${'x'.repeat(i)}`,
      answers,
      title: '',
      contextId: contextIdOf(context),
    };
  });
}

export interface TinyEvaluation {
  readonly session: Session;
  prepare(questions: readonly Example[]): Promise<PreparedData>;
}

export function tinyEvaluation(settings: Readonly<Record<string, unknown>> = {}): TinyEvaluation {
  const { wire, data } = tinySession(5, 0, 2);
  const readers = data.readers.map(({ reader }) => ({ ...reader, tokenizer: letters }));
  const config: RunConfig = applyAssignments(
    Object.entries({
      'wire.latent_len': LATENTS,
      'wire.d_z': 8,
      'adapter.hidden': 16,
      'evaluation.eval_batch_size': 3,
      'evaluation.max_new_tokens': 4,
      ...settings,
    }).map(([path, value]) => ({ path, value, origin: 'test' })),
  );
  const root = new t.random.RandomRoot(1);
  const session: Session = {
    ...{ config, device: 'cpu', root, readers, wire },
    encoderTokenizer: letters,
    parameters: 0,
  };
  return {
    session,
    prepare: (questions) =>
      prepareData(questions, {
        encoderTokenizer: letters,
        readers,
        maxContextTokens: 64,
        maxAnswerTokens: null,
        reconstruction: false,
      }),
  };
}
