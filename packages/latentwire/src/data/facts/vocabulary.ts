/** Closed word classes of the fact corpus: shared by all splits, since only names are held out. */

export const JOBS = [
  'baker',
  'barber',
  'carpenter',
  'doctor',
  'farmer',
  'gardener',
  'hunter',
  'judge',
  'lawyer',
  'miller',
  'nurse',
  'painter',
  'pilot',
  'poet',
  'sailor',
  'singer',
  'smith',
  'tailor',
  'teacher',
  'writer',
] as const;

export const OBJECTS = [
  'bag',
  'bell',
  'boat',
  'book',
  'car',
  'chair',
  'clock',
  'coat',
  'drum',
  'hat',
  'kite',
  'lamp',
  'piano',
  'ring',
  'scarf',
  'sword',
  'table',
  'tent',
  'truck',
  'violin',
] as const;

export const COLOURS = [
  'black',
  'blue',
  'brown',
  'gold',
  'green',
  'grey',
  'pink',
  'purple',
  'red',
  'silver',
  'white',
  'yellow',
] as const;

export const RELATIONS = [
  'aunt',
  'boss',
  'brother',
  'cousin',
  'friend',
  'neighbour',
  'sister',
  'uncle',
] as const;

/** Years run from the first to the last, both included. */
export const YEARS = { first: 1800, last: 1999 } as const;

export type Colour = (typeof COLOURS)[number];
export type Job = (typeof JOBS)[number];
export type Relation = (typeof RELATIONS)[number];
export type Thing = (typeof OBJECTS)[number];
