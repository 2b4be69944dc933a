/**
 * Rehearsals of what can happen to a run, on real processes: a training is started, hit, and let go on, beside a twin
 * that is left alone. The verdict is what `compareRuns` finds, and what each hit had to look like from outside.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { runLocation, runPaths } from '../telemetry/index.js';
import { checkpointPath } from './checkpoint/index.js';
import { type Check, compareRuns, verifyRun } from './verification.js';

export const DRILLS = ['preemption', 'kill', 'disk-full', 'corrupt'] as const;
export type Drill = (typeof DRILLS)[number];

export interface DrillOptions {
  /** Program and first arguments of a training; `--save-dir` and the drill's own flags follow. */
  readonly command: readonly [string, ...string[]];
  /** Empty or absent folder for the runs. */
  readonly folder: string;
  /** How often preemption and kill hit. */
  readonly hits: number;
  readonly onLine?: (line: string) => void;
}

export interface DrillResult {
  readonly drill: Drill;
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/** Trains the twin, then the run that is hit. */
export async function runDrill(drill: Drill, options: DrillOptions): Promise<DrillResult> {
  const twin = path.join(options.folder, 'twin');
  const subject = path.join(options.folder, drill);
  const checks: Check[] = [];
  const alone = await attempt(options, twin);
  checks.push(check('the run that is left alone completes', alone.code === 0, ending(alone)));
  if (alone.code === 0) {
    checks.push(...(await SCENARIOS[drill](options, subject)));
    checks.push(
      ...compareRuns(twin, subject).checks.map((c) => ({ ...c, name: `equal to the byte: ${c.name}` })),
    );
    checks.push(...verifyRun(subject).checks.map((c) => ({ ...c, name: `continuous: ${c.name}` })));
  }
  return { drill, ok: checks.every(({ ok }) => ok), checks };
}

type Scenario = (options: DrillOptions, run: string) => Promise<Check[]>;

const SCENARIOS: Readonly<Record<Drill, Scenario>> = {
  preemption: (options, run) => interrupted(options, run, 'SIGTERM'),
  kill: (options, run) => interrupted(options, run, 'SIGKILL'),

  async 'disk-full'(options, run) {
    const env = { LATENTWIRE_SAVE_FAULT: 'ENOSPC:2-3' };
    const full = await attempt(options, run, { env, hitAfterSteps: 6, signal: 'SIGTERM' });
    const warned = full.lines.some((line) => line.includes('the disk is full'));
    const rest = await attempt(options, run);
    return [
      check('a full disk is said and does not end the run', warned && full.code === 0, ending(full)),
      check('a whole checkpoint is there afterwards', findable(run), checkpointOf(run)),
      check('the run goes on when there is room', rest.code === 0, ending(rest)),
    ];
  },

  async corrupt(options, run) {
    const stopped = await attempt(options, run, { hitAfterSteps: 3, signal: 'SIGTERM' });
    const checks = [check('stopped with a checkpoint', stopped.code === 0 && findable(run), ending(stopped))];
    const file = checkpointOf(run);
    const good = fs.readFileSync(file);
    const bad = Buffer.from(good);
    const place = Math.floor(bad.length / 2);
    bad[place] = bad[place]! ^ 1;
    fs.writeFileSync(file, bad);
    const refused = await attempt(options, run);
    const said =
      refused.lines.find((line) => line.includes('expected a whole checkpoint')) ?? ending(refused);
    checks.push(check('one flipped bit is found and refused', refused.code === 2, said));
    fs.writeFileSync(path.join(path.dirname(file), 'checkpoint_backup.safetensors'), good);
    const rest = await attempt(options, run);
    const backup = rest.lines.some((line) => line.includes('went back to the backup'));
    checks.push(check('the backup of an interrupted save is used', backup && rest.code === 0, ending(rest)));
    return checks;
  },
};

/** Hits again and again, each time some steps after the start, then lets the run end. */
async function interrupted(
  options: DrillOptions,
  run: string,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<Check[]> {
  const checks: Check[] = [];
  let saved = false;
  for (let hit = 1; hit <= options.hits; hit++) {
    const result = await attempt(options, run, { hitAfterSteps: 1 + (hit % 3), signal });
    if (result.code === 0 && result.state === 'completed') break;
    saved ||= findable(run);
    const wanted =
      signal === 'SIGTERM' ? result.code === 0 && result.state === 'preempted' : result.signal === signal;
    const whole = !saved || findable(run);
    checks.push(
      check(
        `hit ${hit} (${signal}): ends as it should, a whole checkpoint stays`,
        wanted && whole,
        ending(result),
      ),
    );
  }
  const rest = await attempt(options, run);
  checks.push(check('goes on and completes', rest.code === 0, ending(rest)));
  return checks;
}

interface Attempt {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly state: string | undefined;
  readonly lines: readonly string[];
  readonly hitAtMs: number | undefined;
  readonly endedAtMs: number;
}

/** One process; hit after it has shown that many more steps in its diagnostics. */
async function attempt(
  { command, onLine }: DrillOptions,
  run: string,
  hit?: { readonly hitAfterSteps: number; readonly signal: NodeJS.Signals; readonly env?: NodeJS.ProcessEnv },
): Promise<Attempt> {
  const [program, ...first] = command;
  const args = [...first, '--save-dir', run, '--auto-resume', '--checkpoint-interval', '0.5', '--json'];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...hit?.env },
  });
  const lines: string[] = [];
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    onLine?.(line);
  });
  const rows = rowCounter(run);
  const before = rows();
  let hitAtMs: number | undefined;
  const timer = setInterval(() => {
    if (hit === undefined || hitAtMs !== undefined || rows() < before + hit.hitAfterSteps) return;
    hitAtMs = performance.now();
    child.kill(hit.signal);
  }, 5);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearInterval(timer);
      resolve({ code, signal, state: stateIn(stdout), lines, hitAtMs, endedAtMs: performance.now() });
    });
  });
}

function rowCounter(run: string): () => number {
  const file = pathsOf(run).diagnostics;
  return () => (fs.existsSync(file) ? fs.readFileSync(file, 'latin1').split('\n').length - 1 : 0);
}

function stateIn(stdout: string): string | undefined {
  try {
    return (JSON.parse(stdout) as { state?: string }).state;
  } catch {
    return undefined;
  }
}

function ending({ code, signal, state, lines, hitAtMs, endedAtMs }: Attempt): string {
  const how = signal ?? `exit ${code}${state === undefined ? '' : `, ${state}`}`;
  const after = hitAtMs === undefined ? '' : `, ${((endedAtMs - hitAtMs) / 1000).toFixed(1)} s after the hit`;
  const why =
    code === 0 || signal !== null
      ? ''
      : `: ${lines.find((line) => line.startsWith('error:')) ?? lines.at(-1) ?? ''}`;
  return `${how}${after}${why}`;
}

function pathsOf(run: string): ReturnType<typeof runPaths> {
  const { root, name } = runLocation(run);
  return runPaths(root, name);
}

function checkpointOf(run: string): string {
  return checkpointPath(pathsOf(run));
}

function findable(run: string): boolean {
  const found = verifyRun(run).checks.find(({ name }) => name === 'checkpoint');
  // A killed run may not have written the row that a digest stands in; the file itself must be whole.
  return found?.ok === true;
}

function check(name: string, ok: boolean, found: string): Check {
  return { name, ok, found };
}
