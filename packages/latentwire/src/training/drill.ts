/**
 * Rehearsals of what can happen to a run, on real processes: a training is started, hit, and let go on, beside a twin
 * that is left alone. The verdict is what `compareRuns` finds, and what each hit had to look like from outside.
 */
import fs from 'node:fs';
import path from 'node:path';
import { runLocation, runPaths } from '../telemetry/index.js';
import { type AttemptResult, endingOf, runAttempt } from './attempt.js';
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
  /** Kills the training that runs. */
  readonly stop?: AbortSignal;
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
  checks.push(check('the run that is left alone completes', alone.code === 0, endingOf(alone)));
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
    // Saves follow each other closely, so that the full disk is met before the run is over on any machine.
    const full = await attempt(options, run, {
      env: { LATENTWIRE_SAVE_FAULT: 'ENOSPC:2-3' },
      interval: 0.01,
      hit: { after: (steps, lines) => steps >= 6 && lines.some(saysFull), signal: 'SIGTERM' },
    });
    const warned = full.lines.some(saysFull);
    const rest = await attempt(options, run);
    return [
      check('a full disk is said and does not end the run', warned && full.code === 0, endingOf(full)),
      check('a whole checkpoint is there afterwards', findable(run), checkpointOf(run)),
      check('the run goes on when there is room', rest.code === 0, endingOf(rest)),
    ];
  },

  async corrupt(options, run) {
    const stopped = await attempt(options, run, { hit: { after: (steps) => steps >= 3, signal: 'SIGTERM' } });
    const checks = [
      check('stopped with a checkpoint', stopped.code === 0 && findable(run), endingOf(stopped)),
    ];
    const file = checkpointOf(run);
    const good = fs.readFileSync(file);
    const bad = Buffer.from(good);
    const place = Math.floor(bad.length / 2);
    bad[place] = bad[place]! ^ 1;
    fs.writeFileSync(file, bad);
    const refused = await attempt(options, run);
    const said =
      refused.lines.find((line) => line.includes('expected a whole checkpoint')) ?? endingOf(refused);
    checks.push(check('one flipped bit is found and refused', refused.code === 2, said));
    fs.writeFileSync(path.join(path.dirname(file), 'checkpoint_backup.safetensors'), good);
    const rest = await attempt(options, run);
    const backup = rest.lines.some((line) => line.includes('went back to the backup'));
    checks.push(
      check('the backup of an interrupted save is used', backup && rest.code === 0, endingOf(rest)),
    );
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
    const result = await attempt(options, run, { hit: { after: (steps) => steps >= 1 + (hit % 3), signal } });
    if (result.code === 0 && result.state === 'completed') break;
    saved ||= findable(run);
    const wanted =
      signal === 'SIGTERM' ? result.code === 0 && result.state === 'preempted' : result.signal === signal;
    const whole = !saved || findable(run);
    checks.push(
      check(
        `hit ${hit} (${signal}): ends as it should, a whole checkpoint stays`,
        wanted && whole,
        endingOf(result),
      ),
    );
  }
  const rest = await attempt(options, run);
  checks.push(check('goes on and completes', rest.code === 0, endingOf(rest)));
  return checks;
}

interface AttemptPlan {
  readonly hit?: {
    readonly after: (steps: number, lines: readonly string[]) => boolean;
    readonly signal: NodeJS.Signals;
  };
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds between checkpoints. */
  readonly interval?: number;
}

function attempt(
  { command, onLine, stop }: DrillOptions,
  run: string,
  { hit, env, interval = 0.5 }: AttemptPlan = {},
): Promise<AttemptResult> {
  const lines: string[] = [];
  return runAttempt({
    ...{ command, run, args: ['--checkpoint-interval', String(interval)] },
    onLine(line) {
      lines.push(line);
      onLine?.(line);
    },
    ...(hit && { hit: { signal: hit.signal, when: (steps) => hit.after(steps, lines) } }),
    ...(env && { env }),
    ...(stop && { stop }),
  });
}

const saysFull = (line: string): boolean => line.includes('the disk is full');

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
