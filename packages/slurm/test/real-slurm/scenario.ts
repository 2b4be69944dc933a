/** One job of a scenario: the counting stand-in under a rendered script, and what became of it. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createRunner,
  type JobRecord,
  type JobSpec,
  jobPhase,
  readJob,
  readJobcomp,
  type SlurmRunner,
  submitJob,
} from '../../src/index.js';
import type { PrivateCluster } from './private-cluster.js';

export interface CounterEvent {
  readonly event: 'start' | 'saved' | 'decision' | 'exit';
  readonly at: number;
  readonly pid: number;
  readonly node: string;
  readonly from?: number;
  readonly step?: number;
  readonly restarts?: number;
  readonly stop?: string;
  readonly signal?: string;
  readonly action?: string;
  readonly cause?: string;
  readonly exitCode?: number;
  readonly argument?: string;
}

export interface CounterRun {
  readonly steps: number;
  readonly stepMs?: number;
  readonly flags?: readonly string[];
  readonly spec?: Partial<JobSpec>;
}

/** Jobs of one cluster; their folders lie inside the cluster's. */
export class Scenario {
  readonly runner: SlurmRunner;
  readonly folder: string;
  id = '';

  constructor(
    readonly cluster: PrivateCluster,
    private readonly packageFile: string,
    readonly name: string,
  ) {
    this.runner = createRunner({ env: cluster.env });
    this.folder = path.join(cluster.folder, 'runs', name);
  }

  /** Submits the counter. @returns the job id */
  async submit({ steps, stepMs = 100, flags = [], spec = {} }: CounterRun): Promise<string> {
    const counter = fileURLToPath(new URL('counter.mjs', import.meta.url));
    // An array's tasks have a folder each; the shell in between is replaced, as the policy demands.
    const command =
      spec.array === undefined
        ? [process.execPath, counter, this.packageFile, this.folder]
        : [
            'bash',
            '-c',
            // biome-ignore lint/suspicious/noTemplateCurlyInString: shell
            'exec "$1" "$2" "$3" "$4-$SLURM_ARRAY_TASK_ID" "${@:5}"',
            'task',
            process.execPath,
            counter,
            this.packageFile,
            this.folder,
          ];
    this.id = await submitJob(this.runner, {
      name: this.name,
      requeue: true,
      cpusPerTask: 32,
      memory: '1G',
      output: path.join(this.cluster.folder, `${this.name}-%j.out`),
      workDir: this.cluster.folder,
      command: [...command, String(steps), String(stepMs), ...flags],
      ...spec,
    });
    return this.id;
  }

  /** Takes a node for a moment, which preempts what runs there in the partition `preempt`, or as `spec` says. */
  async preempt(node: string, spec: Partial<JobSpec> = {}): Promise<void> {
    await submitJob(this.runner, {
      name: `${this.name}-urgent`,
      partition: 'normal',
      requeue: false,
      nodeList: node,
      cpusPerTask: 32,
      memory: '1G',
      output: '/dev/null',
      command: ['sleep', '1'],
      ...spec,
    });
  }

  events(suffix = ''): CounterEvent[] {
    const file = path.join(`${this.folder}${suffix}`, 'events.jsonl');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as CounterEvent);
  }

  first(event: CounterEvent['event']): CounterEvent | undefined {
    return this.events().find((entry) => entry.event === event);
  }

  count(event: CounterEvent['event'], suffix = ''): number {
    return this.events(suffix).filter((entry) => entry.event === event).length;
  }

  /** The counter's saved state. */
  state(suffix = ''): { step: number; digest: string } {
    return JSON.parse(readFileSync(path.join(`${this.folder}${suffix}`, 'state.json'), 'utf8')) as never;
  }

  output(): string {
    return readFileSync(path.join(this.cluster.folder, `${this.name}-${this.id}.out`), 'utf8');
  }

  hasOutput(text: string): boolean {
    return this.output().includes(text);
  }

  job(id = this.id): Promise<JobRecord> {
    return readJob(this.runner, id);
  }

  /** The job once Slurm counts it as ended and nothing of it runs. */
  async ended(id = this.id, limitMs = 200_000): Promise<JobRecord> {
    let last: JobRecord | undefined;
    await until(
      `the end of job ${id}`,
      async () => {
        last = await this.job(id);
        return jobPhase(last.state) === 'ended';
      },
      limitMs,
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(last)} ${JSON.stringify(this.events())}`);
    });
    return last!;
  }

  /** States of all runs of the job, in order, from the completion file. */
  async runs(id = this.id): Promise<string[]> {
    const records = await readJobcomp(path.join(this.cluster.folder, 'log/jobcomp.log'), [id]);
    return records.map(({ state }) => state);
  }
}

/** The digest after `steps` steps that nothing disturbed. */
export function undisturbed(steps: number): { step: number; digest: string } {
  let digest = '';
  for (let step = 1; step <= steps; step++) {
    digest = createHash('sha256').update(`${digest}${step}`).digest('hex');
  }
  return { step: steps, digest };
}

/** Waits for a condition; errors of it count as "not yet". */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  limitMs = 90_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  const isTrueNow = async () => isTrue();
  for (;;) {
    if (await isTrueNow().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
