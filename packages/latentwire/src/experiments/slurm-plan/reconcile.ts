/**
 * Brings the queue up to the plan: submits the cells that may start now and are neither done nor failed nor at work nor
 * in the queue. Everybody does this who changes what may start: the person who asks for the plan, and each task when its
 * cell has ended. So a phase begins when the last cell that it waits for is done and its gate holds, judged then, and no
 * process has to stay alive in between. One at a time, under a claim of the directory.
 */
import { readConfig, type SlurmRunner } from '@latentwire/slurm';
import { LatentWireError } from '../../errors.js';
import type { Logger } from '../../telemetry/index.js';
import { type Readiness, readiness } from '../execution/gates.js';
import type { Cell } from '../plan/expand.js';
import { withSlurmErrors } from '../slurm/failure.js';
import { loggedRunner } from '../slurm/queue.js';
import { readAttempts, recordAttempt } from '../state/attempts.js';
import { type CellState, cellState } from '../state/cell-state.js';
import { Claims } from '../state/claims.js';
import { cellFiles, claimsFolder, writePlanRecord } from '../state/experiment-folder.js';
import { type CellGroup, groupCells } from './array-job.js';
import { takeGuard } from './guard.js';
import { queueAndHistory } from './queue-look.js';
import type { QueuedCell, QueueView } from './queue-view.js';
import { type SubmittedArray, submitGroups, testGroups } from './submit-groups.js';
import {
  readSubmittedPlan,
  type SubmittedPlan,
  submittedPlanFile,
  writeSubmittedPlan,
} from './submitted-plan.js';

export interface ReconcileOptions {
  /** How jobs start this product, e.g. `[node, main.js]`. */
  readonly program: readonly string[];
  readonly logger: Logger;
  readonly runner?: SlurmRunner;
  /** Whether a guard job is kept in the queue; true by default. */
  readonly guard?: boolean;
  /** Only say what would be submitted, after asking Slurm whether it would take it. */
  readonly testOnly?: boolean;
}

export interface Reconciliation {
  readonly arrays: readonly SubmittedArray[];
  /** Cells that could start and found no place in the queue. */
  readonly left: readonly string[];
  /** What Slurm said to them. */
  readonly full: string | undefined;
  /** Cells that a person has to ask for again, with the reason; only in `advancePlan`. */
  readonly held: readonly { readonly cell: string; readonly why: string }[];
  readonly states: ReadonlyMap<string, CellState>;
  readonly phases: ReadonlyMap<string, Readiness>;
  /** Tasks in the queue, waiting or running, after this. */
  readonly queued: number;
  /** Whether a guard job waits for their end. */
  readonly guarded: boolean;
}

const LOCK = 'slurm-submissions';
const LOCK_PATIENCE_MS = 300_000;
/** Of one cell without anybody asking: what ends without leaving a word would go round for ever. */
const MOST_SUBMISSIONS = 5;
/** Less than the time limit of its job. */
const GUARD_LOOKS = 12;
const GUARD_PAUSE_MS = 30_000;
/** MaxArraySize of a cluster that does not say. */
const LONGEST_ARRAY = 1000;

/** What a person asks for: replaces what was asked before. @throws LatentWireError */
export async function submitPlan(
  wish: Omit<SubmittedPlan, 'generation' | 'cancelled'>,
  options: ReconcileOptions & { readonly retryFailed?: boolean },
): Promise<Reconciliation> {
  return locked(wish.plan.directory, async (claims) => {
    const file = submittedPlanFile(wish.plan.directory, wish.plan.name);
    const generation = (readSubmittedPlan(file)?.generation ?? 0) + 1;
    const submitted: SubmittedPlan = { ...wish, generation, cancelled: false };
    if (options.retryFailed === true && options.testOnly !== true) resetFailed(submitted, claims);
    return reconcile(submitted, file, claims, options, 'person');
  });
}

/** What tasks do at their end. Nothing when the plan was cancelled. @throws LatentWireError */
export async function advancePlan(
  planFile: string,
  options: ReconcileOptions,
): Promise<Reconciliation | undefined> {
  const first = readSubmittedPlan(planFile);
  if (first === undefined || first.cancelled) return undefined;
  return locked(first.plan.directory, async (claims) => {
    const submitted = readSubmittedPlan(planFile);
    if (submitted === undefined || submitted.cancelled) return undefined;
    return reconcile(submitted, planFile, claims, options, 'task');
  });
}

/**
 * What the guard does: the same, and where the queue has no room for all it stays until the next guard has found some.
 * Undefined when the plan was cancelled. @throws LatentWireError
 */
export async function guardPlan(
  planFile: string,
  options: ReconcileOptions & { readonly pauseMs?: number },
): Promise<Reconciliation | undefined> {
  for (let look = 1; ; look++) {
    const next = await advancePlan(planFile, options);
    if (next === undefined || next.guarded || next.left.length + next.queued === 0) return next;
    if (look === GUARD_LOOKS) return next;
    options.logger.info(`no room in the queue for ${next.left.length} cells and a guard; waiting`);
    await new Promise((resolve) => setTimeout(resolve, options.pauseMs ?? GUARD_PAUSE_MS));
  }
}

async function reconcile(
  submitted: SubmittedPlan,
  planFile: string,
  claims: Claims,
  options: ReconcileOptions,
  asker: 'person' | 'task',
): Promise<Reconciliation> {
  const { plan } = submitted;
  const runner = options.runner ?? loggedRunner(options.logger);
  const stateOf = (name: string) =>
    cellState(name, { directory: plan.directory, claims, retries: plan.retries });
  const view = await withSlurmErrors(() =>
    queueAndHistory(plan.directory, runner, (name) => mayStart(stateOf(name))),
  );
  refuseStrays(view, plan.name);
  const states = new Map(plan.cells.map(({ name }) => [name, stateOf(name)]));
  const phases = new Map(
    plan.phases.map((phase) => [
      phase.name,
      readiness(plan, phase, (cell) => states.get(cell.name)!, { ignoreGates: submitted.ignoreGates }),
    ]),
  );
  const readyPhase = (cell: Cell): string | undefined =>
    cell.places.find(({ phase }) => phases.get(phase)?.kind === 'ready')?.phase;
  const startable = plan.cells.filter((cell) => {
    const isLive = view.cells.get(cell.name)?.live === true;
    return mayStart(states.get(cell.name)!) && !isLive && readyPhase(cell) !== undefined;
  });
  const held = startable.flatMap((cell) => {
    const why = asker === 'person' ? undefined : objection(view.cells.get(cell.name), submitted.generation);
    return why === undefined ? [] : [{ cell: cell.name, why }];
  });
  const heldNames = new Set(held.map(({ cell }) => cell));
  const wanted = startable.filter(({ name }) => !heldNames.has(name));
  const untested = groupCells(wanted, (cell) => readyPhase(cell)!, await longestArray(runner, wanted));
  const submitter = { runner, submitted, planFile, program: options.program };
  const groups =
    asker === 'person'
      ? await withSlurmErrors(() => testGroups(submitter, untested, options.testOnly === true))
      : untested;
  const result = { states, phases, held, full: undefined, left: [], guarded: false };
  const queued = [...view.arrays.values()].reduce((a, b) => a + b, 0);
  if (options.testOnly === true) {
    return {
      ...result,
      arrays: groups.map(({ phase, cells }) => ({ job: '', phase, cells: cells.map(({ name }) => name) })),
      queued,
    };
  }
  // From here on tasks may start, and go by this file.
  if (asker === 'person') {
    writePlanRecord(plan);
    writeSubmittedPlan(submitted);
  }
  const guard =
    options.guard !== false && (groups.length > 0 || queued > 0)
      ? await takeGuard(submitter, view, options.logger)
      : undefined;
  let { arrays, full, refused } = await submitGroups(submitter, groups);
  if (full !== undefined && guard !== undefined && arrays.length + queued === 0) {
    // Room for one job only: better a cell than its guard.
    await guard.remove();
    ({ arrays, full, refused } = await submitGroups(submitter, groups));
  }
  await guard?.watch([...new Set([...view.arrays.keys(), ...arrays.map(({ job }) => job)])]);
  const placed = new Set(arrays.flatMap(({ cells }) => cells));
  const nothing = asker === 'person' && placed.size + queued === 0;
  if (refused !== undefined || (full !== undefined && nothing)) {
    await refusal(refused ?? full, arrays, wanted.length - placed.size, groups);
  }
  return {
    ...result,
    arrays,
    left: wanted.flatMap(({ name }) => (placed.has(name) ? [] : [name])),
    full: full?.message,
    guarded: guard?.isThere() === true,
    queued: queued + placed.size,
  };
}

function mayStart({ kind }: CellState): boolean {
  return kind === 'queued' || kind === 'preempted';
}

/** Why a cell that ended in the queue without being done waits for a person. */
function objection(last: QueuedCell | undefined, generation: number): string | undefined {
  if (last === undefined || last.generation !== generation) return undefined;
  if (last.state === 'CANCELLED') return 'its job was cancelled';
  if (last.job !== null && last.state === 'UNKNOWN') return 'Slurm does not know any more how its job ended';
  if (last.submissions >= MOST_SUBMISSIONS) return `submitted ${last.submissions} times, and it is not done`;
  return undefined;
}

async function longestArray(runner: SlurmRunner, cells: readonly Cell[]): Promise<number> {
  if (cells.length <= 1) return 1;
  const { MaxArraySize } = await withSlurmErrors(() => readConfig(runner));
  return Math.max(1, Number(MaxArraySize) || LONGEST_ARRAY);
}

function refuseStrays({ strays }: QueueView, plan: string): void {
  if (strays.length === 0) return;
  throw new LatentWireError(
    `${strays.length === 1 ? 'job' : 'jobs'} ${strays.join(', ')} in the queue work for this directory, but the record of which cells they run is gone`,
    {
      code: 'state',
      hint: `end them (latentwire slurm cancel ${strays.join(' ')}), then submit ${plan} again`,
    },
  );
}

/** Says what is in the queue all the same. */
async function refusal(
  error: unknown,
  arrays: readonly SubmittedArray[],
  missing: number,
  groups: readonly CellGroup[],
): Promise<never> {
  if (arrays.length === 0) return withSlurmErrors(() => Promise.reject(error));
  const { message } = error as Error;
  const jobs = arrays.map(({ job, phase, cells }) => `${job} (${phase}, ${cells.length} cells)`).join(', ');
  throw new LatentWireError(
    `${missing} of ${groups.reduce((sum, { cells }) => sum + cells.length, 0)} cells were not submitted: ${message}; in the queue: ${jobs}`,
    {
      code: 'state',
      hint: 'mend that, then run the same command again: it submits only what is missing',
      cause: error,
    },
  );
}

/** Failed cells get new attempts. */
function resetFailed({ plan }: SubmittedPlan, claims: Claims): void {
  for (const { name } of plan.cells) {
    if (cellState(name, { directory: plan.directory, claims, retries: plan.retries }).kind !== 'failed')
      continue;
    const claim = claims.tryClaim(name);
    if (claim === undefined) continue;
    const { attempts } = cellFiles(plan.directory, name);
    if (readAttempts(attempts).ends.length > 0)
      recordAttempt(attempts, { event: 'reset', at: new Date().toISOString() });
    claim.release();
  }
}

/** One at a time: two who look at the queue at once would both submit. */
export async function locked<T>(directory: string, work: (claims: Claims) => Promise<T>): Promise<T> {
  const claims = new Claims(claimsFolder(directory));
  const deadline = Date.now() + LOCK_PATIENCE_MS;
  try {
    for (;;) {
      if (claims.tryClaim(LOCK) !== undefined) return await work(claims);
      if (Date.now() > deadline) break;
      await new Promise((resolve) => setTimeout(resolve, 200 + 300 * Math.random()));
    }
  } finally {
    claims.close();
  }
  throw new LatentWireError(
    `others have been submitting jobs of ${directory} for ${LOCK_PATIENCE_MS / 60_000} minutes`,
    {
      code: 'state',
      hint: 'look with `latentwire slurm status`, and run the same command again',
    },
  );
}
