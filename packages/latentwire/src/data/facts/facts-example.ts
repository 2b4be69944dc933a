/**
 * The fact corpus: short English contexts about a few people, with questions that only the context can answer.
 * Example i of a split is a pure function of (split, seed, i), made in constant time; nothing is stored on disk.
 */
import { random } from '@latentwire/torch';
import type { Split } from '../locate.js';
import { drawDistinct, drawPeople, type Person, TOPICS, type Topic } from './people.js';
import { ASK_COLOUR, WORDINGS } from './phrases.js';

/** What a question asks for; two_hop: an attribute of a person who is described by another fact. */
export type QuestionKind = 'attribute' | 'name' | 'colour' | 'two_hop';

export interface FactQuestion {
  readonly question: string;
  readonly answer: string;
  readonly kind: QuestionKind;
}

export interface FactsExample {
  readonly context: string;
  /** All different, in random order. */
  readonly qa: readonly FactQuestion[];
  /** The facts of the context in other words and another order. */
  readonly retold: string;
}

/** Size of a context. */
export interface FactsShape {
  /** People the context tells of. Default 2. */
  readonly people?: number;
  /** Facts told of each, 1–5. Default 3. */
  readonly facts?: number;
  /** plain: short sentences (default); prose: longer ones among them, in which the fact is a smaller part. */
  readonly style?: FactsStyle;
}

export type FactsStyle = 'plain' | 'prose';

/** Numbers that one example may draw: example i owns this many places of its stream. */
const DRAWS = 1024;

/** Context and questions number `index` ≥ 0 of a split. */
export function factsExample(
  split: Split,
  seed: number,
  index: number,
  shape: FactsShape = {},
): FactsExample {
  const { people: count = 2, facts: perPerson = 3, style = 'plain' } = shape;
  const draw = new random.RandomRoot(seed)
    .stream(`facts/${split}/${count}x${perPerson}`)
    .cursor(index * DRAWS);
  const people = drawPeople(split, count, draw);
  // The same topics of everyone: what is asked for never tells who is meant.
  const topics = drawDistinct(TOPICS, perPerson, draw);
  const facts = people.flatMap((person) => topics.map((topic) => ({ person, topic })));
  const told = facts.map(({ person, topic }) => {
    const { state, prose } = WORDINGS[topic];
    const [first, second] = drawDistinct(style === 'plain' ? state : [...state, ...prose], 2, draw);
    return { first: first!(person), second: second!(person) };
  });
  const questions = people.flatMap((person) => questionsAbout(person, topics, draw));
  return {
    context: shuffled(told, draw)
      .map(({ first }) => first)
      .join(' '),
    qa: shuffled(questions, draw),
    retold: shuffled(told, draw)
      .map(({ second }) => second)
      .join(' '),
  };
}

function questionsAbout(person: Person, topics: readonly Topic[], draw: random.RandomCursor): FactQuestion[] {
  const questions: FactQuestion[] = [];
  topics.forEach((topic, i) => {
    const { ask, value, askName } = WORDINGS[topic];
    const answer = value(person);
    questions.push({ question: pick(ask, draw)(person.name, person), answer, kind: 'attribute' });
    questions.push({ question: pick(askName, draw)(person), answer: person.name, kind: 'name' });
    if (topic === 'belonging') {
      questions.push({ question: pick(ASK_COLOUR, draw)(person), answer: person.colour, kind: 'colour' });
    }
    if (topics.length > 1) {
      // Each fact is asked for once through one of the others.
      const other = topics[(i + 1 + draw.nextInteger(topics.length - 1)) % topics.length]!;
      const who = WORDINGS[other].describe(person);
      questions.push({ question: pick(ask, draw)(who, person), answer, kind: 'two_hop' });
    }
  });
  return questions;
}

function pick<T>(items: readonly T[], draw: random.RandomCursor): T {
  return items[draw.nextInteger(items.length)]!;
}

function shuffled<T>(items: readonly T[], draw: random.RandomCursor): T[] {
  return drawDistinct(items, items.length, draw);
}
