/**
 * Which of several processes of one training this is, from the variables of torch's env:// rendezvous. `latentwire launch`
 * and our batch scripts set them (docs/SLURM.md); under a plain srun they follow from Slurm's own.
 */
import { LatentWireError } from '../../errors.js';

export interface Place {
  readonly rank: number;
  /** Number of processes, one for each GPU. */
  readonly size: number;
  /** Rank among those of this machine. */
  readonly localRank: number;
  /** Where rank 0 serves the store. */
  readonly host: string;
  readonly port: number;
}

/** null: this process trains alone. @throws LatentWireError `input` on variables that do not fit together */
export function placeOf(env: NodeJS.ProcessEnv = process.env): Place | null {
  const named = env.WORLD_SIZE === undefined ? slurmTask(env) : env;
  if (named.WORLD_SIZE === undefined || named.WORLD_SIZE === '1') return null;
  const size = wholeNumber(named, 'WORLD_SIZE', 1, 65_536);
  return {
    size,
    rank: wholeNumber(named, 'RANK', 0, size),
    localRank: wholeNumber({ LOCAL_RANK: named.RANK, ...named }, 'LOCAL_RANK', 0, size),
    host: text(named, 'MASTER_ADDR'),
    port: wholeNumber(named, 'MASTER_PORT', 1, 65_536),
  };
}

/** Variables of a task of several under srun, where no batch script of ours has set them. */
function slurmTask(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const tasks = env.SLURM_STEP_NUM_TASKS;
  if (tasks === undefined || tasks === '1' || env.SLURM_PROCID === undefined) return {};
  return {
    WORLD_SIZE: tasks,
    RANK: env.SLURM_PROCID,
    LOCAL_RANK: env.SLURM_LOCALID,
    MASTER_ADDR: env.MASTER_ADDR ?? (env.SLURM_STEP_NUM_NODES === '1' ? '127.0.0.1' : undefined),
    MASTER_PORT: env.MASTER_PORT ?? String(20_000 + (Number(env.SLURM_JOB_ID) % 20_000)),
  };
}

/**
 * Leaves this process the one GPU that is its own, as `cuda:0`. Before CUDA is first used.
 * @param device `system.device` of the configuration
 */
export function takeOwnGpu({ localRank }: Place, device: string, env: NodeJS.ProcessEnv = process.env): void {
  if (device === 'cpu') return;
  if (device.startsWith('cuda:')) {
    throw new LatentWireError(
      `expected --device auto, cuda or cpu with several processes, got ${JSON.stringify(device)}`,
      {
        code: 'input',
        hint: 'each process takes the GPU of its rank; CUDA_VISIBLE_DEVICES chooses among them',
      },
    );
  }
  const visible = env.CUDA_VISIBLE_DEVICES?.split(',').filter((gpu) => gpu.trim() !== '');
  // None: on the CPU. One alone was given to this process already, by the launcher or by Slurm.
  if (visible !== undefined && visible.length <= 1) return;
  if (visible !== undefined && localRank >= visible.length) {
    throw new LatentWireError(
      `expected a GPU for local rank ${localRank}, got CUDA_VISIBLE_DEVICES=${env.CUDA_VISIBLE_DEVICES}`,
      { code: 'input', hint: 'start as many processes as there are GPUs' },
    );
  }
  env.CUDA_VISIBLE_DEVICES = visible?.[localRank] ?? String(localRank);
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, least: number, below: number): number {
  const value = text(env, name);
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number < below) return number;
  throw new LatentWireError(`expected ${name} from ${least} to ${below - 1}, got ${JSON.stringify(value)}`, {
    code: 'input',
    hint: 'start several processes with latentwire launch, or under srun',
  });
}

function text(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  throw new LatentWireError(`WORLD_SIZE is set and ${name} is not`, {
    code: 'input',
    hint: 'start several processes with latentwire launch, or under srun; or unset WORLD_SIZE',
  });
}
