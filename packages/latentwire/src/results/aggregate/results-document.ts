/**
 * results/final_results.json: what `aggregate` writes, `stats` and `report` read. Its upper half (`methods`,
 * `metrics`, `baseline`) is the per-item layout of @latentwire/stats; the rest says where every number is from.
 */
import type { RunReading } from './read-run.js';

/** One number per seed, each with its run. */
export interface Measure {
  /** Mean over the seeds that have it. */
  readonly mean: number;
  /** Sample standard deviation (n − 1) over seeds; null with one. */
  readonly std: number | null;
  readonly n: number;
  readonly values: readonly { readonly seed: number | null; readonly run: string; readonly value: number }[];
  /** Runs of the group that have not measured it; present when there are any. */
  readonly missing?: readonly string[];
}

export interface Place {
  readonly phase: string;
  readonly kind: string;
  readonly label: string;
  readonly axes: Readonly<Record<string, unknown>>;
}

/** Runs that differ by their seed alone. */
export interface Group {
  /** `phase: label`, unique in the document. */
  readonly name: string;
  readonly hash: string;
  readonly places: readonly Place[];
  readonly config: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly seeds: readonly (number | null)[];
  readonly runs: readonly string[];
  /** Key of metrics.json with slashes, `latent/tiny-llama/f1` → number. */
  readonly measures: Readonly<Record<string, Measure>>;
  /** `mode/model` → name in `methods`. */
  readonly methods: Readonly<Record<string, string>>;
}

export interface RunEntry {
  readonly name: string;
  readonly state: RunReading['state'];
  readonly seed: number | null;
  readonly group: string | null;
  readonly config_hash: string;
  readonly attempt: number;
  readonly step: number;
  readonly error?: string;
  readonly problems?: readonly string[];
}

export interface MethodColumns {
  readonly items: readonly string[];
  readonly seeds: readonly (number | string)[];
  readonly clusters?: readonly string[];
  readonly scores: readonly number[];
}

/** A method that is not a group of its own: measured beside the wire, the same for every seed. */
export interface Reference {
  readonly method: string;
  readonly mode: string;
  readonly model: string;
  readonly dataset: string;
  /** M of a token budget. */
  readonly budget: number | null;
  /** The run that the scores are from; others were compared with it. */
  readonly run: string;
  /** Numbers of metrics.json of that run: f1, em, ratios/tokens, … */
  readonly measures: Readonly<Record<string, number>>;
}

export interface ResultsDocument {
  readonly format: 'latentwire-results/1';
  /** Of the experiment directory, as it was named. */
  readonly experiment: string;
  readonly plans: readonly string[];
  readonly baseline: string | null;
  readonly metrics: Readonly<Record<string, { readonly higherIsBetter: boolean }>>;
  readonly methods: Readonly<Record<string, Readonly<Record<string, MethodColumns>>>>;
  readonly references: readonly Reference[];
  readonly groups: readonly Group[];
  /** Where the numbers of `measures` and `methods` lie in a run directory. */
  readonly files: Readonly<Record<'measures' | 'methods' | 'config', string>>;
  readonly runs: readonly RunEntry[];
  /** Cells that a plan asks for and that have no finished run, with the reason. */
  readonly missing: readonly { readonly cell: string; readonly name: string; readonly why: string }[];
  /** What is wrong, each naming its run or file. */
  readonly problems: readonly string[];
}

/** Pretty where people look, one line where columns are long; in pieces, since a document can exceed a string. */
export function serializeResults(document: ResultsDocument): Uint8Array {
  const pieces: Buffer[] = [];
  const write = (text: string): void => void pieces.push(Buffer.from(text, 'utf8'));
  write('{\n');
  const entries = Object.entries(document);
  for (const [i, [key, value]] of entries.entries()) {
    write(`  ${JSON.stringify(key)}: `);
    if (key === 'methods') {
      write('{');
      for (const [k, [name, columns]] of Object.entries(document.methods).entries()) {
        write(`${k === 0 ? '' : ','}\n    ${JSON.stringify(name)}: ${JSON.stringify(columns)}`);
      }
      write('\n  }');
    } else if (Array.isArray(value)) {
      write('[');
      for (const [k, entry] of value.entries()) write(`${k === 0 ? '' : ','}\n    ${JSON.stringify(entry)}`);
      write(value.length === 0 ? ']' : '\n  ]');
    } else write(JSON.stringify(value));
    write(i === entries.length - 1 ? '\n}\n' : ',\n');
  }
  return Buffer.concat(pieces);
}
