/**
 * status.json: where a run stands, as a tagged union. Programs branch on `state` and never parse texts.
 * Written atomically, so it is always one whole, valid document.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { LatentWireError } from '../errors.js';
import { writeJsonAtomic } from './atomic-file.js';
import type { FileSystem } from './file-system.js';

const failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
});

const common = {
  run: z.string(),
  /** Counts from 1; a requeue or resume is a new attempt. 0: not started yet. */
  attempt: z.int().min(0),
  /** ISO 8601, UTC. */
  updated_at: z.string(),
  /** Inside a Slurm job: the job of this attempt, how often Slurm had started it again, and why the attempt ended. */
  slurm: z
    .object({
      job: z.string(),
      restarts: z.int().min(0),
      cause: z.string().optional(),
      why: z.string().optional(),
    })
    .optional(),
};
/** Last finished optimiser step. */
const step = z.int().min(0);

const runStatusSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('queued'), ...common }),
  z.object({
    state: z.literal('running'),
    ...common,
    /** What it is doing: load, train, evaluate, report, … */
    phase: z.string(),
    pid: z.int(),
    host: z.string(),
    started_at: z.string(),
    step,
  }),
  z.object({
    state: z.literal('preempted'),
    ...common,
    signal: z.string(),
    step,
    checkpoint: z.string().nullable(),
  }),
  z.object({ state: z.literal('timeout'), ...common, step, checkpoint: z.string().nullable() }),
  z.object({ state: z.literal('oom'), ...common, step, error: failure }),
  z.object({ state: z.literal('failed'), ...common, step, error: failure }),
  z.object({ state: z.literal('completed'), ...common, step }),
]);

export type RunStatus = z.infer<typeof runStatusSchema>;
export type RunState = RunStatus['state'];

type Common = 'run' | 'attempt' | 'updated_at' | 'slurm';
type WithoutCommon<T> = T extends unknown ? Omit<T, Common> : never;
/** A status without what the run directory fills in. */
export type StatusUpdate = WithoutCommon<RunStatus>;

/** @throws LatentWireError `io`; the previous status stays. */
export function writeStatus(file: string, status: RunStatus, system?: FileSystem): void {
  writeJsonAtomic(file, status, system);
}

/** The status of a run, or undefined when there is none yet. @throws LatentWireError `format` on another document. */
export function readStatus(file: string): RunStatus | undefined {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LatentWireError(`cannot read ${file}: ${(error as Error).message}`, {
      code: 'io',
      cause: error,
    });
  }
  const document = parse(source);
  const result = runStatusSchema.safeParse(document);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const why = document === undefined ? 'it is not valid JSON' : `${issue.path.join('.')} ${issue.message}`;
  throw new LatentWireError(`${file} is not a run status: ${why}`, {
    code: 'format',
    hint: 'delete that file; the run goes on without it',
  });
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    return undefined;
  }
}
