/** "Checkpoint not found on resume": none, elsewhere, damaged, or of another run. */
import fs from 'node:fs';
import path from 'node:path';
import { changedSettings } from '../../config/index.js';
import { type Finding, finding, type Rule } from './finding.js';
import { linesWith, type RunFiles, settingOf } from './run-files.js';

const FOLDER = 'preempt_checkpoint';

export const checkpointFound: Rule = (run) => {
  const { checkpoints, steps, logs, status } = run;
  const names = [...checkpoints.files.keys()].filter((name) => !name.endsWith('.json'));
  const listing = names.length === 0 ? 'no files' : names.join(', ');
  if (checkpoints.problem !== undefined) {
    const fix =
      'restore checkpoint_current.safetensors from a copy, or begin again with --restart; a checkpoint of another run: --resume-from RUN';
    const what = 'no checkpoint is whole, so a resume is refused';
    return [
      finding('checkpoint-damaged', 'problem', what, [[FOLDER, `${listing}: ${checkpoints.problem}`]], fix),
    ];
  }
  const { found } = checkpoints;
  if (found?.from === 'backup') {
    return [
      finding(
        'checkpoint-damaged',
        'note',
        `the current checkpoint is not whole; the next attempt goes on with the backup of step ${found.state.step}`,
        [[FOLDER, found.problem ?? listing]],
        'nothing: --auto-resume does it',
      ),
    ];
  }
  if (found !== undefined || status?.state === 'completed' || isBaseline(run)) return [];
  const elsewhere = otherDirectory(run);
  if (elsewhere !== undefined) return [elsewhere];
  if (steps.length === 0) return [];
  const saved = linesWith(logs, /saved checkpoint/).at(-1);
  if (saved !== undefined) {
    const what = 'a checkpoint was saved, and is not there any more';
    const fix = 'look for who moved or deleted it; the run itself deletes only leftovers of its own saves';
    return [
      finding(
        'checkpoint-missing',
        'problem',
        what,
        [
          [saved.file, saved.line],
          [FOLDER, listing],
        ],
        fix,
      ),
    ];
  }
  const interval = settingOf(run, 'checkpoint', 'interval');
  return [
    finding(
      'checkpoint-missing',
      'problem',
      `${steps.length} steps were trained and none was saved: the process was killed before its first save`,
      [
        ['logs/diagnostics.jsonl', `${steps.length} steps`],
        ['config.json', `checkpoint.interval ${interval} s`],
        [FOLDER, listing],
      ],
      'lower --checkpoint-interval, so that a kill costs less; a SIGTERM that arrives saves by itself',
    ),
  ];
};

function isBaseline(run: RunFiles): boolean {
  const kind = settingOf(run, 'baseline', 'kind');
  return kind !== undefined && kind !== 'none';
}

/** A sibling with the same settings and a checkpoint: the run was begun under another name, e.g. with a time stamp. */
function otherDirectory({ paths, config, steps }: RunFiles): Finding | undefined {
  if (config === undefined) return undefined;
  const root = path.dirname(paths.directory);
  for (const name of fs.readdirSync(root)) {
    const other = path.join(root, name);
    const file = path.join(other, FOLDER, 'checkpoint_current.safetensors');
    if (other === paths.directory || !fs.existsSync(file)) continue;
    try {
      const theirs: unknown = JSON.parse(fs.readFileSync(path.join(other, 'config.json'), 'utf8'));
      if (changedSettings(theirs, config).length > 0) continue;
    } catch {
      continue;
    }
    return finding(
      'checkpoint-elsewhere',
      'problem',
      `this run has no checkpoint, but ${name} beside it was begun with the same settings and has one`,
      [
        [`../${name}/${FOLDER}/checkpoint_current.safetensors`, `${fs.statSync(file).size} bytes`],
        ['logs/diagnostics.jsonl', `${steps.length} steps here`],
      ],
      `a run is found by the last part of --save-dir: --save-dir ${other} --auto-resume (no time stamps in names)`,
    );
  }
  return undefined;
}

export const checkpointFits: Rule = ({ checkpoints, config, logs, status }) => {
  const findings: Finding[] = [];
  const identity = checkpoints.found?.identity;
  // A finished run may have been scored again with other settings; it has nothing to resume.
  const counts = ({ path: name }: { readonly path: string }) =>
    status?.state !== 'completed' || !name.startsWith('evaluation.');
  const changes =
    identity === undefined || config === undefined
      ? []
      : changedSettings(identity.config, config).filter(counts);
  const refused = linesWith(logs.slice(-1), /belongs to something else|begun with other settings/).at(-1);
  const stated = status?.state === 'failed' && /belongs to something else/.test(status.error.message);
  if (changes.length > 0 || refused !== undefined || stated) {
    const list = changes
      .map(
        ({ path: name, before, after }) =>
          `${name} was ${JSON.stringify(before)}, is now ${JSON.stringify(after)}`,
      )
      .join('; ');
    findings.push(
      finding(
        'checkpoint-of-another-run',
        'problem',
        'the checkpoint belongs to other settings, models, data or another machine, so a resume is refused',
        [
          [`${FOLDER}/checkpoint_current.safetensors`, list || 'its identity differs'],
          ...(stated ? ([['status.json', oneLine(status.error.message)]] as const) : []),
          ...(refused === undefined ? [] : ([[refused.file, refused.line]] as const)),
        ],
        'restore what changed; or go on all the same with --allow-drift; or begin again with --restart or another --save-dir',
      ),
    );
  }
  const interrupted = status?.state === 'preempted' || status?.state === 'timeout';
  if (interrupted && checkpoints.found !== undefined) {
    const { step, total_steps } = checkpoints.found.state;
    findings.push(
      finding(
        'not-asked-to-resume',
        'note',
        `stopped at step ${step} of ${total_steps} with everything saved; nothing runs now`,
        [['status.json', status.state]],
        'the same command with --auto-resume goes on; under Slurm the job does by itself',
      ),
    );
  }
  return findings;
};

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 300);
