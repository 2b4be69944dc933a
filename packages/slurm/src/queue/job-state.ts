/** Slurm's job states (squeue(1), "JOB STATE CODES"), and the three questions programs ask of them. */

export type JobState =
  | 'PENDING'
  | 'CONFIGURING'
  | 'RUNNING'
  | 'STOPPED'
  | 'SUSPENDED'
  | 'SIGNALING'
  | 'STAGE_OUT'
  | 'COMPLETING'
  | 'COMPLETED'
  | 'CANCELLED'
  | 'FAILED'
  | 'TIMEOUT'
  | 'NODE_FAIL'
  | 'OUT_OF_MEMORY'
  | 'BOOT_FAIL'
  | 'DEADLINE'
  | 'PREEMPTED'
  | 'REVOKED'
  | 'REQUEUED'
  | 'REQUEUE_FED'
  | 'REQUEUE_HOLD'
  | 'RESV_DEL_HOLD'
  | 'RESIZING'
  | 'SPECIAL_EXIT'
  | 'UNKNOWN';

const WAITING = [
  'PENDING',
  'CONFIGURING',
  'REQUEUED',
  'REQUEUE_FED',
  'REQUEUE_HOLD',
  'RESV_DEL_HOLD',
  'SPECIAL_EXIT',
] as const;
const ACTIVE = [
  'RUNNING',
  'STOPPED',
  'SUSPENDED',
  'SIGNALING',
  'STAGE_OUT',
  'RESIZING',
  'COMPLETING',
] as const;
const ENDED = [
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'OUT_OF_MEMORY',
  'BOOT_FAIL',
  'DEADLINE',
  'PREEMPTED',
  'REVOKED',
] as const;
const ALL: ReadonlySet<string> = new Set([...WAITING, ...ACTIVE, ...ENDED]);

/** Where a job is, roughly. */
export type JobPhase = 'waiting' | 'active' | 'ended' | 'unknown';

export function jobPhase(state: JobState): JobPhase {
  if ((WAITING as readonly string[]).includes(state)) return 'waiting';
  if ((ACTIVE as readonly string[]).includes(state)) return 'active';
  return (ENDED as readonly string[]).includes(state) ? 'ended' : 'unknown';
}

/**
 * A state as any version writes it: `RUNNING`, `CANCELLED by 0` (sacct), `CANCELLED+`, or since 23.11 a list of base
 * state and flags, in which COMPLETING wins as it does in the older single word.
 */
export function parseJobState(value: unknown): JobState {
  const words = (Array.isArray(value) ? value : [value]).map((word) =>
    String(word).trim().split(/[ +]/, 1)[0]!.toUpperCase(),
  );
  const known = words.filter((word) => ALL.has(word)) as JobState[];
  return known.find((state) => state === 'COMPLETING') ?? known[0] ?? 'UNKNOWN';
}
