/**
 * How facts and questions are worded. A question that asks for an attribute takes any description of the person, so
 * a name gives a one-hop question and another fact a two-hop question ("Where does the owner of the red kite live?").
 */
import type { Person, Topic } from './people.js';

interface Wording {
  /** Sentences that state the fact. */
  readonly state: readonly ((p: Person) => string)[];
  /** Questions for the attribute of the person so described. */
  readonly ask: readonly ((who: string, p: Person) => string)[];
  /** The attribute as an answer. */
  readonly value: (p: Person) => string;
  /** Questions for the name of the person with this attribute. */
  readonly askName: readonly ((p: Person) => string)[];
  /** The person, described by this attribute. */
  readonly describe: (p: Person) => string;
}

export const WORDINGS: Readonly<Record<Topic, Wording>> = {
  home: {
    state: [
      (p) => `${p.name} lives in the town of ${p.home}.`,
      (p) => `The home of ${p.name} is in ${p.home}.`,
      (p) => `${p.name} has a small house in ${p.home}.`,
    ],
    ask: [(who) => `Where does ${who} live?`, (who) => `In which town does ${who} live?`],
    value: (p) => p.home,
    askName: [(p) => `Who lives in ${p.home}?`, (p) => `Who has a home in ${p.home}?`],
    describe: (p) => `the person from ${p.home}`,
  },
  job: {
    state: [
      (p) => `${p.name} works as a ${p.job}.`,
      (p) => `The job of ${p.name} is that of a ${p.job}.`,
      (p) => `${p.name} is a ${p.job} by trade.`,
    ],
    ask: [(who) => `What is the job of ${who}?`, (who) => `What does ${who} work as?`],
    value: (p) => p.job,
    askName: [(p) => `Who works as a ${p.job}?`, (p) => `Who is the ${p.job}?`],
    describe: (p) => `the ${p.job}`,
  },
  belonging: {
    state: [
      (p) => `${p.name} owns a ${p.colour} ${p.thing}.`,
      (p) => `${p.name} is the owner of a ${p.colour} ${p.thing}.`,
      (p) => `The pride of ${p.name} is a ${p.colour} ${p.thing}.`,
    ],
    ask: [(who) => `What does ${who} own?`, (who) => `Which thing belongs to ${who}?`],
    value: (p) => `${p.colour} ${p.thing}`,
    askName: [(p) => `Who owns the ${p.colour} ${p.thing}?`, (p) => `To whom does the ${p.thing} belong?`],
    describe: (p) => `the owner of the ${p.colour} ${p.thing}`,
  },
  born: {
    state: [
      (p) => `${p.name} was born in the year ${p.born}.`,
      (p) => `The parents of ${p.name} had their child in ${p.born}.`,
      (p) => `The birth of ${p.name} was in ${p.born}.`,
    ],
    ask: [(who) => `When was ${who} born?`, (who) => `In which year was ${who} born?`],
    value: (p) => String(p.born),
    askName: [(p) => `Who was born in ${p.born}?`],
    describe: (p) => `the person born in ${p.born}`,
  },
  relative: {
    state: [
      (p) => `The ${p.relation} of ${p.name} is called ${p.relative}.`,
      (p) => `${p.name} has one ${p.relation} whose name is ${p.relative}.`,
      (p) => `The name of the ${p.relation} of ${p.name} is ${p.relative}.`,
    ],
    ask: [(who, p) => `Who is the ${p.relation} of ${who}?`],
    value: (p) => p.relative,
    askName: [(p) => `Whose ${p.relation} is ${p.relative}?`],
    describe: (p) => `the person whose ${p.relation} is ${p.relative}`,
  },
};

/** Questions for the colour alone. */
export const ASK_COLOUR: readonly ((p: Person) => string)[] = [
  (p) => `What colour is the ${p.thing}?`,
  (p) => `Which colour does the ${p.thing} of ${p.name} have?`,
];
