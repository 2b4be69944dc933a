import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { tinyEvaluation } from '../training/tiny-evaluation.fixture.js';
import { answerTokens } from '../wire/index.js';
import type { AnswerSource } from './answer-source.js';
import { jointAnswers, jointName } from './joint-rescoring.js';
import { answerLikelihoods } from './likelihood.js';

const { readers } = tinyEvaluation().session;
const prompts = ['who was it', 'when', 'where is that'];
const sources: AnswerSource[] = [];
for (const reader of readers) {
  const ids = await reader.tokenizer.encodeBatch(prompts);
  sources.push({
    ...{ mode: 'latent', reader, latents: 0, prefix: null, contextPositions: [], messageBytes: null },
    rows: ids.map((row) => [{ kind: 'tokens', ids: row }]),
  });
}
const candidates = [
  ['a b', 'x y', 'c d'],
  ['c d e', 'a b', 'c d'],
];

describe('joint rescoring', () => {
  it('takes the answer with the highest sum over models of mean log p per token', async () => {
    const joint = await jointAnswers(sources, [0, 1, 2], (source, i) => candidates[source]![i]!);
    for (const i of [0, 1]) {
      const scores = [0, 0];
      for (const source of sources) {
        for (const c of [0, 1]) {
          const targets = await answerTokens(source.reader, [candidates[c]![i]!], 99);
          const [likelihood] = t.noGrad(() =>
            answerLikelihoods(source.reader, [source.rows[i]!], targets, 0, null),
          );
          scores[c]! -= likelihood!.nll / likelihood!.tokens;
        }
      }
      scores.forEach((score, c) => {
        expect(joint[i]!.scores[c]).toBeCloseTo(score, 4);
      });
      expect(joint[i]!.prediction).toBe(candidates[scores[0]! >= scores[1]! ? 0 : 1]![i]);
    }
  });

  it('asks nobody where all agree after normalisation', async () => {
    const silent = sources.map((source) => ({
      ...source,
      prefix: () => {
        throw new Error('asked');
      },
    }));
    const [answer] = await jointAnswers(silent, [1], () => 'a  B');
    expect(answer).toEqual({ prediction: 'a  B', scores: [0, 0] });
    expect(jointName(sources)).toBe('tiny-0+tiny-1');
  });
});
