/** The job this process runs in, from the variables that Slurm sets (sbatch(1), srun(1), "OUTPUT ENVIRONMENT"). */

export interface JobContext {
  /** What commands take: `12`, or `12_3` for an array task (its own number would be wrong: it may name the array). */
  readonly id: string;
  readonly array?: { readonly jobId: string; readonly taskId: number };
  readonly name?: string;
  readonly partition?: string;
  /** How often the job was started again before this run of it; 0 the first time. All causes count together. */
  readonly restarts: number;
  /** Rank of this task in its step and number of tasks; 0 of 1 outside srun. */
  readonly rank: number;
  readonly tasks: number;
  /** Whether this process is a task of an srun step; only those get Slurm's first warning. */
  readonly inStep: boolean;
  /** Where this task runs: the node's Slurm name, which on test clusters is not the host name. */
  readonly node?: string;
}

/** The job around this process; undefined outside Slurm. */
export function jobContext(env: NodeJS.ProcessEnv = process.env): JobContext | undefined {
  const jobId = env.SLURM_JOB_ID;
  if (jobId === undefined || !/^\d+$/.test(jobId)) return undefined;
  const arrayJob = env.SLURM_ARRAY_JOB_ID;
  const taskId = count(env.SLURM_ARRAY_TASK_ID);
  const isTask = arrayJob !== undefined && /^\d+$/.test(arrayJob) && taskId !== undefined;
  return {
    id: isTask ? `${arrayJob}_${taskId}` : jobId,
    ...(isTask && { array: { jobId: arrayJob, taskId } }),
    ...(env.SLURM_JOB_NAME !== undefined && { name: env.SLURM_JOB_NAME }),
    ...(env.SLURM_JOB_PARTITION !== undefined && { partition: env.SLURM_JOB_PARTITION }),
    restarts: count(env.SLURM_RESTART_COUNT) ?? 0,
    rank: count(env.SLURM_PROCID) ?? 0,
    tasks: count(env.SLURM_STEP_NUM_TASKS) ?? count(env.SLURM_NTASKS) ?? 1,
    // The batch shell has no step id, or one of the special ones above 4,000,000,000.
    inStep: (count(env.SLURM_STEP_ID) ?? 4e9) < 4e9,
    ...(env.SLURMD_NODENAME !== undefined && { node: env.SLURMD_NODENAME }),
  };
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
