/** Slow saves, a full disk, files that were cut, and two processes in one directory. */
import { type Finding, finding, type Rule } from './finding.js';
import { fieldOf, linesWith, secondsOf } from './run-files.js';

/** Slower than this is slower than a hard disk. */
const SLOW_GB_PER_S = 0.02;
const SLOW_SECONDS = 5;
const HELD_UP = 0.05;

export const savesFast: Rule = (run) => {
  const saves = linesWith(run.logs, /saved checkpoint/);
  const slow = saves.filter(({ line }) => {
    const seconds = fieldOf(line, 'seconds') ?? 0;
    return seconds > SLOW_SECONDS && (fieldOf(line, 'gb_per_s') ?? 1) < SLOW_GB_PER_S;
  });
  const trained = run.steps.reduce((sum, row) => sum + secondsOf(row), 0);
  const blocked = saves.reduce((sum, { line }) => sum + (fieldOf(line, 'blocked_seconds') ?? 0), 0);
  const share = trained > 60 ? blocked / trained : 0;
  if (slow.length === 0 && share < HELD_UP) return [];
  const { file, line } = (slow.length > 0 ? slow : saves).at(-1)!;
  return [
    finding(
      'slow-saves',
      'problem',
      slow.length > 0
        ? `${slow.length} of ${saves.length} saves were slower than ${1000 * SLOW_GB_PER_S} MB/s`
        : `saves held the training up for ${(100 * share).toFixed(0)} % of its time`,
      [
        [file, line],
        ['logs', `${blocked.toFixed(1)} s of ${trained.toFixed(1)} s of training`],
      ],
      'a --save-dir on a faster or less busy disk; a longer --checkpoint-interval',
    ),
  ];
};

export const diskHasRoom: Rule = ({ logs, status, checkpoints, freeBytes }) => {
  const full = linesWith(logs, /the disk is full|ENOSPC|quota/i).at(-1);
  const failed =
    status?.state === 'failed' &&
    status.error.code === 'io' &&
    /full|ENOSPC|space|free bytes|quota/i.test(status.error.message);
  const needed = checkpoints.found?.bytes ?? 0;
  const tight = status?.state !== 'completed' && needed > 0 && freeBytes < needed;
  const over = full !== undefined && status?.state === 'completed';
  if (!failed && !tight && full === undefined) return [];
  return [
    finding(
      'disk-full',
      over || (!failed && !tight) ? 'note' : 'problem',
      over
        ? 'the disk was full for a while; the run saved later and is complete'
        : 'the disk was full: saves failed, or the next one will',
      [
        ...(failed ? ([['status.json', status.error.message.slice(0, 200)]] as const) : []),
        ...(full === undefined ? [] : ([[full.file, full.line.slice(0, 200)]] as const)),
        [
          '.',
          `${(freeBytes / 1e6).toFixed(0)} MB free now, a save needs ${(needed / 1e6).toFixed(0)} MB beside the last one`,
        ],
      ],
      'free some space or quota, then the same command with --auto-resume: the last good checkpoint is still there',
    ),
  ];
};

export const oneOwner: Rule = ({ lock, status, allRows, logs }) => {
  const findings: Finding[] = [];
  if (lock !== undefined && lock.state !== 'held') {
    const { owner } = lock;
    findings.push(
      finding(
        'stale-lock',
        'note',
        owner === null
          ? 'run.lock cannot be read; nobody is known to work on the run'
          : `run.lock names process ${owner.pid} on ${owner.host}, which is gone`,
        [
          ['run.lock', owner === null ? 'unreadable' : `since ${owner.started_at}`],
          ['status.json', status?.state ?? 'none'],
        ],
        'nothing: the next attempt takes it over',
      ),
    );
  }
  // Attempts follow each other: a row of an earlier attempt after one of a later is written by a second process.
  const back = allRows.findIndex((row, i) => i > 0 && row.attempt < allRows[i - 1]!.attempt);
  const taken = linesWith(logs, /has been working on it since/).at(-1);
  if (back >= 0) {
    const [before, row] = [allRows[back - 1]!, allRows[back]!];
    findings.push(
      finding(
        'two-owners',
        'problem',
        'two processes wrote to this run at the same time',
        [
          [
            'logs/diagnostics.jsonl',
            `row ${back + 1}: attempt ${row.attempt}, step ${row.step}, after attempt ${before.attempt}, step ${before.step}`,
          ],
        ],
        'let one job work on a directory; check with latentwire verify RUN, and begin again if it fails',
      ),
    );
  } else if (taken !== undefined) {
    findings.push(
      finding(
        'two-owners',
        'note',
        'a second process wanted this run and was refused',
        [[taken.file, taken.line.slice(0, 200)]],
        'submit a run once; another try needs another --save-dir',
      ),
    );
  }
  return findings;
};

export const filesWhole: Rule = ({ damaged, checkpoints, lock }) => {
  const findings = damaged.map(({ file, problem, harmless }) =>
    harmless
      ? finding(
          'torn-file',
          'note',
          `${file} ends within a line: its writer was killed`,
          [[file, problem]],
          'nothing: the next attempt cuts it off and computes that row again',
        )
      : finding(
          'damaged-file',
          'problem',
          `${file} cannot be read`,
          [[file, problem.slice(0, 200)]],
          'restore it from a copy; status.json may be deleted',
        ),
  );
  const left = [...checkpoints.files].filter(([name]) => /\.tmp|~|\.partial/.test(name));
  // Somebody at work may be in the middle of a save.
  if (left.length > 0 && lock?.state !== 'held') {
    findings.push(
      finding(
        'left-by-killed-save',
        'note',
        'a save was killed in its middle; the checkpoint before it is whole',
        left.map(([name, bytes]) => [`preempt_checkpoint/${name}`, `${bytes} bytes`] as const),
        'nothing: the next attempt removes it',
      ),
    );
  }
  return findings;
};
