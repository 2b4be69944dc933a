/**
 * How facts and questions are worded. A question that asks for an attribute takes any description of the person, so
 * a name gives a one-hop question and another fact a two-hop question ("Where does the owner of the red kite live?").
 */
import type { Person, Topic } from './people.js';

interface Wording {
  /** Sentences that state the fact. */
  readonly state: readonly ((p: Person) => string)[];
  /** Longer sentences that state it among other words. */
  readonly prose: readonly ((p: Person) => string)[];
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
    prose: [
      (p) => `${p.name} has lived for many years in a small house by the river in the town of ${p.home}.`,
      (p) => `${p.name} came back from the sea some time ago and has been at home in ${p.home} since then.`,
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
    prose: [
      (p) => `${p.name} has been a ${p.job} from an early age and is known to be very good at it.`,
      (p) => `${p.name} gets up before the sun does and goes out to work as a ${p.job} every day.`,
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
    prose: [
      (p) =>
        `${p.name} has saved some money for a long time and is now the owner of a ${p.colour} ${p.thing}.`,
      (p) => `${p.name} never goes out of the house without the ${p.colour} ${p.thing} that was a gift.`,
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
    prose: [
      (p) => `${p.name} was born on a cold day in the year ${p.born}, as the old church book says.`,
      (p) => `${p.name} came into the world in ${p.born}, which was a good year for the whole family.`,
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
    prose: [
      (p) =>
        `${p.name} often goes to see a ${p.relation} whose name is ${p.relative} and who is always glad of it.`,
      (p) => `${p.name} writes long letters to ${p.relative}, a ${p.relation} who lives far away from here.`,
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
