import { describe, expect, it } from 'vitest';
import { LatentWireError } from '../../errors.js';
import { type FactsExample, factsExample } from './facts-example.js';
import { loadFacts } from './load-facts.js';
import { type EntityKind, namePool } from './names.js';

const KINDS: readonly EntityKind[] = ['person', 'town'];
const names = (kind: EntityKind, split: 'train' | 'dev') => {
  const pool = namePool(kind, split);
  return Array.from({ length: pool.size }, (_, i) => pool.at(i));
};
const examples = (split: 'train' | 'dev', count: number): FactsExample[] =>
  Array.from({ length: count }, (_, i) => factsExample(split, 5, i));

describe('names', () => {
  it.each(KINDS)('of kind %s belong to one split only, and none is spelt twice', (kind) => {
    const train = names(kind, 'train');
    const dev = names(kind, 'dev');
    expect(dev.length).toBeGreaterThan(150);
    expect(new Set([...train, ...dev]).size).toBe(train.length + dev.length);
  });

  it('of people and towns are never the same word', () => {
    const people = new Set([...names('person', 'train'), ...names('person', 'dev')]);
    const towns = [...names('town', 'train'), ...names('town', 'dev')];
    expect(towns.filter((town) => people.has(town))).toEqual([]);
  });

  it('of dev are made of beginnings that train has seen', () => {
    for (const kind of KINDS) {
      const pools = [namePool(kind, 'train'), namePool(kind, 'dev')] as const;
      const [train, dev] = pools.map(
        (pool) => new Set(Array.from({ length: pool.size }, (_, i) => pool.beginningOf(i))),
      );
      expect([...dev!].filter((beginning) => !train!.has(beginning))).toEqual([]);
    }
  });
});

describe('factsExample', () => {
  it('is the same for the same arguments and differs in every one of them', () => {
    const base = factsExample('train', 1, 7);
    expect(factsExample('train', 1, 7)).toEqual(base);
    const others = [factsExample('train', 1, 8), factsExample('train', 2, 7), factsExample('dev', 1, 7)];
    for (const other of others) expect(other.context).not.toBe(base.context);
  });

  it('uses only names of its own split, in contexts, questions and answers', () => {
    const foreign = new Set(KINDS.flatMap((kind) => names(kind, 'dev')));
    for (const { context, qa } of examples('train', 300)) {
      const words = [context, ...qa.flatMap((q) => [q.question, q.answer])].join(' ').split(/[^\p{L}]+/u);
      expect(words.filter((word) => foreign.has(word))).toEqual([]);
    }
  });

  it('asks only what the context answers, and each question once', () => {
    for (const { context, qa } of examples('dev', 300)) {
      for (const { answer } of qa) expect(context).toContain(answer);
      expect(new Set(qa.map(({ question }) => question)).size).toBe(qa.length);
    }
  });

  it('retells the same facts in other words', () => {
    for (const { context, retold, qa } of examples('dev', 200)) {
      for (const { answer } of qa) expect(retold).toContain(answer);
      const told = new Set(context.split('. ').map((sentence) => sentence.replace(/\.$/, '')));
      const again = retold.split('. ').map((sentence) => sentence.replace(/\.$/, ''));
      expect(again.length).toBe(told.size);
      expect(again.filter((sentence) => told.has(sentence))).toEqual([]);
    }
  });

  it('names the person in no two-hop question', () => {
    for (const { context, qa } of examples('dev', 200)) {
      const people = new Set(qa.filter(({ kind }) => kind === 'name').map(({ answer }) => answer));
      expect(people.size).toBe(2);
      for (const { kind, question } of qa) {
        if (kind === 'two_hop') for (const name of people) expect(question).not.toContain(name);
      }
      for (const name of people) expect(context).toContain(name);
    }
  });

  it('has 30 to 60 words and all four kinds of question by default', () => {
    const some = examples('train', 300);
    for (const { context } of some) {
      const words = context.split(' ').length;
      expect(words).toBeGreaterThanOrEqual(30);
      expect(words).toBeLessThanOrEqual(60);
    }
    expect(new Set(some.flatMap(({ qa }) => qa.map(({ kind }) => kind)))).toEqual(
      new Set(['attribute', 'name', 'colour', 'two_hop']),
    );
  });

  it('reaches any index at once', () => {
    expect(factsExample('train', 0, 2 ** 40).qa.length).toBeGreaterThan(0);
  });
});

describe('loadFacts', () => {
  it('gives examples as SQuAD does: several questions share a context and its id', () => {
    const { examples: loaded, sources } = loadFacts({ split: 'dev', samples: 40, seed: 3 });
    expect(loaded).toHaveLength(40);
    expect(sources).toEqual([]);
    expect(new Set(loaded.map(({ id }) => id)).size).toBe(40);
    expect(new Set(loaded.map(({ contextId }) => contextId)).size).toBe(10);
    for (const { context, answers } of loaded) expect(context).toContain(answers[0]);
  });

  it('makes a smaller dataset a prefix of a larger one', () => {
    const large = loadFacts({ split: 'train', samples: 50 }).examples;
    expect(loadFacts({ split: 'train', samples: 21 }).examples).toEqual(large.slice(0, 21));
  });

  it('has a digest that changes with the seed', () => {
    const digest = (seed: number) => loadFacts({ split: 'dev', samples: 8, seed }).digest;
    expect(digest(1)).toBe(digest(1));
    expect(digest(1)).not.toBe(digest(2));
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses %s samples', (samples) => {
    expect(() => loadFacts({ split: 'dev', samples })).toThrow(LatentWireError);
  });
});
