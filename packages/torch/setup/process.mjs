/**
 * The set-up's one way to run another program: output line by line, all of it to a log, none of it to the screen.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, createWriteStream, mkdirSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * @typedef {object} RunResult
 * @property {boolean} ok       started and exited with 0
 * @property {number} code      exit code; -1 when it never started or died of a signal
 * @property {boolean} missing  there is no such program
 * @property {boolean} timedOut it ran past `timeoutMs` and was ended
 * @property {string} output    stdout and stderr as they came, the last 1 MB
 * @property {string} stdout    stdout alone, the last 1 MB
 */

/** @typedef {NodeJS.ProcessEnv} Env */

const KEPT_CHARACTERS = 1_000_000;

/** How long a program may take to end when asked to. */
const PATIENCE_MS = 2000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
/** Told to stop: nobody shall mistake the end of a program for its failure. */
let stopping = false;

/**
 * Runs a program to its end. Never throws for what the program does: the caller turns results into errors.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Env, log?: string, timeoutMs?: number, signal?: AbortSignal,
 *   onLine?: (line: string) => void }} [options]
 *   log: file that gets every line as well (created, or appended to); signal: kills the program
 * @returns {Promise<RunResult>}
 */
export async function run(command, args, { cwd, env = process.env, log, timeoutMs, signal, onLine } = {}) {
  if (log) mkdirSync(dirname(log), { recursive: true });
  const logStream = log ? createWriteStream(log, { flags: 'a' }) : undefined;
  logStream?.write(`$ ${[command, ...args].join(' ')}\n`);
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  let stdout = '';
  let timedOut = false;
  const timer = timeoutMs
    ? setTimeout(() => {
        timedOut = true;
        child.kill('SIGKILL');
      }, timeoutMs)
    : undefined;
  signal?.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
  createInterface({ input: child.stdout }).on('line', (line) => {
    stdout = `${stdout}${line}\n`.slice(-KEPT_CHARACTERS);
    take(line);
  });
  createInterface({ input: child.stderr }).on('line', take);

  /** @param {string} line */
  function take(line) {
    output = `${output}${line}\n`.slice(-KEPT_CHARACTERS);
    logStream?.write(`${line}\n`);
    onLine?.(line);
  }

  /** @type {{ code: number, missing: boolean }} */
  const end = await new Promise((resolve) => {
    child.on('error', (error) => {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      output += `${error.message}\n`;
      resolve({ code: -1, missing: code === 'ENOENT' || code === 'EACCES' });
    });
    child.on('close', (code) => resolve({ code: code ?? -1, missing: false }));
  });
  if (stopping) await new Promise(() => {});
  clearTimeout(timer);
  running.delete(child);
  if (logStream) await new Promise((resolve) => logStream.end(() => resolve(undefined)));
  return { ok: end.code === 0, code: end.code, missing: end.missing, timedOut, output, stdout };
}

/**
 * Ends what still runs when the set-up itself is told to stop, so that no download goes on unseen.
 * @param {() => void} onStop  says goodbye; the process exits after it
 */
export function stopChildrenOnSignal(onStop) {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      stopping = true;
      onStop();
      const exit = () => process.exit(signal === 'SIGINT' ? 130 : 143);
      if (running.size === 0) exit();
      for (const child of running) {
        child.once('close', () => {
          running.delete(child);
          if (running.size === 0) exit();
        });
        child.kill('SIGTERM');
      }
      setTimeout(() => {
        for (const child of running) child.kill('SIGKILL'); // npm does not listen to anything milder
        exit();
      }, PATIENCE_MS);
    });
  }
}

/**
 * @param {string} name  a bare program name, or a path
 * @param {Env} [env]
 * @returns {string | undefined} where PATH has it
 */
export function which(name, env = process.env) {
  if (name.includes('/')) return isExecutable(name) ? name : undefined;
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder && isExecutable(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
