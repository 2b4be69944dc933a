/**
 * The one way this package runs Slurm's commands: arguments as a list, never through a shell; a time-out; another try
 * when the controller has a hiccup; a clean environment, because SBATCH_*, SQUEUE_* and friends silently change what
 * the commands do, and a job's own SLURM_* would leak into the jobs it submits.
 */
import { spawn } from 'node:child_process';
import { SlurmError } from '../errors.js';
import { ACCOUNTING_AWAY, classifyFailure, type Failure, WAITS_FOR_ROOM } from './failure.js';

export type SlurmCommand = 'sbatch' | 'squeue' | 'sacct' | 'scontrol' | 'scancel' | 'sinfo';

export interface CommandOptions {
  /** Given to the command on stdin. */
  readonly input?: string;
  /** For one try, in milliseconds. */
  readonly timeoutMs?: number;
  /**
   * `read`: repeating does no harm, so time-outs are tried again too. `write` (default): only failures that surely
   * did nothing are tried again.
   */
  readonly effect?: 'read' | 'write';
}

export interface SlurmRunner {
  /** stdout of a command that succeeded. @throws SlurmError */
  run(command: SlurmCommand, args: readonly string[], options?: CommandOptions): Promise<string>;
}

export interface RunnerOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** For one try; default 30 s. */
  readonly timeoutMs?: number;
  /** Pauses between tries, in milliseconds; their number is the number of retries. Default 0.5, 2, 5, 10 s. */
  readonly pausesMs?: readonly number[];
  /** Told of each failure that is tried again. */
  readonly onRetry?: (error: SlurmError, pauseMs: number) => void;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_PAUSES_MS = [500, 2_000, 5_000, 10_000];
/** More than the JSON of ten thousand jobs; a limit all the same. */
const MAX_OUTPUT_BYTES = 512 * 2 ** 20;

/** A runner for the Slurm commands on PATH. */
export function createRunner(options: RunnerOptions = {}): SlurmRunner {
  const env = cleanEnvironment(options.env ?? process.env);
  const pauses = options.pausesMs ?? DEFAULT_PAUSES_MS;
  return {
    async run(command, args, { input, timeoutMs = options.timeoutMs, effect = 'write' } = {}) {
      for (let attempt = 0; ; attempt++) {
        const outcome = await runOnce(command, args, env, input, timeoutMs ?? DEFAULT_TIMEOUT_MS);
        if (typeof outcome === 'string') return outcome;
        const again = outcome.transient && (effect === 'read' || !outcome.ambiguous);
        const pause = pauses[attempt];
        if (!again || pause === undefined) throw outcome.error;
        options.onRetry?.(outcome.error, pause);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },
  };
}

/**
 * The environment for Slurm's commands: epoch times, English, whole array expressions, and none of the variables that
 * stand for command line options.
 */
export function cleanEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name]) =>
      !/^(?:SBATCH|SQUEUE|SACCT|SINFO|SCANCEL|SALLOC|SRUN|SCONTROL|SLURM|SLURMD|PMI|PMIX)_/.test(name),
  );
  const { SLURM_CONF } = env;
  return {
    ...Object.fromEntries(kept),
    ...(SLURM_CONF !== undefined && { SLURM_CONF }),
    LC_ALL: 'C',
    SLURM_TIME_FORMAT: '%s',
    SLURM_BITSTR_LEN: '0',
  };
}

function runOnce(
  command: SlurmCommand,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input: string | undefined,
  timeoutMs: number,
): Promise<string | Failure> {
  const shown = [command, ...args.filter((argument) => argument.startsWith('--') && !argument.includes('\n'))]
    .slice(0, 4)
    .join(' ');
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    let timedOut = false;
    // The request was refused and the next one not yet sent: a clear answer now is worth more than room later.
    child.stderr.on('data', () => WAITS_FOR_ROOM.test(stderr()) && child.kill('SIGKILL'));
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdin.on('error', () => {}); // it ended without reading; its exit code says why
    child.stdin.end(input ?? '');
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve({ error: notStarted(command, error), transient: false, ambiguous: false });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) return resolve(stdout());
      // `scontrol show config` pings the controller last, and says on stdout alone that it does not answer.
      const said = stderr().trim() === '' && command === 'scontrol' ? stdout() : stderr();
      const failure = classifyFailure(shown, code, said);
      if (!timedOut || failure.error.kind === 'not-configured') return resolve(failure);
      const history = command === 'sacct';
      const error = new SlurmError(`${shown}: no answer in ${timeoutMs / 1000} s`, {
        kind: history ? 'accounting-unreachable' : 'timed-out',
        command: shown,
        output: stderr(),
        hint: history ? ACCOUNTING_AWAY : 'look with `scontrol ping`; running jobs go on meanwhile',
      });
      // A database that hangs goes on hanging, and the queue does not depend on it.
      resolve({ error, transient: !history, ambiguous: true });
    });
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function notStarted(command: string, cause: NodeJS.ErrnoException): SlurmError {
  const missing = cause.code === 'ENOENT' || cause.code === 'EACCES';
  return new SlurmError(
    missing ? `expected Slurm's ${command} on PATH, found none` : `cannot start ${command}: ${cause.message}`,
    {
      kind: missing ? 'not-installed' : 'refused',
      command,
      hint: 'run this on a login node of the cluster, perhaps after `module load slurm`',
      cause,
    },
  );
}
