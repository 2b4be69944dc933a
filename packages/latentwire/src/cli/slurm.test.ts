/** `latentwire slurm` with stand-ins for Slurm's commands; the real ones are in test/real-slurm.test.ts. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { runCli } from './program.js';

const within = temporaryFolder();
const { PATH } = process.env;

const latentwire = (...args: string[]) => cli('slurm', ...args);

async function cli(...args: string[]) {
  let stdout = '';
  let stderr = '';
  const output = { stdout: (text: string) => (stdout += text), stderr: (text: string) => (stderr += text) };
  const code = await runCli(args, output as never);
  return { code, stdout, stderr };
}

function command(name: string, body: string): void {
  writeFileSync(within('bin', name), `#!/bin/bash\n${body}\n`);
  chmodSync(within('bin', name), 0o755);
}

const job = {
  job_id: 12,
  name: 'a|b',
  job_state: 'RUNNING',
  state_reason: 'None',
  user_name: 'me',
  restart_cnt: 2,
};

beforeAll(() => {
  mkdirSync(within('bin'));
  process.env.PATH = `${within('bin')}:/usr/bin:/bin`;
  command('sbatch', `if [ "$1" = --test-only ]; then exit 0; fi; cat > ${within('script')}; echo 12`);
  command('squeue', `echo '${JSON.stringify({ jobs: [job] })}'`);
  command('sacct', 'echo "Slurm accounting storage is disabled" >&2; exit 1');
  command(
    'scontrol',
    `echo "$*" >> ${within('asked')}; printf 'JobId=12 JobName=n\\n   StdOut=${within('out.txt')}\\n'`,
  );
  command('scancel', `echo "cancel $*" >> ${within('asked')}`);
});
afterAll(() => {
  process.env.PATH = PATH;
});

describe('latentwire slurm', () => {
  it('renders a command under a profile, with its arguments as they are', async () => {
    const { code, stdout } = await latentwire(
      'render',
      '--profile',
      'local-test',
      '--',
      'echo',
      "it's",
      '$HOME',
    );
    expect(code).toBe(0);
    expect(stdout).toContain(`echo 'it'\\''s' '$HOME'\n`);
  });

  it('renders arrays and dependencies, with the limit of the profile', async () => {
    const job = ['render', '--profile', 'local-test', '--dependency', 'afterok:12:13_1,afterany:7'];
    const { stdout } = await latentwire(...job, '--array', '0-5,8', '--', 'x');
    expect(stdout).toContain('#SBATCH --array=0-5,8%2\n#SBATCH --dependency=afterok:12:13_1,afterany:7\n');
  });

  it('submits, and says how to go on', async () => {
    const { code, stdout } = await latentwire(
      'submit',
      '--profile',
      'local-test',
      '--name',
      'my job',
      '--',
      'true',
    );
    expect(code).toBe(0);
    expect(stdout).toContain('submitted my job as job 12');
    expect(readFileSync(within('script'), 'utf8')).toContain('#SBATCH --job-name="my job"\n');
    expect(await latentwire('submit', '--test-only', '--profile', 'local-test', '--', 'true')).toMatchObject({
      code: 0,
      stdout: 'Slurm would take latentwire\n',
    });
  });

  it('shows jobs, and which of them nobody knows', async () => {
    const { code, stdout } = await latentwire('status', '12', '77');
    expect(code).toBe(1);
    expect(stdout).toMatch(/12\s+a\|b\s+RUNNING/);
    expect(stdout).toContain('77: not known to Slurm any more');
    const json = await latentwire('status', '--user', 'me', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ jobs: [{ id: '12', name: 'a|b', restarts: 2 }] });
  });

  it('says which jobs will not start by waiting', async () => {
    const waiting = (id: number, reason: string) => ({
      ...{ ...job, job_id: id, job_state: 'PENDING' },
      state_reason: reason,
    });
    const jobs = [
      waiting(20, 'AssocMaxWallDurationPerJobLimit'),
      waiting(21, 'AssocMaxWallDurationPerJobLimit'),
      waiting(22, 'Resources'),
      waiting(23, 'AssocGrpCPUMinutesLimit'),
    ];
    command('squeue', `echo '${JSON.stringify({ jobs })}'`);
    const { stdout } = await latentwire('status', '--user', 'all');
    command('squeue', `echo '${JSON.stringify({ jobs: [job] })}'`);
    expect(stdout.trimEnd().split('\n').slice(-2)).toEqual([
      '20 and 1 more will not start by waiting (AssocMaxWallDurationPerJobLimit): it asks for more, or less, than its account or QOS allows one job',
      '23 will not start by waiting (AssocGrpCPUMinutesLimit): its account or QOS has used up what it was granted',
    ]);
  });

  it('requeues, cancels and shows the output', async () => {
    writeFileSync(within('out.txt'), 'one\ntwo\nthree\n');
    expect((await latentwire('requeue', '12_3')).stdout).toBe('requeued 12_3\n');
    expect((await latentwire('cancel', '12', '13')).code).toBe(0);
    expect(readFileSync(within('asked'), 'utf8')).toMatch(/requeue 12_3\n[\s\S]*cancel 12 13\n/);
    expect((await latentwire('logs', '12', '-n', '2')).stdout).toBe('two\nthree\n');
  });

  it.each([
    [['rendr'], 'did you mean render?'],
    [['submit'], 'expected a job file, or --profile NAME -- PROGRAM ARGUMENTS'],
    [['render', '--profile', 'marlow', '--', 'x'], 'did you mean marlowe?'],
    [
      ['render', '--array', '0-1;id', '--profile', 'local-test', '--', 'x'],
      '--array: expected indices such as',
    ],
    [
      ['render', '--dependency', 'ok:1', '--profile', 'local-test', '--', 'x'],
      '--dependency: expected a condition',
    ],
    [['cancel'], 'expected job ids to cancel'],
    [['cancel', '--', '--all'], 'expected a job id such as 12 or 12_3, got "--all"'],
    [['render', '--profile', 'local-test', '--name', 'a\nb', '--', 'x'], '--job-name: expected one line'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await latentwire(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('latentwire run --slurm', () => {
  const plan = () => {
    const text =
      'version: 1\nname: p\nsettings: {model.ids: [m]}\nphases: [{name: one}, {name: two, after: [one]}]\n';
    writeFileSync(
      within('plan.yaml'),
      text.replace('{name: two', '{name: two, settings: {wire.latent_len: 5}'),
    );
    return [within('plan.yaml'), '--experiment-dir', within('runs')];
  };

  it('submits what may start, shows it, and ends all of it', async () => {
    const submitted = await cli('run', ...plan(), '--slurm', 'local-test', '--at-once', '1');
    expect(submitted).toMatchObject({ code: 0 });
    expect(submitted.stdout).toContain(
      'submitted one as job 12 (1 cell)\ntwo starts after one\n1 task in the queue',
    );
    expect(readFileSync(within('script'), 'utf8')).toContain('#SBATCH --array=0%1\n');
    // What aggregate and report ask for.
    expect(existsSync(within('runs/.experiment/plans/p.json'))).toBe(true);
    command('squeue', `echo '${JSON.stringify({ jobs: [{ ...job, name: 'p.one' }] })}'`);
    const status = await cli('status', ...plan());
    expect(status.stdout).toMatch(/one\s.*12_0 RUNNING/);
    expect(status.stdout).toContain('1 in the Slurm queue');
    expect((await cli('slurm', 'cancel', ...plan())).stdout).toBe('cancelled 1 tasks (jobs 12)\n');
    expect(readFileSync(within('asked'), 'utf8')).toMatch(/cancel 12\n$/);
    command('squeue', 'echo "slurm_load_jobs error: Invalid user" >&2; exit 1');
    expect((await cli('status', ...plan())).stdout).toContain('of Slurm nothing is known (squeue --json:');
  });

  it.each([
    [['--at-once', '2'], '--at-once and --test-only belong to --slurm'],
    [['--slurm', 'marlow'], 'did you mean marlowe?'],
    [['--slurm', '--at-once', '0'], '--at-once: expected an integer ≥ 1, got 0'],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await cli('run', ...plan(), ...flags);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
