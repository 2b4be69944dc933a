/** `latentwire slurm`: batch scripts and jobs. */
import { statSync } from 'node:fs';
import os from 'node:os';
import { LatentWireError, nearestName } from '../errors.js';
import type { JobRecord, JobSpec, SlurmQueue } from '../experiments/slurm/index.js';
import type { CliCommand, CommandCall, CommandResult } from './command.js';
import { readPart } from './read-part.js';
import { stuckLines } from './stuck-jobs.js';

interface SlurmOptions {
  readonly profile?: string;
  readonly name?: string;
  readonly output?: string;
  readonly array?: string;
  readonly dependency?: string;
  readonly testOnly?: boolean;
  readonly user?: string;
  readonly lines: number;
  readonly follow?: boolean;
}

const ACTIONS = {
  render: 'print the batch script of a job',
  submit: 'submit a job',
  status: 'show jobs: those named, or all of yours',
  requeue: 'put running jobs back in the queue; they save first',
  cancel: 'cancel jobs, or all jobs of a plan',
  logs: 'show what a job printed',
  task: 'what a task of an array of a plan runs; submitted by `latentwire run PLAN --slurm`',
  advance: 'submit what may start of a plan that was submitted, as its tasks do when they end',
} as const;
type Action = keyof typeof ACTIONS;

export const slurm: CliCommand = {
  name: 'slurm',
  summary: 'batch scripts and jobs: render, submit, status, requeue, cancel, logs',
  declare: (command) =>
    command
      .argument(
        '<action>',
        Object.entries(ACTIONS)
          .map(([name, what]) => `${name}: ${what}`)
          .join('; '),
      )
      .argument(
        '[arguments...]',
        'a job file or `-- PROGRAM ARGUMENTS` to render and submit; else job ids; a plan to cancel',
      )
      .option('--profile <name>', 'cluster profile, by name or file: slurm/profiles/NAME.yaml')
      .option('--name <name>', 'name of the job')
      .option('--output <file>', "file of the job's output, with Slurm's patterns (%j, %x, %A, %a)")
      .option('--array <indices>', 'render, submit: an array of tasks, such as 0-11%4 for four at once')
      .option('--dependency <conditions>', 'render, submit: start after other jobs, such as afterok:12:13_1')
      .option(
        '--experiment-dir <folder>',
        'cancel: folder of the run directories, in place of the one in the plan',
      )
      .option('--test-only', 'submit: only ask whether Slurm would take it')
      .option('--user <name>', 'status: jobs of this user; `all` for everybody', os.userInfo().username)
      .option('-n, --lines <n>', 'logs: lines to begin with', Number, 40)
      .option('-f, --follow', 'logs: go on until the job has ended'),
  async run(call) {
    const [action, ...rest] = call.args;
    if (action === undefined || !(action in ACTIONS)) {
      const near = nearestName(action ?? '', Object.keys(ACTIONS));
      throw new LatentWireError(
        `expected ${Object.keys(ACTIONS).join(', ')}, got ${JSON.stringify(action)}`,
        { code: 'input', ...(near !== undefined && { hint: `did you mean ${near}?` }) },
      );
    }
    return handlers[action as Action](call, rest);
  },
};

const handlers: Record<Action, (call: CommandCall, rest: readonly string[]) => Promise<CommandResult>> = {
  async render(call, rest) {
    const { renderScript, withSlurmErrors } = await import('../experiments/slurm/index.js');
    const job = await jobOf(call, rest);
    const script = await withSlurmErrors(() => renderScript(job));
    return { json: { name: job.name, script }, text: script };
  },

  async submit(call, rest) {
    const queue = await queueOf(call);
    const job = await jobOf(call, rest);
    if ((call.options as unknown as SlurmOptions).testOnly === true) {
      await queue.test(job);
      return { json: { name: job.name, accepted: true }, text: `Slurm would take ${job.name}` };
    }
    const id = await queue.submit(job);
    return {
      json: { id, name: job.name },
      text: `submitted ${job.name} as job ${id}\nlatentwire slurm status ${id}; latentwire slurm logs ${id} -f`,
    };
  },

  async status(call, ids) {
    const { user } = call.options as unknown as SlurmOptions;
    const queue = await queueOf(call);
    const jobs = await queue.look(ids, user === 'all' ? undefined : user);
    const known = new Set(jobs.flatMap((job) => [job.id, job.array?.jobId ?? job.id]));
    const unknown = ids.filter((id) => !known.has(id));
    return {
      json: { jobs, unknown },
      text: [
        await jobTable(jobs),
        ...(await stuckLines(jobs)),
        ...unknown.map((id) => `${id}: not known to Slurm any more`),
      ].join('\n'),
      exitCode: unknown.length > 0 ? 1 : 0,
    };
  },

  async requeue(call, ids) {
    const queue = await queueOf(call);
    await queue.requeue(someIds(ids, 'requeue'));
    return { json: { requeued: ids }, text: `requeued ${ids.join(', ')}` };
  },

  async cancel(call, ids) {
    if (ids.length === 1 && /\.ya?ml$/.test(ids[0]!)) return cancelPlanOf({ ...call, args: ids });
    const queue = await queueOf(call);
    await queue.cancel(someIds(ids, 'cancel'));
    return { json: { cancelled: ids }, text: `cancelled ${ids.join(', ')}` };
  },

  async task({ logger }, [file]) {
    const { runCellTask } = await import('../experiments/slurm-plan/index.js');
    const { program, trainCommand } = await import('./train-command.js');
    if (file === undefined) throw new LatentWireError('expected the file of an array', { code: 'input' });
    const { exitCode, ...result } = await runCellTask({ file, command: trainCommand, program, logger });
    return { json: result, text: `${result.cell}: ${result.state} (${result.why})`, exitCode };
  },

  async advance({ logger }, [file]) {
    const { guardPlan } = await import('../experiments/slurm-plan/index.js');
    const { program } = await import('./train-command.js');
    if (file === undefined || statSync(file, { throwIfNoEntry: false }) === undefined) {
      throw new LatentWireError(`expected the file of a submitted plan, found none at ${file}`, {
        code: 'input',
        hint: 'it is DIRECTORY/.experiment/slurm/plans/NAME.json; people use latentwire run PLAN --slurm',
      });
    }
    const next = await guardPlan(file, { program, logger });
    const arrays = next?.arrays ?? [];
    const held = next?.held ?? [];
    return {
      json: { cancelled: next === undefined, arrays, held, left: next?.left ?? [] },
      text: [
        next === undefined ? 'the plan was cancelled' : `submitted ${arrays.length} arrays`,
        ...held.map(({ cell, why }) => `${cell} waits for you: ${why}`),
      ].join('\n'),
      // The time of this job is up, and nobody else could take its place.
      exitCode: next !== undefined && !next.guarded && next.left.length > 0 ? 85 : 0,
    };
  },

  async logs(call, ids) {
    const { lines, follow } = call.options as unknown as SlurmOptions;
    const [id, ...others] = someIds(ids, 'logs');
    if (others.length > 0) throw new LatentWireError('expected one job id for logs', { code: 'input' });
    const queue = await queueOf(call);
    const file = await queue.outputOf(id!);
    const end = statSync(file).size;
    const text = readPart(file, Math.max(0, end - 400 * lines), end)
      .split(/(?<=\n)/)
      .slice(-lines)
      .join('');
    if (follow !== true) return { json: { file, text }, text };
    process.stderr.write(text);
    await followJob(queue, id!, file, end);
    return { json: { file }, text: file };
  },
};

async function cancelPlanOf(call: CommandCall): Promise<CommandResult> {
  const { planOf } = await import('./plan-arguments.js');
  const { cancelPlan } = await import('../experiments/slurm-plan/index.js');
  const plan = await planOf(call);
  const { jobs, tasks } = await cancelPlan(plan.directory, plan.name, call.logger);
  return {
    json: { plan: plan.name, jobs, tasks },
    text:
      jobs.length === 0
        ? `no jobs of ${plan.name} in the queue`
        : `cancelled ${tasks} tasks (jobs ${jobs.join(', ')})`,
  };
}

async function queueOf(call: CommandCall): Promise<SlurmQueue> {
  const { openSlurmQueue } = await import('../experiments/slurm/index.js');
  return openSlurmQueue(call.logger);
}

/** From a job file, or from --profile and a command. */
async function jobOf({ options }: CommandCall, words: readonly string[]): Promise<JobSpec> {
  const { jobFromProfile, parseArray, parseDependencies, readJobFile, readProfile, withSlurmErrors } =
    await import('../experiments/slurm/index.js');
  const { profile, name, output, array, dependency } = options as unknown as SlurmOptions;
  return withSlurmErrors(() => {
    const changes = {
      ...(name !== undefined && { name }),
      ...(output !== undefined && { output }),
      ...(array !== undefined && { array: parseArray(array, '--array') }),
      ...(dependency !== undefined && { dependencies: parseDependencies(dependency, '--dependency') }),
    };
    const [first] = words;
    if (first === undefined) {
      throw new LatentWireError('expected a job file, or --profile NAME -- PROGRAM ARGUMENTS', {
        code: 'input',
        hint: 'for example: latentwire slurm render slurm/jobs/run_main_experiment.yaml',
      });
    }
    if (profile === undefined) {
      if (words.length > 1) {
        throw new LatentWireError('expected one job file, or --profile before a command', { code: 'input' });
      }
      return { ...readJobFile(first), ...changes };
    }
    return jobFromProfile(readProfile(profile), { name: 'latentwire', ...changes, command: words });
  });
}

function someIds(ids: readonly string[], action: string): readonly string[] {
  if (ids.length > 0) return ids;
  throw new LatentWireError(`expected job ids to ${action}`, {
    code: 'input',
    hint: `latentwire slurm ${action} 12 13_4`,
  });
}

async function jobTable(jobs: readonly JobRecord[]): Promise<string> {
  if (jobs.length === 0) return 'no jobs';
  const { renderTable } = await import('../results/tables/index.js');
  const { jobPhase } = await import('../experiments/slurm/index.js');
  return renderTable({
    columns: [
      { title: 'job', align: 'right' },
      { title: 'name' },
      { title: 'state' },
      { title: 'reason' },
      { title: 'restarts', align: 'right' },
      { title: 'left', align: 'right' },
      { title: 'nodes' },
    ],
    rows: jobs.map((job) => [
      job.id,
      job.name,
      job.preemptTime !== undefined && job.state === 'RUNNING' ? 'RUNNING (preempted)' : job.state,
      job.reason ?? null,
      job.restarts ?? null,
      jobPhase(job.state) === 'active' && job.endTime !== undefined ? timeLeft(job.endTime) : null,
      job.nodes ?? null,
    ]),
  });
}

function timeLeft(end: Date): string {
  const minutes = Math.max(0, Math.round((end.getTime() - Date.now()) / 60_000));
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`;
}

async function followJob(queue: SlurmQueue, id: string, file: string, position: number): Promise<void> {
  const { jobPhase } = await import('../experiments/slurm/index.js');
  let at = position;
  for (let look = 0; ; look++) {
    // The queue is asked once in ten looks at the file; what was printed before the end is still shown.
    const ended =
      look % 10 === 9 && (await queue.look([id])).every(({ state }) => jobPhase(state) === 'ended');
    const { size } = statSync(file);
    if (size < at) at = 0;
    if (size > at) process.stderr.write(readPart(file, at, size));
    at = size;
    if (ended) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
