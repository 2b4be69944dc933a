/** The runner and submission against stand-in commands that print what a real Slurm prints. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { submitJob, testSubmit } from '../commands/index.js';
import type { SlurmError } from '../errors.js';
import { readConfig } from '../queue/index.js';
import { classifyFailure, cleanEnvironment, createRunner } from './index.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-runner-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const inside = (name: string) => path.join(folder, name);
const calls = () =>
  existsSync(inside('calls')) ? readFileSync(inside('calls'), 'utf8').trim().split('\n') : [];

/** A command that notes each call and then runs `body`; `$n` is the number of the call. */
function command(name: string, body: string): void {
  const count = `echo "${name} $*" >> "${inside('calls')}"; n=$(grep -c "^${name} " "${inside('calls')}")`;
  writeFileSync(inside(name), `#!/bin/bash\n${count}\n${body}\n`);
  chmodSync(inside(name), 0o755);
}

const PATH = `${folder}:/usr/bin:/bin`;
const runner = (more: Parameters<typeof createRunner>[0] = {}) =>
  createRunner({
    env: { PATH, SLURM_CONF: '/x', SBATCH_PARTITION: 'wrong', SLURM_JOB_ID: '1' },
    pausesMs: [1, 1, 1],
    ...more,
  });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: SlurmError) => error,
  );
const spec = { name: 'job', requeue: true, command: ['true'] } as const;

beforeEach(() => rmSync(inside('calls'), { force: true }));

describe('the runner', () => {
  it('tries again while the controller is away', async () => {
    command(
      'squeue',
      '[ $n -ge 3 ] && echo fine || { echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1; }',
    );
    expect(await runner().run('squeue', ['--json'], { effect: 'read' })).toBe('fine\n');
    expect(calls()).toHaveLength(3);
  });

  it('gives up with the reason and the next step', async () => {
    command(
      'squeue',
      'echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1',
    );
    const retries: string[] = [];
    const error = await failure(runner({ onRetry: ({ kind }) => retries.push(kind) }).run('squeue', []));
    expect(error).toMatchObject({
      kind: 'controller-unreachable',
      message: 'squeue: slurm_load_jobs error: Unable to contact slurm controller (connect failure)',
      hint: expect.stringContaining('scontrol ping'),
    });
    expect(retries).toHaveLength(3);
  });

  it('tries again when only the ping after `scontrol show config` went unanswered', async () => {
    command(
      'scontrol',
      `printf 'MaxArraySize            = 1001\\n\\n'
       [ $n -ge 2 ] && { echo "Slurmctld(primary) at vm is UP"; exit 0; }
       echo "Slurmctld(primary) at vm is DOWN"
       echo "** RESTORE SLURMCTLD DAEMON TO SERVICE **"
       exit 1`,
    );
    expect((await readConfig(runner())).MaxArraySize).toBe('1001');
    expect(calls()).toHaveLength(2);
    rmSync(inside('calls'));
    const impatient = runner({ pausesMs: [] }).run('scontrol', ['show', 'config'], { effect: 'read' });
    expect(await failure(impatient)).toMatchObject({
      kind: 'controller-unreachable',
      message: 'scontrol: Slurmctld(primary) at vm is DOWN',
    });
  });

  it('ends a command that does not answer, and repeats only what may be repeated', async () => {
    command('scontrol', 'exec sleep 60');
    const hasty = runner({ timeoutMs: 50, pausesMs: [1] });
    expect(await failure(hasty.run('scontrol', ['requeue', '1']))).toMatchObject({ kind: 'timed-out' });
    expect(calls()).toHaveLength(1);
    await failure(hasty.run('scontrol', ['show', 'job', '1'], { effect: 'read' }));
    expect(calls()).toHaveLength(3);
  });

  it('does not wait with sbatch for room in a full queue', async () => {
    command(
      'sbatch',
      'echo "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying" >&2; exec sleep 60',
    );
    expect(await failure(runner().run('sbatch', []))).toMatchObject({ kind: 'limit-reached' });
    expect(calls()).toHaveLength(1);
  });

  it('says which command is missing', async () => {
    const error = await failure(createRunner({ env: { PATH: inside('empty') } }).run('sbatch', []));
    expect(error).toMatchObject({
      kind: 'not-installed',
      message: "expected Slurm's sbatch on PATH, found none",
    });
  });

  it('keeps options out that hide in the environment', () => {
    const env = cleanEnvironment({
      PATH,
      HOME: '/h',
      SLURM_CONF: '/x',
      SBATCH_QOS: 'a',
      SQUEUE_FORMAT: 'b',
      SLURM_MEM_PER_NODE: '1',
    });
    expect(env).toEqual({
      PATH,
      HOME: '/h',
      SLURM_CONF: '/x',
      LC_ALL: 'C',
      SLURM_TIME_FORMAT: '%s',
      SLURM_BITSTR_LEN: '0',
    });
  });

  it('does not wait again for a database that hangs', async () => {
    command('sacct', 'exec sleep 60');
    const hasty = runner({ timeoutMs: 50 });
    expect(await failure(hasty.run('sacct', [], { effect: 'read' }))).toMatchObject({
      kind: 'accounting-unreachable',
      hint: expect.stringContaining('history'),
    });
    expect(calls()).toHaveLength(1);
  });

  it('passes arguments as they are, whatever is in them', async () => {
    command('scontrol', 'printf "%s\\0" "$@"');
    const args = ['a b', '$(id)', '`id`', "'", '"', '', '*', '\n'];
    expect(await runner().run('scontrol', args)).toBe(`${args.join('\0')}\0`);
  });
});

describe('submission', () => {
  it('hands over the script on stdin and reads the id', async () => {
    command('sbatch', `cat > "${inside('script')}"; echo "6;cluster"`);
    expect(await submitJob(runner(), spec)).toBe('6');
    expect(calls()).toEqual(['sbatch --parsable']);
    expect(readFileSync(inside('script'), 'utf8')).toMatch(/^#!\/bin\/bash\n#SBATCH --job-name=job\n/);
  });

  it('finds the job again when its answer was lost, and does not submit it twice', async () => {
    command(
      'sbatch',
      `cat > "${inside('script')}"; echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1`,
    );
    const mark = `$(sed -n 's/^#SBATCH --comment=//p' "${inside('script')}")`;
    command(
      'squeue',
      `echo '{"jobs":[{"job_id":5,"name":"other","job_state":"PENDING","comment":""},{"job_id":9,"name":"job","job_state":"PENDING","comment":"'"${mark}"'"}]}'`,
    );
    expect(await submitJob(runner(), spec)).toBe('9');
    expect(calls().filter((call) => call.startsWith('sbatch'))).toHaveLength(1);
  });

  it('submits again when the lost request never arrived', async () => {
    command(
      'sbatch',
      'cat > /dev/null; [ $n = 2 ] && echo 7 || { echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1; }',
    );
    command('squeue', `echo '{"jobs":[]}'`);
    expect(await submitJob(runner(), spec)).toBe('7');
  });

  it('refuses an answer that is no id', async () => {
    command('sbatch', 'echo Submitted');
    expect(await failure(submitJob(runner(), spec))).toMatchObject({ kind: 'unreadable-output' });
  });

  it('only asks with --test-only', async () => {
    command(
      'sbatch',
      'echo "sbatch: error: invalid partition specified: nope" >&2; echo "allocation failure: Invalid partition name specified" >&2; exit 1',
    );
    expect(await failure(testSubmit(runner(), '#!/bin/bash\n'))).toMatchObject({ kind: 'invalid-partition' });
    expect(calls()).toEqual(['sbatch --test-only']);
  });
});

/** Recorded from Slurm 22.05, except where noted. */
describe('what Slurm says', () => {
  it.each([
    [
      'limit-reached',
      "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'limit-reached',
      "sbatch: error: AssocGrpSubmitJobsLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'limit-reached',
      "sbatch: error: AssocGrpSubmitJobsLimit\nallocation failure: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'limit-reached',
      "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'limit-reached',
      "sbatch: error: QOSMaxSubmitJobPerUserLimit\nallocation failure: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'limit-reached',
      "sbatch: error: QOSGrpSubmitJobsLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'limit-reached',
      "sbatch: error: QOSGrpSubmitJobsLimit\nallocation failure: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'exceeds-limit',
      "sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'exceeds-limit',
      "sbatch: error: QOSMaxWallDurationPerJobLimit\nallocation failure: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'exceeds-limit',
      "sbatch: error: QOSMaxCpuPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    [
      'exceeds-limit',
      "sbatch: error: QOSMaxCpuPerUserLimit\nallocation failure: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
    ['invalid-qos', 'sbatch: error: Batch job submission failed: Invalid qos specification'],
    ['invalid-qos', 'allocation failure: Invalid qos specification'],
    ['invalid-account', 'allocation failure: Invalid account or account/partition combination specified'],
    [
      'impossible-request',
      'sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)',
    ],
    [
      'accounting-unreachable',
      'sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:127.0.0.1:23298: Connection refused\nsacct: error: Sending PersistInit msg: Connection refused\nsacct: error: Problem talking to the database: Connection refused',
    ],
    ['controller-unreachable', 'sbatch: error: Batch job submission failed: Connection refused'],
    ['limit-reached', 'sbatch: error: Batch job submission failed: Invalid job array specification'],
    [
      'invalid-account',
      'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified',
    ],
    ['invalid-partition', 'sbatch: error: Batch job submission failed: Invalid partition name specified'],
    [
      'impossible-request',
      'sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available',
    ],
    ['impossible-request', 'sbatch: error: Invalid generic resource (gres) specification'],
    ['impossible-request', 'sbatch: error: Invalid --time specification'],
    ['invalid-dependency', 'sbatch: error: Batch job submission failed: Job dependency problem'],
    ['no-such-job', 'Invalid job id specified for job 999'],
    ['no-such-job', 'slurm_load_jobs error: Invalid job id specified'],
    ['not-requeueable', 'Requested operation is presently disabled for job 14'],
    ['not-requeueable', 'Job is pending execution for job 15'],
    ['permission-denied', 'scancel: error: Kill job error on job id 1: Access/permission denied'],
    ['no-accounting', 'Slurm accounting storage is disabled'],
    [
      'not-configured',
      'sinfo: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\nsinfo: fatal: Could not establish a configuration source',
    ],
    ['refused', 'something new'],
  ])('%s', (kind, stderr) => {
    expect(classifyFailure('sbatch', 1, stderr).error.kind).toBe(kind);
  });

  it('names the limit, which stands in a line of its own', () => {
    const said =
      'sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy';
    expect(classifyFailure('sbatch', 1, said).error.message).toBe(
      'sbatch: Batch job submission failed: Job violates accounting/QOS policy: AssocMaxSubmitJobLimit',
    );
  });
});
