/** `latentwire run PLAN --slurm`: what is submitted, and what is said of it. */
import type { Plan, Readiness } from '../experiments/index.js';
import type { Reconciliation } from '../experiments/slurm-plan/index.js';
import type { Logger } from '../telemetry/index.js';
import type { CommandResult } from './command.js';
import { program } from './train-command.js';

export interface SlurmRunOptions {
  readonly logger: Logger;
  readonly profile: string | undefined;
  readonly atOnce: number | null;
  readonly ignoreGates: boolean;
  readonly retryFailed: boolean;
  readonly testOnly: boolean;
}

const DEFAULT_PROFILE = 'local-test';

/** @throws LatentWireError */
export async function runInSlurm(plan: Plan, options: SlurmRunOptions): Promise<CommandResult> {
  const { readProfile, withSlurmErrors } = await import('../experiments/slurm/index.js');
  const { submitPlan } = await import('../experiments/slurm-plan/index.js');
  const { logger, atOnce, ignoreGates, retryFailed, testOnly } = options;
  const profile = await withSlurmErrors(() => readProfile(options.profile ?? DEFAULT_PROFILE));
  const done = await submitPlan(
    { plan, profile, atOnce, ignoreGates, workDir: process.cwd() },
    { logger, program, retryFailed, testOnly },
  );
  const kinds = [...done.states.values()].map(({ kind }) => kind);
  const count = (kind: (typeof kinds)[number]): number => kinds.filter((each) => each === kind).length;
  const completed = count('done') === kinds.length;
  const waits = [...done.phases].flatMap(([name, state]) => waitsFor(name, state));
  const status = completed
    ? 'completed'
    : done.queued > 0 || count('running') > 0
      ? 'submitted'
      : 'incomplete';
  return {
    json: {
      plan: plan.name,
      directory: plan.directory,
      profile: profile.name,
      status: testOnly ? 'tested' : status,
      arrays: done.arrays,
      queued: done.queued,
      left: done.left,
      full: done.full ?? null,
      done: count('done'),
      failed: count('failed'),
      waits,
    },
    text: text(plan, done, waits, testOnly, completed).join('\n'),
    exitCode: completed || testOnly || status === 'submitted' ? 0 : 1,
  };
}

function waitsFor(name: string, state: Readiness): string[] {
  if (state.kind === 'waiting') return [`${name} starts after ${state.on.join(', ')}`];
  return state.kind === 'blocked' ? [`${name} does not start: ${state.reason}`] : [];
}

function text(
  plan: Plan,
  { arrays, queued, left, full, states }: Reconciliation,
  waits: readonly string[],
  testOnly: boolean,
  completed: boolean,
): string[] {
  if (completed) return [`${plan.name} is done: ${states.size} cells`];
  const cells = (list: readonly string[]): string => `${list.length} ${list.length === 1 ? 'cell' : 'cells'}`;
  if (testOnly)
    return [...arrays.map(({ phase, cells: c }) => `Slurm would take ${phase} (${cells(c)})`), ...waits];
  const failed = [...states.values()].filter(({ kind }) => kind === 'failed').length;
  return [
    ...arrays.map(({ job, phase, cells: list }) => `submitted ${phase} as job ${job} (${cells(list)})`),
    ...(arrays.length === 0 ? ['nothing to submit'] : []),
    ...(left.length > 0 ? [`no room for ${cells(left)} more (${full}): tasks that end submit them`] : []),
    ...waits,
    ...(failed > 0 ? [`${failed} failed: latentwire status says why, --retry-failed tries again`] : []),
    `${queued} ${queued === 1 ? 'task' : 'tasks'} in the queue, ${[...states.values()].filter(({ kind }) => kind === 'done').length} of ${states.size} cells done`,
    ...(queued > 0 ? ['latentwire status PLAN shows both; latentwire slurm cancel PLAN ends all'] : []),
  ];
}
