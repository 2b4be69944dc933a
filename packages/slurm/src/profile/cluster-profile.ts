/**
 * What is the same for all jobs of one cluster: account, partition, limits, signal, environment. Read from YAML by the
 * caller; here it is checked and turned into a job description.
 */
import { SlurmError } from '../errors.js';
import type { ContainerHook, JobSpec, SignalName, SignalRequest } from '../script/index.js';

export interface ClusterProfile {
  readonly name: string;
  /** What it is for, shown in lists. */
  readonly description?: string;
  readonly account?: string;
  readonly partition?: string;
  readonly qos?: string;
  readonly reservation?: string;
  readonly constraint?: string;
  readonly exclude?: string;
  readonly nodes?: number;
  readonly gpus_per_node?: number;
  readonly tasks_per_node?: 'one-per-gpu' | number;
  readonly cpus_per_task?: number;
  readonly memory?: string;
  /** `12:00:00`, `1-00:00:00`. */
  readonly time?: string;
  /** `TERM@120` or `B:USR1@60`. */
  readonly signal?: string;
  readonly requeue?: boolean;
  readonly output?: string;
  readonly work_dir?: string;
  readonly modules?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly setup?: readonly string[];
  readonly container?: { readonly prefix?: readonly string[]; readonly srun_flags?: readonly string[] };
  readonly srun_flags?: readonly string[];
  /** How many tasks of an array run at once unless a job says otherwise. */
  readonly array_at_once?: number;
}

type Kind = 'text' | 'count' | 'flag' | 'texts' | 'variables' | 'tasks' | 'container';

const FIELDS: Readonly<Record<keyof ClusterProfile, Kind>> = {
  name: 'text',
  description: 'text',
  account: 'text',
  partition: 'text',
  qos: 'text',
  reservation: 'text',
  constraint: 'text',
  exclude: 'text',
  nodes: 'count',
  gpus_per_node: 'count',
  tasks_per_node: 'tasks',
  cpus_per_task: 'count',
  memory: 'text',
  time: 'text',
  signal: 'text',
  requeue: 'flag',
  output: 'text',
  work_dir: 'text',
  modules: 'texts',
  environment: 'variables',
  setup: 'texts',
  container: 'container',
  srun_flags: 'texts',
  array_at_once: 'count',
};

/** Names of all fields, for documentation and typo hints. */
export const profileFields = Object.keys(FIELDS) as (keyof ClusterProfile)[];

/**
 * A profile from parsed YAML or JSON.
 * @param source names the file in errors
 * @throws SlurmError `invalid-spec` naming the field
 */
export function parseProfile(value: unknown, source: string): ClusterProfile {
  if (!isRecord(value)) throw invalid(source, 'a mapping of fields', value);
  for (const [field, content] of Object.entries(value)) {
    const kind = (FIELDS as Record<string, Kind | undefined>)[field];
    if (kind === undefined) {
      throw new SlurmError(`${source}: unknown field ${JSON.stringify(field)}`, {
        kind: 'invalid-spec',
        hint: `the fields are ${profileFields.join(', ')}`,
      });
    }
    const expected = objection(kind, content);
    if (expected !== undefined) throw invalid(`${source}: ${field}`, expected, content);
  }
  if (typeof value.name !== 'string') throw invalid(`${source}: name`, 'a text', value.name);
  const profile = value as unknown as ClusterProfile;
  if (profile.time !== undefined) parseTimeLimit(profile.time, `${source}: time`);
  if (profile.signal !== undefined) parseSignal(profile.signal, `${source}: signal`);
  return profile;
}

/** What a single job adds to its cluster's profile; its own values win. */
export type JobRequest = Pick<JobSpec, 'name' | 'command'> & Partial<JobSpec>;

/** A job description: the profile's settings, then the job's. */
export function jobFromProfile(profile: ClusterProfile, job: JobRequest): JobSpec {
  const { container } = profile;
  const fromProfile: Partial<JobSpec> = defined({
    account: profile.account,
    partition: profile.partition,
    qos: profile.qos,
    reservation: profile.reservation,
    constraint: profile.constraint,
    exclude: profile.exclude,
    nodes: profile.nodes,
    gpusPerNode: profile.gpus_per_node,
    tasksPerNode: profile.tasks_per_node,
    cpusPerTask: profile.cpus_per_task,
    memory: profile.memory,
    timeLimitSeconds: profile.time === undefined ? undefined : parseTimeLimit(profile.time, 'time'),
    signal: profile.signal === undefined ? undefined : parseSignal(profile.signal, 'signal'),
    output: profile.output,
    workDir: profile.work_dir,
    modules: profile.modules,
    setup: profile.setup,
    srunFlags: profile.srun_flags,
    container:
      container && (defined({ prefix: container.prefix, srunFlags: container.srun_flags }) as ContainerHook),
  });
  const atOnce = job.array?.atOnce ?? profile.array_at_once;
  return {
    requeue: profile.requeue ?? true,
    ...fromProfile,
    ...(defined(job) as JobRequest),
    environment: { ...profile.environment, ...job.environment },
    ...(job.array !== undefined && { array: { ...job.array, ...(atOnce !== undefined && { atOnce }) } }),
  };
}

const SIGNAL = /^(B:)?(?:SIG)?(TERM|INT|USR1|USR2|HUP)@(\d+)$/;

/** `TERM@120`: seconds before the limit; `B:` sends it to the batch shell. @throws SlurmError `invalid-spec` */
export function parseSignal(text: string, field: string): SignalRequest {
  const match = SIGNAL.exec(text);
  if (match === null) throw invalid(field, 'a signal such as TERM@120 or B:USR1@60', text);
  return {
    name: match[2] as SignalName,
    secondsBefore: Number(match[3]),
    to: match[1] === undefined ? 'tasks' : 'batch',
  };
}

/** Seconds of `HH:MM:SS` or `D-HH:MM:SS`; shorter forms mean different things to different people. */
export function parseTimeLimit(text: string, field: string): number {
  const match = /^(?:(\d+)-)?(\d{1,3}):([0-5]\d):([0-5]\d)$/.exec(text);
  if (match === null) throw invalid(field, 'a time limit such as 12:00:00 or 2-00:00:00', text);
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

/** What was expected, or undefined when the content is fine. */
function objection(kind: Kind, content: unknown): string | undefined {
  const isTexts = Array.isArray(content) && content.every((item) => typeof item === 'string');
  const isCount = Number.isSafeInteger(content) && (content as number) >= 0;
  switch (kind) {
    case 'text':
      return typeof content === 'string' && content !== '' ? undefined : 'a text';
    case 'count':
      return isCount ? undefined : 'a whole number';
    case 'flag':
      return typeof content === 'boolean' ? undefined : 'true or false';
    case 'texts':
      return isTexts ? undefined : 'a list of texts';
    case 'tasks':
      return content === 'one-per-gpu' || isCount ? undefined : 'one-per-gpu or a whole number';
    case 'variables':
      return isRecord(content) && Object.values(content).every((item) => typeof item === 'string')
        ? undefined
        : 'names with texts (numbers in quotes)';
    case 'container':
      return isRecord(content) &&
        Object.entries(content).every(
          ([key, list]) => ['prefix', 'srun_flags'].includes(key) && objection('texts', list) === undefined,
        )
        ? undefined
        : 'prefix and srun_flags, each a list of texts';
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function invalid(where: string, expected: string, got: unknown): SlurmError {
  return new SlurmError(`${where}: expected ${expected}, got ${JSON.stringify(got)}`, {
    kind: 'invalid-spec',
  });
}
