/**
 * Slurm's sentences on stderr, sorted into kinds. The sentences are those of slurm_errno.c and of the commands
 * themselves; case and wording changed little between versions, so the patterns are short.
 */
import { SlurmError, type SlurmErrorKind } from '../errors.js';

interface Rule {
  readonly kind: SlurmErrorKind;
  readonly pattern: RegExp;
  readonly hint?: string;
  /** Worth another try: the controller was busy, restarting or briefly away. */
  readonly transient?: boolean;
  /** The request may have reached the controller all the same. */
  readonly ambiguous?: boolean;
}

/** What to do while slurmdbd does not answer. */
export const ACCOUNTING_AWAY =
  'only the history of ended jobs is missing; jobs and the queue go on, try again later';

/**
 * In front of "Job violates accounting/QOS policy" stands which limit. Those that count submitted jobs pass; every other
 * is compared with the job's own request (src/slurmctld/acct_policy.c), so that waiting does not help.
 */
const LIMIT = /^(?:\w+: error: )?((?:Assoc|QOS|Max)\w+)$/m;
const OWN_SIZE = /^(?:\w+: error: )?(?!\w*Submit)(?:Assoc|QOS|Max)\w+$/m;

const RULES: readonly Rule[] = [
  { kind: 'no-accounting', pattern: /accounting storage is disabled|accounting_storage\/none/i },
  {
    kind: 'accounting-unreachable',
    pattern: /problem talking to the database|slurm_persist_conn_open|sending PersistInit msg/i,
    hint: ACCOUNTING_AWAY,
    transient: true,
  },
  {
    kind: 'not-configured',
    pattern:
      /could not establish a configuration source|unable to process configuration file|s_p_parse_file: cannot stat|DNS SRV lookup failed/i,
    hint: 'run this on a login node of the cluster, or set SLURM_CONF',
  },
  {
    kind: 'timed-out',
    pattern: /socket timed out on send\/recv|zero bytes were transmitted|message receive failure/i,
    hint: 'the controller is busy; nothing is lost, try again in a minute',
    transient: true,
    ambiguous: true,
  },
  {
    kind: 'controller-unreachable',
    pattern:
      /unable to contact slurm controller|slurmctld\(\w+\) at \S+ is DOWN|connection refused|controller is in standby mode|host is unreachable|network is unreachable/i,
    hint: 'look with `scontrol ping`; running jobs go on meanwhile',
    transient: true,
  },
  {
    kind: 'controller-unreachable',
    pattern: /protocol authentication error|munge encode failed|failed to connect to socket .*munge/i,
    hint: 'the munge service of this machine does not answer; ask the site',
    transient: true,
  },
  {
    kind: 'exceeds-limit',
    pattern: OWN_SIZE,
    hint: 'no job of this size is allowed: ask for less time or less of it, or another QOS; the limits: sacctmgr show qos, sacctmgr show associations user=$USER',
  },
  {
    kind: 'limit-reached',
    pattern:
      /job violates accounting\/QOS policy|(?:Assoc|QOS)\w*(?:Limit|Job)|job submit limit|too many|maximum number of jobs|temporarily unable to accept job|job queue full|allocation failure: resource temporarily unavailable/i,
    hint: 'wait until queued jobs have ended, or submit fewer at once; a limit of 0 means a closed account: sacctmgr show associations user=$USER',
  },
  {
    kind: 'limit-reached',
    pattern: /invalid job array specification|job array index .*too large|max.*array.*size/i,
    hint: 'split the array: the cluster allows indices below MaxArraySize (`scontrol show config`)',
  },
  {
    kind: 'invalid-account',
    pattern:
      /invalid account|account\/partition combination|account.*(?:expired|not permitted|disabled)|user.?s group not permitted|user not authorized/i,
    hint: 'see the accounts you may use now: sacctmgr show associations user=$USER',
  },
  {
    kind: 'invalid-qos',
    pattern: /invalid qos|qos not permitted|QOSNotAllowed/i,
    hint: 'see the QOS you may use: sacctmgr show associations user=$USER format=account,partition,qos; a partition may allow some only: scontrol show partition',
  },
  {
    kind: 'invalid-partition',
    pattern:
      /invalid partition|partition.*(?:is down|not available|unavailable|does not exist)|required partition not available/i,
    hint: 'see the partitions: sinfo --summarize',
  },
  {
    kind: 'impossible-request',
    pattern:
      /node configuration is not available|node count specification invalid|memory specification|more processors requested|requested time limit is invalid|invalid generic resource|invalid gres|invalid --\w|requested partition configuration/i,
    hint: 'ask for less, or another partition: sinfo --format="%P %l %D %c %m %G"',
  },
  { kind: 'invalid-dependency', pattern: /job dependency problem|dependency.*(?:invalid|never)/i },
  {
    kind: 'no-such-job',
    pattern: /invalid job id|invalid job.?step|job.*(?:not found|does not exist)|unknown job/i,
    hint: 'Slurm forgets ended jobs after some minutes (MinJobAge)',
  },
  {
    kind: 'not-requeueable',
    pattern:
      /requested operation is presently disabled|requested operation not supported|job is pending|cannot be requeued|job\/step already completing|job\/step is completing/i,
  },
  {
    kind: 'permission-denied',
    pattern: /access\/permission denied|permission denied|operation not permitted/i,
  },
];

/** What sbatch says before it waits by itself, for up to two minutes, until the queue has room (src/sbatch/sbatch.c). */
export const WAITS_FOR_ROOM = /sleeping and retrying/i;

export interface Failure {
  readonly error: SlurmError;
  readonly transient: boolean;
  readonly ambiguous: boolean;
}

/** What a command that ended badly meant, from what it said, mostly on stderr. */
export function classifyFailure(command: string, code: number | null, said: string): Failure {
  const output = said.trim();
  const rule = RULES.find(({ pattern }) => pattern.test(output));
  const reason = lastSentence(output) ?? (code === null ? 'ended by a signal' : `exit code ${code}`);
  const limit = LIMIT.exec(output)?.[1];
  const named = limit === undefined || reason.includes(limit) ? reason : `${reason}: ${limit}`;
  const error = new SlurmError(`${command}: ${named}`, {
    kind: rule?.kind ?? 'refused',
    command,
    output,
    ...(rule?.hint !== undefined && { hint: rule.hint }),
  });
  return { error, transient: rule?.transient ?? false, ambiguous: rule?.ambiguous ?? false };
}

/** The last line that says something, without the `sbatch: error:` in front. */
function lastSentence(output: string): string | undefined {
  const line = output
    .split('\n')
    .map((text) => text.trim())
    // scontrol frames "RESTORE SLURMCTLD DAEMON TO SERVICE" with asterisks, below the line that names the controller.
    .filter((text) => text !== '' && !text.startsWith('**'))
    .at(-1);
  return line?.replace(/^\w+: (?:error|fatal): /, '');
}
