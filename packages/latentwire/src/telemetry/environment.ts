/**
 * environment.json: what a result depended on besides its configuration. Everything is best effort: what
 * cannot be found out is null, never guessed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import spawn from 'nano-spawn';
import { type Clock, systemClock } from './clock.js';

const PROBE_TIMEOUT_MS = 5_000;
const PACKAGES = ['latentwire', '@latentwire/torch', '@latentwire/stats', '@latentwire/slurm'];

export interface GpuInfo {
  readonly name: string;
  readonly memory_mib: number;
  readonly driver: string;
}

export interface Environment {
  readonly recorded_at: string;
  readonly attempt: number;
  readonly command: readonly string[];
  /** The checkout that the program runs from; null outside one. */
  readonly git: { readonly commit: string; readonly branch: string | null; readonly dirty: boolean } | null;
  /** Version per program or package; null when unknown. */
  readonly versions: Readonly<Record<string, string | null>>;
  readonly host: {
    readonly name: string;
    readonly system: string;
    readonly cpu: string | null;
    readonly cpu_count: number;
    readonly memory_bytes: number;
  };
  /** Null when nvidia-smi is not there or fails; [] when it finds no GPU. */
  readonly gpus: readonly GpuInfo[] | null;
  /** SLURM_* identifiers of the job; null outside Slurm. */
  readonly slurm: Readonly<Record<string, string>> | null;
  /** Variables that change speed or results. */
  readonly variables: Readonly<Record<string, string>>;
}

const SLURM_VARIABLES = [
  'SLURM_JOB_ID',
  'SLURM_JOB_NAME',
  'SLURM_JOB_PARTITION',
  'SLURM_ARRAY_JOB_ID',
  'SLURM_ARRAY_TASK_ID',
  'SLURM_RESTART_COUNT',
  'SLURM_NNODES',
  'SLURM_NTASKS',
  'SLURM_PROCID',
  'SLURM_JOB_NODELIST',
  'SLURM_CLUSTER_NAME',
];
const VARIABLES = [
  'CUDA_VISIBLE_DEVICES',
  'WORLD_SIZE',
  'OMP_NUM_THREADS',
  'MKL_NUM_THREADS',
  'CUBLAS_WORKSPACE_CONFIG',
  'PYTORCH_CUDA_ALLOC_CONF',
  'LATENTWIRE_TORCH',
  'LATENTWIRE_DATA',
  'HF_HUB_OFFLINE',
];

/**
 * Looks at the machine; takes as long as `git status` and `nvidia-smi` take, at most 5 s each.
 * @param torch version of libtorch, from the caller: this folder does not load it
 */
export async function collectEnvironment(options: {
  readonly attempt: number;
  readonly torch?: string | null;
  readonly clock?: Clock;
  readonly env?: NodeJS.ProcessEnv;
}): Promise<Environment> {
  const { attempt, torch = null, clock = systemClock, env = process.env } = options;
  const [git, gpus] = await Promise.all([readGit(), readGpus()]);
  const slurm = pick(env, SLURM_VARIABLES);
  return {
    recorded_at: clock.now().toISOString(),
    attempt,
    command: process.argv.slice(1),
    git,
    versions: { node: process.versions.node, torch, ...packageVersions() },
    host: {
      name: os.hostname(),
      system: `${os.type()} ${os.release()} ${os.arch()}`,
      cpu: os.cpus()[0]?.model.trim() ?? null,
      cpu_count: os.availableParallelism(),
      memory_bytes: os.totalmem(),
    },
    gpus,
    slurm: Object.keys(slurm).length > 0 ? slurm : null,
    variables: pick(env, VARIABLES),
  };
}

/** GPUs from nvidia-smi's CSV (name, MiB, driver); exported for its test. */
export function parseGpuList(csv: string): GpuInfo[] {
  return csv
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', memory = '', driver = ''] = line.split(',').map((cell) => cell.trim());
      return { name, memory_mib: Number(memory), driver };
    });
}

async function readGit(): Promise<Environment['git']> {
  const directory = fileURLToPath(new URL('.', import.meta.url));
  const commit = await output('git', ['-C', directory, 'rev-parse', 'HEAD']);
  if (commit === undefined) return null;
  const branch = await output('git', ['-C', directory, 'symbolic-ref', '--short', '-q', 'HEAD']);
  const changes = await output('git', ['-C', directory, 'status', '--porcelain', '--untracked-files=no']);
  return { commit, branch: branch ?? null, dirty: changes !== '' };
}

async function readGpus(): Promise<GpuInfo[] | null> {
  const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits'];
  const csv = await output('nvidia-smi', query);
  return csv === undefined ? null : parseGpuList(csv);
}

/** Trimmed stdout, or undefined when the program is not there, fails or takes too long. */
async function output(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await spawn(program, args, {
      // Not `timeout`: where there is no such program its timer would keep this process alive.
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      stdin: 'ignore',
    });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

function packageVersions(): Record<string, string | null> {
  const own = fileURLToPath(new URL('../../package.json', import.meta.url));
  const require = createRequire(import.meta.url);
  return Object.fromEntries(
    PACKAGES.map((name) => [name, name === 'latentwire' ? versionIn(own) : installedVersion(require, name)]),
  );
}

function installedVersion(require: NodeJS.Require, name: string): string | null {
  for (const root of require.resolve.paths(name) ?? []) {
    const found = versionIn(`${root}/${name}/package.json`);
    if (found !== null) return found;
  }
  return null;
}

function versionIn(file: string): string | null {
  if (!existsSync(file)) return null;
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
  return version ?? null;
}

function pick(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
