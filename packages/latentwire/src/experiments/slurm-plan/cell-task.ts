/**
 * What a task of an array does: carries its cell to an end under the cell's claim, as `latentwire run` would, and then
 * brings the queue up to the plan. Preempted or at its time limit it comes back by itself, as any supervised work does.
 */
import path from 'node:path';
import { jobContext } from '@latentwire/slurm';
import { LatentWireError } from '../../errors.js';
import type { Logger } from '../../telemetry/index.js';
import { findGpus } from '../execution/gpus.js';
import { type CellCommand, gpuClaimsFolder, LocalExecutor } from '../execution/local-executor.js';
import { runCells } from '../execution/run-plan.js';
import { listenForStop } from '../execution/stop-requests.js';
import type { Cell, Plan } from '../plan/expand.js';
import { recordDecision, superviseWork, workProgress } from '../slurm/supervise-work.js';
import type { CellState } from '../state/cell-state.js';
import { Claims } from '../state/claims.js';
import { cellFiles, claimsFolder } from '../state/experiment-folder.js';
import { type ArrayCells, readArrayCells } from './array-record.js';
import { followRank, RankLeader } from './ranks.js';
import { advancePlan } from './reconcile.js';

export interface CellTaskOptions {
  /** File of the array's cells. */
  readonly file: string;
  readonly command: CellCommand;
  /** How jobs start this product. */
  readonly program: readonly string[];
  readonly logger: Logger;
}

export interface CellTaskResult {
  readonly cell: string;
  readonly state: CellState['kind'];
  /** The next step, or why it is not done. */
  readonly why: string;
  readonly exitCode: 0 | 1 | 85;
}

/** Longer than the lease of a claim: after a lost node the next start of a task waits for the claim of the one before. */
const PATIENCE_MS = 150_000;

/** Returns when the process should exit. @throws LatentWireError */
export async function runCellTask(options: CellTaskOptions): Promise<CellTaskResult> {
  const { file, logger } = options;
  const content = readArrayCells(file);
  const cell = taskCell(content, file);
  const job = jobContext()!;
  const { directory } = content;
  if (job.rank > 0) {
    const files = cellFiles(directory, cell.name);
    const env = { ...process.env, OMP_NUM_THREADS: String(threadsOf(cell, job.tasks)) };
    const exitCode = await followRank(directory, job, options.command(cell, files), logger, env);
    return { cell: cell.name, state: 'running', why: `rank ${job.rank}`, exitCode: exitCode as 0 | 1 | 85 };
  }
  if (job.tasks === 1) return lead(content, cell, options);
  const leader = new RankLeader(directory, job);
  let exitCode: CellTaskResult['exitCode'] = 1;
  try {
    const command: CellCommand = (...about) => {
      leader.start();
      return options.command(...about);
    };
    const result = await lead(content, cell, { ...options, command });
    exitCode = result.exitCode;
    return result;
  } finally {
    leader.end(exitCode);
  }
}

async function lead(content: ArrayCells, cell: Cell, options: CellTaskOptions): Promise<CellTaskResult> {
  const { logger } = options;
  const run = path.join(content.directory, cell.name);
  const { result, ending } = await superviseWork<CellState>({
    record: path.join(cellFiles(content.directory, cell.name).folder, 'slurm.jsonl'),
    logger,
    progress: () => workProgress([run]),
    work: (stopNotice) => carryOut(content, cell, options, () => stopNotice() !== undefined),
    wasStopped: ({ kind }) => kind === 'preempted' || kind === 'queued',
    onDecision: (decision) => recordDecision(run, decision),
  });
  const state = result?.kind ?? 'preempted';
  const ended = ending === undefined || ending.decision.action === 'exit-finished';
  const why = result?.kind === 'failed' ? result.error : (ending?.decision.why ?? 'no Slurm job');
  return { cell: cell.name, state, why, exitCode: ended ? (state === 'failed' ? 1 : 0) : ending.exitCode };
}

async function carryOut(
  content: ArrayCells,
  cell: Cell,
  { command, program, logger }: CellTaskOptions,
  noticed: () => boolean,
): Promise<CellState> {
  const stop = listenForStop(logger, noticed);
  const claims = new Claims(claimsFolder(content.directory));
  const gpuClaims = new Claims(gpuClaimsFolder());
  let state: CellState;
  try {
    const gpus = await findGpus();
    const tasks = jobContext()?.tasks ?? 1;
    const executor = new LocalExecutor({ slots: 1, gpus, gpuClaims, command, asRank: tasks > 1 });
    const { states } = await runCells(planOf(content, cell, gpus.length, tasks), {
      ...{ executor, claims, logger, patienceMs: PATIENCE_MS },
      ...{ signal: stop.signal, killSignal: stop.killSignal },
    });
    state = states.get(cell.id)!;
  } finally {
    stop.close();
    claims.close();
    gpuClaims.close();
  }
  if (stop.signal.aborted && state.kind !== 'done') return state;
  try {
    const next = await advancePlan(content.plan, { program, logger });
    for (const { job, phase, cells } of next?.arrays ?? [])
      logger.info(`submitted ${phase} as job ${job}`, { cells: cells.length });
  } catch (error) {
    // The cell is what it is; the guard, the next task or a person goes on with the plan.
    logger.warn(`could not look after the plan: ${(error as Error).message}`);
  }
  return state;
}

/** Processor threads of each of several processes. */
function threadsOf({ resources }: Cell, tasks: number): number {
  return Math.max(1, Math.ceil(resources.cpus / tasks));
}

/** The plan as far as this task is concerned: its cell, which may start, with what of it is here. */
function planOf({ directory, retries }: ArrayCells, cell: Cell, gpusHere: number, tasks: number): Plan {
  const gpus = Math.min(cell.resources.gpus, gpusHere);
  const resources = { ...cell.resources, gpus, cpus: threadsOf(cell, tasks) };
  const phase = { name: 'task', kind: 'other', after: [], gate: undefined, cells: [cell.id] } as const;
  return {
    name: cell.name,
    description: undefined,
    ...{ directory, retries, phases: [phase], files: [], notes: [] },
    cells: [{ ...cell, resources, places: [{ phase: 'task', kind: 'other', label: cell.name, axes: {} }] }],
    assumptions: {
      examples_per_second: 1,
      questions_per_second: 1,
      start_seconds: 1,
      trainable_parameters: 1,
    },
  };
}

function taskCell({ cells }: ArrayCells, file: string): Cell {
  const index = jobContext()?.array?.taskId;
  const cell = index === undefined ? undefined : cells[index];
  if (cell !== undefined) return cell;
  throw new LatentWireError(
    index === undefined
      ? 'expected to run as a task of a Slurm array, got no SLURM_ARRAY_TASK_ID'
      : `expected a task from 0 to ${cells.length - 1} of ${file}, got ${index}`,
    { code: 'input', hint: 'jobs of a plan are submitted by latentwire run PLAN --slurm' },
  );
}
