/**
 * A job description as a batch script.
 *
 * The work runs as the task process of srun, with nothing between: Slurm signals exactly that process. No `tee` (it
 * would hide the exit code; the program keeps its own log), no time stamp in a path (a requeue must find the run
 * again). After srun the shell does one thing: a task that ended by a signal before it could handle it, or that asks
 * for it with exit code 85, is put back in the queue, for otherwise Slurm would count the job as failed and never
 * start it again. What Slurm cancelled or already requeued stays as it is.
 *
 * Behaviour measured on a real cluster; see docs/SLURM.md and test/real-slurm.
 */
import { shellWord, shellWords } from '../shell/index.js';
import { checkJobSpec } from './check-spec.js';
import { directives } from './directives.js';
import { type JobSpec, type SignalName, tasksPerNode } from './job-spec.js';

/** Exit code by which a program asks the batch shell to requeue the job (scontrol may be missing in a container). */
export const REQUEUE_EXIT_CODE = 85;

/** 128 + SIGKILL. */
const KILLED = 137;
const SIGNAL_NUMBER: Record<SignalName, number> = { HUP: 1, INT: 2, USR1: 10, USR2: 12, TERM: 15 };

/** The whole script, ending in a newline. @throws SlurmError `invalid-spec` */
export function renderScript(spec: JobSpec): string {
  checkJobSpec(spec);
  const sections = [
    ['#!/bin/bash', ...directives(spec), ...(spec.notes ?? []).map((line) => `# ${line}`.trimEnd())],
    preparation(spec),
    launch(spec),
    spec.requeue ? requeueAfterEarlySignal(spec) : ['exit "$code"'],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function preparation(spec: JobSpec): string[] {
  return [
    ...(spec.workDir === undefined ? [] : [`cd -- ${shellWord(spec.workDir)} || exit 1`]),
    ...(spec.modules ?? []).map((module) => `module load ${shellWord(module)} || exit 1`),
    ...Object.entries(spec.environment ?? {}).map(([name, value]) => `export ${name}=${shellWord(value)}`),
    ...(spec.setup ?? []),
  ];
}

function launch(spec: JobSpec): string[] {
  const { container, command } = spec;
  const cpus = spec.cpusPerTask === undefined ? [] : [`--cpus-per-task=${spec.cpusPerTask}`];
  const flags = ['--kill-on-bad-exit=1', ...cpus, ...(container?.srunFlags ?? []), ...(spec.srunFlags ?? [])];
  const program = [...(container?.prefix ?? []), ...command];
  const distributed = tasksPerNode(spec) * (spec.nodes ?? 1) > 1;
  return [
    ...(distributed ? rendezvous(spec) : []),
    '# The shell outlives the signal; the program under srun decides what it means.',
    'trap : TERM',
    distributed
      ? `srun ${shellWords([...flags, 'bash', '-c', RANK_FROM_SLURM, 'task', ...program])}`
      : `srun ${shellWords([...flags, ...program])}`,
    'code=$?',
  ];
}

/** Variables of torch's env:// rendezvous that are the same in all tasks. */
function rendezvous(spec: JobSpec): string[] {
  const address =
    (spec.nodes ?? 1) === 1
      ? ['export MASTER_ADDR=127.0.0.1']
      : [
          'MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
          'getent hosts "$MASTER_ADDR" >/dev/null || MASTER_ADDR=$(hostname -i | cut -d " " -f 1)',
          'export MASTER_ADDR',
        ];
  return [
    ...address,
    `export MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000)) WORLD_SIZE=$SLURM_NTASKS LOCAL_WORLD_SIZE=${tasksPerNode(spec)}`,
  ];
}

/** Those that differ; `exec` puts the program in the place of the shell, where Slurm's signals arrive. */
const RANK_FROM_SLURM =
  'export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID NODE_RANK=$SLURM_NODEID; exec "$@"';

function requeueAfterEarlySignal({ signal, requeueWhenKilled }: JobSpec): string[] {
  const names = new Set<SignalName>(['TERM', ...(signal === undefined ? [] : [signal.name])]);
  const codes = [
    REQUEUE_EXIT_CODE,
    ...(requeueWhenKilled === true ? [KILLED] : []),
    ...[...names].map((name) => 128 + SIGNAL_NUMBER[name]),
  ];
  return [
    requeueWhenKilled === true
      ? '# Killed, ended by a signal that came before its handlers, or asks to be requeued: Slurm would call that failed.'
      : '# Ended by a signal that came before its handlers, or asks to be requeued: Slurm would call that failed.',
    'case $code in',
    `  ${codes.join(' | ')})`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell
    '    job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell
    '    job=${job:-$SLURM_JOB_ID}',
    '    for pause in 2 5 10 20 30; do',
    '      case $(squeue --noheader --jobs="$job" --format=\'%T %r\') in',
    '        "RUNNING "* | "COMPLETING TimeLimit") scontrol requeue "$job" && break ;;',
    '        ?*) break ;; # cancelled, or already on its way back',
    '      esac',
    '      sleep "$pause"',
    '    done',
    '    ;;',
    'esac',
    'exit "$code"',
  ];
}
