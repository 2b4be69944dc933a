import { describe, expect, it } from 'vitest';
import { taskOf } from '../../data/index.js';
import { macroF1 } from './macro-f1.js';
import { finalNumber, scorerOf } from './score-rules.js';

describe('the rules of a task', () => {
  it('of hotpot let yes and no match themselves only', () => {
    const score = scorerOf({ kind: 'hotpot' });
    expect(score('Yes.', ['yes'])).toEqual({ exactMatch: 1, f1: 1 });
    expect(score('yes he did', ['yes'])).toEqual({ exactMatch: 0, f1: 0 });
    expect(score('no', ['no one'])).toEqual({ exactMatch: 0, f1: 0 });
    expect(score('the river Odra', ['Odra'])).toEqual({ exactMatch: 0, f1: 2 / 3 });
  });

  it('of classification want the label, in any case and punctuation', () => {
    const score = scorerOf(taskOf('sst2').scoring);
    expect(score('Positive.', ['positive']).exactMatch).toBe(1);
    expect(score('very positive', ['positive']).exactMatch).toBe(0);
    expect(scorerOf(taskOf('trec').scoring)('num', ['NUM']).exactMatch).toBe(1);
    expect(scorerOf(taskOf('boolq').scoring)('', ['no']).exactMatch).toBe(0);
  });

  it('of gsm8k compare final numbers', () => {
    const score = scorerOf(taskOf('gsm8k').scoring);
    const gold = 'She sold 48+24 = <<48+24=72>>72 clips.\n#### 1,072';
    expect(score('So 48 + 24 = 1072.', [gold]).exactMatch).toBe(1);
    expect(score('#### 1,072.00 and not 5', [gold]).exactMatch).toBe(1);
    expect(score('1073', [gold]).exactMatch).toBe(0);
    expect(score('no idea', [gold]).exactMatch).toBe(0);
  });

  it('of both SQuADs are the official ones', () => {
    expect(scorerOf(taskOf('squad').scoring)('', ['x'])).toEqual({ exactMatch: 0, f1: 0 });
    expect(scorerOf(taskOf('squad_v2').scoring)('', [])).toEqual({ exactMatch: 1, f1: 1 });
  });
});

describe('the final number', () => {
  it.each([
    ['#### 36', 36],
    ['x #### -3.50', -3.5],
    ['1,234,567', 1234567],
    ['costs $.75', 0.75],
    ['3 and 4.', 4],
    ['range 5-7', -7],
    ['none', null],
  ])('of %j is %j', (text, number) => expect(finalNumber(text)).toBe(number));
});

describe('macro F1', () => {
  // sklearn.metrics.f1_score(gold, given, labels=[...], average='macro', zero_division=0)
  it('agrees with scikit-learn', () => {
    const gold = ['a', 'a', 'b', 'b', 'c', 'c', 'c'];
    const given = ['a', 'b', 'b', 'b', 'c', 'nothing', 'a'];
    const pairs = gold.map((g, i) => ({ gold: g, prediction: given[i]! }));
    expect(macroF1(['a', 'b', 'c', 'd'], pairs)).toBeCloseTo((0.5 + 0.8 + 0.5 + 0) / 4, 12);
  });
});
