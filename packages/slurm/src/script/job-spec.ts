/**
 * What a batch job asks for, in words of sbatch's manual. Pure data: it can be stored, compared and rendered, and
 * rendering the same description always gives the same script.
 */

export type SignalName = 'TERM' | 'INT' | 'USR1' | 'USR2' | 'HUP';

export interface SignalRequest {
  readonly name: SignalName;
  /** Asked seconds before the time limit; Slurm sends it up to 60 s earlier. Preemption has the partition's GraceTime instead. */
  readonly secondsBefore: number;
  /** `tasks`: the processes under srun, which is where our work runs. `batch`: the batch shell alone (`B:`). */
  readonly to: 'tasks' | 'batch';
}

export interface ArraySpec {
  readonly indices: readonly number[];
  /** How many run at once; absent: all. */
  readonly atOnce?: number;
}

export type DependencyKind = 'after' | 'afterok' | 'afternotok' | 'afterany' | 'aftercorr';

export interface Dependency {
  readonly kind: DependencyKind;
  /** Job ids, `12` or `12_3`. */
  readonly jobs: readonly string[];
}

/** How the command gets into a container: words put before it, and flags for srun (pyxis). */
export interface ContainerHook {
  /** For example `['apptainer', 'exec', '--nv', 'image.sif']`. */
  readonly prefix?: readonly string[];
  /** For example `['--container-image=image.sqsh']`. */
  readonly srunFlags?: readonly string[];
}

export interface JobSpec {
  /** Job name; one line. */
  readonly name: string;
  readonly account?: string;
  readonly partition?: string;
  readonly qos?: string;
  readonly reservation?: string;
  readonly constraint?: string;
  readonly nodeList?: string;
  readonly exclude?: string;
  /** Default 1. */
  readonly nodes?: number;
  /** GPUs of each node; 0 or absent: none asked for. */
  readonly gpusPerNode?: number;
  /** `one-per-gpu` (default where there are GPUs), or tasks on each node. */
  readonly tasksPerNode?: 'one-per-gpu' | number;
  readonly cpusPerTask?: number;
  /** Per node, as sbatch writes it: `256GB`, `4000M`. */
  readonly memory?: string;
  /** Seconds; Slurm counts in minutes, so this is rounded up to one. */
  readonly timeLimitSeconds?: number;
  readonly signal?: SignalRequest;
  /** Whether Slurm may start the job again after preemption, a lost node or `scontrol requeue`. */
  readonly requeue: boolean;
  /**
   * Also after SIGKILL (exit code 137), which Slurm counts as failure. Only for a command that counts its own crashes,
   * for nothing else ends the circle.
   */
  readonly requeueWhenKilled?: boolean;
  readonly array?: ArraySpec;
  readonly dependencies?: readonly Dependency[];
  /** File of stdout and stderr, with Slurm's patterns (`%j`, `%x`, `%A`, `%a`); see `literalPath`. Always appended to. */
  readonly output?: string;
  /** Where the command runs. The job fails at once when it is not there; Slurm alone would fall back to /tmp. */
  readonly workDir?: string;
  readonly comment?: string;
  /** Submitted on hold, to be let go with `scontrol release`. */
  readonly hold?: boolean;
  readonly modules?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Lines of shell that a profile needs before the work, e.g. `source venv/bin/activate`. Taken as they are. */
  readonly setup?: readonly string[];
  readonly container?: ContainerHook;
  /** Further words for srun, e.g. `--cpu-bind=none`. */
  readonly srunFlags?: readonly string[];
  /** The program and its arguments. With an array, `SLURM_ARRAY_TASK_ID` tells the tasks apart. */
  readonly command: readonly string[];
  /** Lines put after the directives as comments. */
  readonly notes?: readonly string[];
}

/** Tasks on each node. */
export function tasksPerNode(spec: JobSpec): number {
  if (typeof spec.tasksPerNode === 'number') return spec.tasksPerNode;
  return Math.max(1, spec.gpusPerNode ?? 0);
}
