/** A plan of stand-in trainings under a private Slurm: submitted, disturbed, and held against an undisturbed twin. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  createRunner,
  type JobRecord,
  jobPhase,
  readSqueue,
  type SlurmRunner,
  submitJob,
} from '@latentwire/slurm';
import type { PrivateCluster } from '../../../slurm/test/real-slurm/private-cluster.js';
import { until } from '../../../slurm/test/real-slurm/scenario.js';
import {
  type AttemptEvent,
  Claims,
  cellFiles,
  claimsFolder,
  InProcessExecutor,
  loadPlan,
  type Plan,
  runPlan,
} from '../../src/experiments/index.js';
import { type Reconciliation, submitPlan } from '../../src/experiments/slurm-plan/index.js';
import { standInTrain } from '../../src/experiments/stand-in-trainer.fixture.js';
import { readDiagnostics, readJsonLines, silentLogger } from '../../src/telemetry/index.js';

const SAVE_EVERY = 5;

export interface PlanSetting {
  readonly text: string;
  readonly folder: string;
  /** JavaScript of stand-in-slurm.fixture. */
  readonly fixture: string;
  readonly stepMs: number;
  readonly profile?: Readonly<Record<string, unknown>>;
  /** In which Slurm's commands are found; that of the cluster by default. */
  readonly env?: NodeJS.ProcessEnv;
}

export class PlanInSlurm {
  readonly runner: SlurmRunner;
  readonly plan: Plan;
  private readonly file: string;

  constructor(
    readonly cluster: PrivateCluster,
    private readonly setting: PlanSetting,
  ) {
    this.runner = createRunner({ env: setting.env ?? cluster.env, pausesMs: [200, 500] });
    mkdirSync(setting.folder, { recursive: true });
    this.file = path.join(setting.folder, 'plan.yaml');
    writeFileSync(this.file, setting.text);
    this.plan = loadPlan(this.file, { directory: path.join(setting.folder, 'runs') });
  }

  submit(
    options: { readonly retryFailed?: boolean; readonly guard?: boolean } = {},
  ): Promise<Reconciliation> {
    const { profile, fixture, stepMs, folder } = this.setting;
    return submitPlan(
      {
        plan: this.plan,
        profile: {
          ...{ name: 'test', partition: 'preempt', memory: '100M', time: '01:00:00', ...profile },
        },
        ...{ atOnce: null, ignoreGates: false, workDir: folder },
      },
      {
        ...{ program: [process.execPath, fixture, String(stepMs)], logger: silentLogger },
        ...{ runner: this.runner, ...options },
      },
    );
  }

  /** Jobs of this plan that Slurm remembers. */
  async jobs(): Promise<JobRecord[]> {
    const jobs = await readSqueue(this.runner);
    return jobs.filter(({ name }) => name.startsWith(`${this.plan.name}.`));
  }

  async live(): Promise<JobRecord[]> {
    return (await this.jobs()).filter(({ state }) => jobPhase(state) !== 'ended');
  }

  /** Cells at work by their claims, with the process that trains and the one that looks after it. */
  workers(): { readonly cell: string; readonly runner: number; readonly trainer: number }[] {
    const folder = claimsFolder(this.plan.directory);
    const claims = new Claims(folder);
    return this.plan.cells.flatMap(({ name }) => {
      const found = claims.look(name);
      if (found.kind !== 'held' || found.record.worker === null) return [];
      return [{ cell: name, runner: found.record.holder.pid, trainer: found.record.worker.pid }];
    });
  }

  /** The process of the batch shell above a cell that is at work. */
  async batchShell(cell: string): Promise<number> {
    const { runner } = this.workers().find((worker) => worker.cell === cell)!;
    const variables = readFileSync(`/proc/${runner}/environ`, 'utf8').split('\0');
    const job = variables.find((variable) => variable.startsWith('SLURM_JOB_ID='));
    const shell = this.cluster.leftOver().find((pid) => {
      try {
        const [command, environment] = ['cmdline', 'environ'].map((name) =>
          readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0'),
        );
        return command![1]?.endsWith('slurm_script') === true && environment!.includes(job!);
      } catch {
        return false; // It has just ended.
      }
    });
    if (shell === undefined) throw new Error(`no batch shell of ${job}`);
    return shell;
  }

  /** Takes a node for a moment, which preempts what runs there in the partition `preempt`. */
  async preempt(node: string): Promise<void> {
    await submitJob(this.runner, {
      ...{ name: 'urgent', partition: 'normal', requeue: false, nodeList: node, cpusPerTask: 32 },
      ...{ memory: '1G', output: '/dev/null', command: ['sleep', '0.2'] },
    });
  }

  /** Waits until nothing of the plan is in the queue. */
  async ended(limitMs: number): Promise<void> {
    await until(`the end of ${this.plan.name}`, async () => (await this.live()).length === 0, limitMs);
  }

  done(): number {
    return this.plan.cells.filter(({ name }) =>
      this.attempts(name).some((e) => e.event === 'end' && e.cause === 'completed'),
    ).length;
  }

  /** Steps that all cells have done, those done again counted once. */
  steps(): number {
    return this.plan.cells.reduce((sum, { name }) => {
      const file = path.join(this.plan.directory, name, 'logs', 'diagnostics.jsonl');
      return sum + (existsSync(file) ? readDiagnostics(file).length : 0);
    }, 0);
  }

  attempts(cell: string): AttemptEvent[] {
    const { attempts } = cellFiles(this.plan.directory, cell);
    return existsSync(attempts) ? (readJsonLines(attempts) as unknown as AttemptEvent[]) : [];
  }

  /** Why each start of a cell's task ended, as the task saw it first: `preemption`, `time-limit`, … */
  decisions(cell: string): string[] {
    const file = path.join(cellFiles(this.plan.directory, cell).folder, 'slurm.jsonl');
    const events = readJsonLines(file) as { event: string; cause?: string }[];
    return events.flatMap(({ event, cause }, i) =>
      event === 'decision' && events[i - 1]?.event === 'end' ? [cause!] : [],
    );
  }

  /** Every violation of: each cell once, nothing lost beyond the last save, no row twice. Empty when all is well. */
  problems(): string[] {
    return this.plan.cells.flatMap(({ name, config }) => {
      const problems: string[] = [];
      const ends = this.attempts(name).flatMap((event) => (event.event === 'end' ? [event] : []));
      const completed = ends.filter(({ cause }) => cause === 'completed').length;
      if (completed !== 1) problems.push(`${name}: completed ${completed} times`);
      const file = path.join(this.plan.directory, name, 'logs', 'diagnostics.jsonl');
      const steps = readDiagnostics(file).map(({ step }) => step);
      const total = config.data.samples!;
      if (steps.length !== total || steps.some((step, i) => step !== i + 1)) {
        problems.push(`${name}: rows of steps ${steps.join()}`);
      }
      // The file as it grew: where an attempt begins anew, everything up to the last save had been done.
      const grown = readJsonLines(file) as { step: number; attempt: number }[];
      for (const [i, row] of grown.entries()) {
        const before = grown[i - 1];
        if (before === undefined || row.step === before.step + 1) continue;
        const saved = SAVE_EVERY * Math.floor((before.step - 1) / SAVE_EVERY);
        if (row.attempt <= before.attempt || row.step > before.step || row.step <= saved) {
          problems.push(
            `${name}: step ${row.step} of attempt ${row.attempt} after ${before.step} of ${before.attempt}`,
          );
        }
      }
      return problems;
    });
  }

  /** The plan in one process that nothing disturbs. */
  async twin(): Promise<Plan> {
    const plan = loadPlan(this.file, { directory: path.join(this.setting.folder, 'twin') });
    const claims = new Claims(claimsFolder(plan.directory));
    const executor = new InProcessExecutor(async (config) => {
      await standInTrain(config, { stepMs: 0, checkpointEvery: SAVE_EVERY, stopping: () => false });
    });
    await runPlan(plan, { executor, claims, logger: silentLogger, pollMs: 5 });
    claims.close();
    return plan;
  }
}

const RESULTS = ['predictions.jsonl', 'logs/metrics.json', 'preempt_checkpoint/checkpoint_current.json'];

/** What the runs of a directory left, without what tells times and attempts. */
export function results(directory: string): Record<string, string> {
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  return Object.fromEntries(
    names
      .sort()
      .flatMap((name) =>
        RESULTS.map((file) => [`${name}/${file}`, readFileSync(path.join(directory, name, file), 'utf8')]),
      ),
  );
}
