/** The `#SBATCH` lines of a job description, in a fixed order. Long options only: they explain themselves. */
import { directiveValue } from '../shell/index.js';
import { type JobSpec, type SignalRequest, tasksPerNode } from './job-spec.js';

/** One string per line. */
export function directives(spec: JobSpec): string[] {
  const nodes = spec.nodes ?? 1;
  const gpus = spec.gpusPerNode ?? 0;
  const options: [name: string, value: string | number | undefined | false][] = [
    ['job-name', spec.name],
    ['account', spec.account],
    ['partition', spec.partition],
    ['qos', spec.qos],
    ['reservation', spec.reservation],
    ['constraint', spec.constraint],
    ['nodelist', spec.nodeList],
    ['exclude', spec.exclude],
    ['nodes', nodes],
    ['ntasks-per-node', tasksPerNode(spec)],
    ['cpus-per-task', spec.cpusPerTask],
    // --gpus is a total: on one node it says the same, and it is what people look for.
    [nodes === 1 ? 'gpus' : 'gpus-per-node', gpus > 0 && gpus],
    ['mem', spec.memory],
    ['time', spec.timeLimitSeconds === undefined ? undefined : timeLimit(spec.timeLimitSeconds)],
    ['signal', spec.signal && signalValue(spec.signal)],
    ['array', spec.array && arrayValue(spec.array.indices, spec.array.atOnce)],
    ['dependency', spec.dependencies?.map(({ kind, jobs }) => `${kind}:${jobs.join(':')}`).join(',')],
    ['kill-on-invalid-dep', spec.dependencies && 'yes'],
    ['output', spec.output],
    ['chdir', spec.workDir],
    ['comment', spec.comment],
  ];
  const lines = options
    .filter(([, value]) => value !== undefined && value !== false && value !== '')
    .map(([name, value]) => `#SBATCH --${name}=${directiveValue(`--${name}`, String(value))}`);
  if (spec.hold === true) lines.push('#SBATCH --hold');
  // Without append a requeue empties the file of the run so far.
  lines.push('#SBATCH --open-mode=append', `#SBATCH --${spec.requeue ? 'requeue' : 'no-requeue'}`);
  return lines;
}

/** `TERM@120`, or `B:USR1@60` for the batch shell. */
export function signalValue({ name, secondsBefore, to }: SignalRequest): string {
  return `${to === 'batch' ? 'B:' : ''}${name}@${secondsBefore}`;
}

/** `12:00:00`, `2-00:00:00`: whole minutes, rounded up. */
export function timeLimit(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  const days = Math.floor(minutes / 1440);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${two(Math.floor((minutes % 1440) / 60))}:${two(minutes % 60)}:00`;
  return days > 0 ? `${days}-${clock}` : clock;
}

/** `0-5,8%2`: runs of consecutive indices joined. */
export function arrayValue(indices: readonly number[], atOnce?: number): string {
  const sorted = [...indices].sort((a, b) => a - b);
  const ranges: [first: number, last: number][] = [];
  for (const index of sorted) {
    const range = ranges.at(-1);
    if (range !== undefined && index === range[1] + 1) range[1] = index;
    else ranges.push([index, index]);
  }
  const text = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
  return atOnce === undefined ? text : `${text}%${atOnce}`;
}
