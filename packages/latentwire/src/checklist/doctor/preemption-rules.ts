/** "Preemption not handled": did a signal arrive, was there a save in time, and did Slurm start the job again? */
import { type Finding, finding, type Rule } from './finding.js';
import { fieldOf, linesWith, settingOf } from './run-files.js';

/** A `running` run whose process is gone: nobody told it to stop, or nobody waited. */
export const stoppedWithSave: Rule = (run) => {
  const { status, lock, checkpoints, steps, logs } = run;
  const findings: Finding[] = [];
  const gone = status?.state === 'running' && (lock === undefined || lock.state === 'gone');
  if (gone) {
    const saved = checkpoints.found?.state.step ?? 0;
    const lost = Math.max(0, (steps.at(-1)?.step ?? 0) - saved);
    const asked = linesWith(logs.slice(-1), /asked to stop|signal=SIG/).at(-1);
    const inJob = (run.environment?.slurm ?? null) !== null;
    findings.push(
      finding(
        'killed-without-save',
        'problem',
        asked === undefined
          ? `the process ended without a word in phase ${status.phase}: it was killed (SIGKILL, the kernel's memory killer, power), and no signal came before; ${lost} steps since the checkpoint are computed again`
          : `it was told to stop and killed before it could end; ${lost} steps since the checkpoint are computed again`,
        [
          ['status.json', `running (${status.phase}), process ${status.pid} on ${status.host} is gone`],
          ['logs/diagnostics.jsonl', `last step ${steps.at(-1)?.step ?? 0}, checkpoint of step ${saved}`],
          ...(asked === undefined ? [] : ([[asked.file, asked.line]] as const)),
        ],
        inJob
          ? 'the signal must reach the program: run it under srun, as the scripts of `latentwire slurm render` do; then the same command with --auto-resume'
          : 'the same command with --auto-resume goes on; end runs with SIGTERM and wait; lower --checkpoint-interval',
      ),
    );
  }
  const grace = Number(settingOf(run, 'checkpoint', 'grace') ?? 120);
  const late = linesWith(logs, /signal_to_durable_seconds=/).filter(
    ({ line }) => (fieldOf(line, 'signal_to_durable_seconds') ?? 0) > grace,
  );
  if (late.length > 0) {
    const { file, line } = late.at(-1)!;
    findings.push(
      finding(
        'saved-too-late',
        'problem',
        `from a signal to a durable checkpoint it took ${fieldOf(line, 'signal_to_durable_seconds')} s, and there are ${grace} s`,
        [
          [file, line],
          ['config.json', `checkpoint.grace ${grace}`],
        ],
        'smaller micro-batches (--batch-size, with --grad-accum), a faster disk for --save-dir, or a longer --signal=TERM@SECONDS',
      ),
    );
  }
  return findings;
};

export const slurmStartsAgain: Rule = ({ slurm, status }) => {
  const last = slurm.filter(({ event }) => event === 'decision').at(-1);
  if (last === undefined || last.action !== 'exit-failed' || status?.state === 'completed') return [];
  const why = String(last.why);
  const noRequeue = /no-requeue/.test(why);
  const cancelled = last.cause === 'cancelled';
  return [
    finding(
      noRequeue ? 'slurm-no-requeue' : 'slurm-gave-up',
      cancelled ? 'note' : 'problem',
      cancelled
        ? 'the job was cancelled, so it was not put back in the queue'
        : `the job was not put back in the queue: ${why}`,
      [['logs/slurm.jsonl', `job ${last.job}, ${last.cause}: ${last.action}`]],
      noRequeue
        ? 'submit it with --requeue (profiles: requeue: true); check with scontrol show job ID'
        : cancelled
          ? 'submit it again: it goes on where it stopped'
          : 'mend the cause, then submit it again: it goes on where it stopped; see docs/SLURM.md for what the job decides',
    ),
  ];
};
