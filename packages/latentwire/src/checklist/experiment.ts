/**
 * What the checklist is made of. A section has experiments; an experiment does something real once, keeps what it saw as
 * one JSON document, and each of its checks judges that document. Judging is a pure function, so that a verdict can be
 * given again from stored evidence, and tested without doing anything.
 */
import type { Bench } from './bench.js';

export type Status = 'pass' | 'fail' | 'not-applicable';

export interface Verdict {
  readonly status: Status;
  /** The figure that was found, or the cause; one line. */
  readonly found: string;
}

export interface Check<E> {
  /** Unique in the checklist, `2.3`: section and number. */
  readonly id: string;
  /** The requirement, in the words of the production checklist where it has one. */
  readonly says: string;
  /** Claims of the original (claims.ts) that this line makes true. */
  readonly claims: readonly number[];
  readonly judge: (evidence: E) => Verdict;
}

export interface Experiment<E = unknown> {
  /** Folder of its evidence. */
  readonly name: string;
  /** @throws NotApplicable when this machine cannot do it; any other error fails its checks with that cause */
  collect(bench: Bench): Promise<E>;
  readonly checks: readonly Check<E>[];
}

/** Keeps the type of the evidence between `collect` and `judge`, and forgets it for whoever runs them all. */
export function experiment<E>(definition: Experiment<E>): Experiment {
  return definition as unknown as Experiment;
}

export interface Section {
  readonly number: number;
  /** As the table of the checklist calls it. */
  readonly component: string;
  /** Shows the same to a person, in the checklist's last column. */
  readonly command: string;
  /** Line whose figure the table shows when all is well. */
  readonly headline: string;
  /** Must not share the machine with other sections: it measures how busy it is. */
  readonly alone?: true;
  readonly experiments: readonly Experiment[];
}

/** Thrown by `collect` for what cannot be done here, which is no failure. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable';
}

export function verdict(ok: boolean, found: string): Verdict {
  return { status: ok ? 'pass' : 'fail', found };
}

export function notApplicable(found: string): Verdict {
  return { status: 'not-applicable', found };
}
