/** All rules over one run directory. */

import { diskHasRoom, filesWhole, oneOwner, savesFast } from './disk-rules.js';
import type { Finding, Rule } from './finding.js';
import { gpuBusy } from './gpu-rules.js';
import { memoryEnough } from './memory-rules.js';
import { slurmStartsAgain, stoppedWithSave } from './preemption-rules.js';
import { checkpointFits, checkpointFound } from './resume-rules.js';
import { readRunFiles } from './run-files.js';
import { explainsFailure, failedWhy, lossSound, makesProgress } from './training-rules.js';

/** What is looked for, in the order of the checklist's troubleshooting. */
const RULES: readonly (readonly [what: string, rules: readonly Rule[]])[] = [
  ['checkpoint found on resume', [checkpointFound, checkpointFits]],
  ['GPU utilisation', [gpuBusy]],
  ['memory', [memoryEnough]],
  ['preemption handled', [stoppedWithSave, slurmStartsAgain]],
  ['loss', [lossSound]],
  ['saves and disk', [savesFast, diskHasRoom]],
  ['one owner', [oneOwner]],
  ['progress between attempts', [makesProgress]],
  ['files', [filesWhole]],
];

export interface Diagnosis {
  readonly run: string;
  readonly healthy: boolean;
  /** Status of the run, for people. */
  readonly state: string;
  readonly findings: readonly Finding[];
  /** What was looked at and found in order. */
  readonly sound: readonly string[];
}

/** @param directory of a run that exists */
export function diagnose(directory: string): Diagnosis {
  const run = readRunFiles(directory);
  const findings: Finding[] = [];
  const sound: string[] = [];
  for (const [what, rules] of RULES) {
    const found = rules.flatMap((rule) => rule(run));
    findings.push(...found);
    if (found.length === 0) sound.push(what);
  }
  if (!explainsFailure(findings, run)) findings.push(...failedWhy(run));
  findings.sort((a, b) => Number(a.kind === 'note') - Number(b.kind === 'note'));
  const { status, steps } = run;
  const state =
    status === undefined
      ? 'never started'
      : `${status.state}${steps.length > 0 ? `, ${steps.length} steps` : ''}`;
  return { run: directory, healthy: findings.every(({ kind }) => kind === 'note'), state, findings, sound };
}
