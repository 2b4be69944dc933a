/** Runs sections side by side, keeps their evidence, and goes on when one fails. */

import { readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeJsonAtomic } from '../telemetry/index.js';
import { type ChecklistSettings, Workshop } from './bench.js';
import { claims } from './claims.js';
import { type Experiment, NotApplicable, type Section, type Status, type Verdict } from './experiment.js';

export interface LineReport extends Verdict {
  readonly id: string;
  readonly says: string;
  readonly claims: readonly number[];
  /** File with what was seen, relative to the folder of evidence; null: the experiment did not get that far. */
  readonly evidence: string | null;
}

export interface SectionReport {
  readonly number: number;
  readonly component: string;
  readonly status: Status;
  readonly command: string;
  readonly headline: string;
  readonly seconds: number;
  readonly lines: readonly LineReport[];
}

export interface ClaimReport {
  readonly number: number;
  readonly claim: string;
  readonly original: string;
  /** Of the lines that were run; undefined when none of them was. */
  readonly status: Status | undefined;
  readonly lines: readonly string[];
}

export interface ChecklistReport {
  readonly ok: boolean;
  readonly device: string;
  readonly folder: string;
  readonly seconds: number;
  readonly sections: readonly SectionReport[];
  readonly claims: readonly ClaimReport[];
}

/** @param chosen sections to run, in any order @throws when `settings.stop` fires */
export async function runChecklist(
  chosen: readonly Section[],
  settings: ChecklistSettings,
): Promise<ChecklistReport> {
  const began = performance.now();
  const workshop = new Workshop(settings);
  const reports = new Map<Section, SectionReport>();
  const work = async (section: Section): Promise<void> => {
    reports.set(section, await runSection(section, workshop));
  };
  const queue = chosen.filter(({ alone }) => alone !== true);
  const workers = Array.from({ length: atOnce() }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next);
  });
  await Promise.all(workers);
  for (const section of chosen.filter(({ alone }) => alone === true)) await work(section);
  const sections = chosen.map((section) => reports.get(section)!).sort((a, b) => a.number - b.number);
  const report: ChecklistReport = {
    ok: sections.every(({ status }) => status !== 'fail'),
    ...{ device: settings.device, folder: settings.folder, seconds: since(began) },
    ...{ sections, claims: claimReports(sections) },
  };
  writeJsonAtomic(path.join(settings.folder, 'checklist.json'), { ...report });
  return report;
}

export const MARKS: Readonly<Record<Status, string>> = { pass: '✅', fail: '❌', 'not-applicable': '➖' };

/** Each training has one thread. */
function atOnce(): number {
  return Math.max(1, Math.min(6, os.availableParallelism()));
}

async function runSection(section: Section, workshop: Workshop): Promise<SectionReport> {
  const { number, component, command, headline, experiments } = section;
  const { logger, stop } = workshop.settings;
  const began = performance.now();
  const lines: LineReport[] = [];
  for (const each of experiments) {
    const seen = await runExperiment(each, `${number}-${each.name}`, workshop);
    stop?.throwIfAborted();
    lines.push(...seen);
    for (const { id, status, says, found } of seen) logger.info(`${MARKS[status]} ${id} ${says}: ${found}`);
  }
  return {
    number,
    component,
    command,
    headline,
    seconds: since(began),
    status: statusOf(section, lines),
    lines,
  };
}

async function runExperiment(
  { collect, checks }: Experiment,
  name: string,
  workshop: Workshop,
): Promise<LineReport[]> {
  const bench = workshop.bench(name);
  const evidence = path.join(name, 'evidence.json');
  const all = (status: Status, found: string): LineReport[] =>
    checks.map(({ id, says, claims: made }) => ({ id, says, claims: made, status, found, evidence: null }));
  let seen: unknown;
  try {
    seen = await collect(bench);
    writeJsonAtomic(path.join(workshop.settings.folder, evidence), { ...(seen as object) });
  } catch (error) {
    if (error instanceof NotApplicable) return all('not-applicable', error.message);
    return all('fail', `could not be carried out: ${error instanceof Error ? error.message : error}`);
  }
  const lines = checks.map(({ id, says, claims: made, judge }) => {
    // Through JSON, so that a verdict from stored evidence is this verdict.
    const { status, found } = judged(() => judge(JSON.parse(JSON.stringify(seen ?? null))));
    return { id, says, claims: made, status, found, evidence };
  });
  if (lines.every(({ status }) => status !== 'fail')) removeWeights(bench.folder);
  return lines;
}

/** They have done their part when all is well; logs and figures stay. */
function removeWeights(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (path.basename(name) === 'preempt_checkpoint')
      rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}

function judged(judge: () => Verdict): Verdict {
  try {
    return judge();
  } catch (error) {
    return {
      status: 'fail',
      found: `could not be judged: ${error instanceof Error ? error.message : error}`,
    };
  }
}

function claimReports(sections: readonly SectionReport[]): ClaimReport[] {
  const lines = sections.flatMap((section) => section.lines);
  return claims.map(({ number, claim, original }) => {
    const made = lines.filter((line) => line.claims.includes(number));
    return {
      ...{ number, claim, original },
      status: made.length === 0 ? undefined : leastOf(made),
      lines: made.map(({ id, status }) => (status === 'pass' ? id : `${id} ${MARKS[status]}`)),
    };
  });
}

/** A failure, else what its headline says: the lines around it must not hide that it could not be checked here. */
function statusOf({ headline }: Section, lines: readonly LineReport[]): Status {
  if (lines.some(({ status }) => status === 'fail')) return 'fail';
  return lines.find(({ id }) => id === headline)?.status ?? 'fail';
}

/** Of a claim: it is true here when all of its lines are. */
function leastOf(lines: readonly Verdict[]): Status {
  const of = (status: Status): boolean => lines.some((line) => line.status === status);
  if (of('fail')) return 'fail';
  return of('not-applicable') ? 'not-applicable' : 'pass';
}

function since(began: number): number {
  return Math.round(performance.now() - began) / 1000;
}
