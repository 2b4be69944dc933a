/**
 * §8: the committed scripts, line by line, everywhere; whether Slurm would take them, where it can be reached; and with
 * --slurm a job that is put back in the queue and preempted while it trains.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Claims } from '../../experiments/index.js';
import { readJobFile, renderScript } from '../../experiments/slurm/index.js';
import { type Bench, outputOf } from '../bench.js';
import { experiment, NotApplicable, type Section, verdict } from '../experiment.js';
import { type JobEvidence, judgeJob, submitAndDisturb } from './slurm-job.js';

const SCRIPTS = ['run_main_experiment', 'test_preempt'] as const;

/** What the checklist asks of the main experiment; docs/SLURM.md tells what is there besides. */
const WANTED: readonly string[] = [
  ...['--account=marlowe-m000066', '--partition=preempt', '--signal=TERM@120', '--requeue', '--gpus=4'],
  ...['--mem=256GB', '--time=12:00:00', '--open-mode=append'],
];

export interface ScriptEvidence {
  readonly scripts: readonly {
    readonly name: string;
    readonly rendered_equal: boolean;
    /** Of `bash -n`. */
    readonly syntax: string;
    readonly directives: readonly string[];
    readonly work_dir: string | null;
    /** What ran wrong in the original: a pipe that hides exit codes, a time stamp in a path, no srun. */
    readonly faults: readonly string[];
    readonly command: readonly string[];
  }[];
  /** The command of test_preempt with few steps. */
  readonly tried: { readonly code: number | null; readonly ending: string };
  /** Of eight that want one of four GPUs: what each got. */
  readonly gpus: readonly (string | null)[];
}

async function readScripts(bench: Bench): Promise<ScriptEvidence> {
  const folder = path.join(bench.settings.checkout, 'slurm');
  if (!fs.existsSync(folder)) throw new NotApplicable('not in a checkout: no slurm/ here');
  const scripts: ScriptEvidence['scripts'][number][] = [];
  for (const name of SCRIPTS) {
    const file = path.join(folder, `${name}.slurm`);
    const text = fs.readFileSync(file, 'utf8');
    const job = readJobFile(path.join(folder, 'jobs', `${name}.yaml`));
    const { code, stderr } = await outputOf('bash', ['-n', file]);
    const directives = [...text.matchAll(/^#SBATCH (\S.*)$/gm)].map(([, directive]) => directive!);
    scripts.push({
      name,
      rendered_equal: renderScript(job) === text,
      syntax: code === 0 ? 'ok' : stderr.trim(),
      directives,
      work_dir: /^--chdir=(.*)$/m.exec(directives.join('\n'))?.[1] ?? null,
      faults: faultsOf(text),
      command: job.command,
    });
  }
  return { scripts, tried: await tryCommand(bench, scripts.at(-1)!.command), gpus: raceForGpus(bench) };
}

function faultsOf(script: string): string[] {
  const commands = script.split('\n').filter((line) => !line.startsWith('#'));
  const has = (pattern: RegExp): boolean => commands.some((line) => pattern.test(line));
  return [
    ...(has(/\|\s*tee\b/) ? ['a pipe to tee'] : []),
    ...(has(/\$\(date|`date/) ? ['a time stamp'] : []),
    ...(has(/^srun .*latentwire/) ? [] : ['no srun in front of the program']),
    ...(has(/git (pull|push)/) ? ['git in the job'] : []),
  ];
}

/** The flags of the script, parsed by our own command line, in a run of seconds. */
async function tryCommand(bench: Bench, command: readonly string[]): Promise<ScriptEvidence['tried']> {
  const at = command.indexOf('train');
  const flags = command.slice(at + 1).filter((word) => !word.startsWith('--save-dir'));
  const small = [
    '--samples=64',
    '--max-steps=2',
    '--eval-samples=2',
    '--latent-len=4',
    '--d-z=16',
    '--deterministic',
  ];
  const result = await bench.command([
    ...['train', ...flags, ...small, `--device=${bench.settings.device}`, `--save-dir=${bench.in('run')}`],
  ]);
  const ending = String(result.json.state ?? result.stderr.trim().split('\n').at(-1));
  return { code: result.code, ending };
}

/** As the runner of the main experiment hands out the GPUs of its job. */
function raceForGpus(bench: Bench): (string | null)[] {
  const folder = bench.in('gpus');
  const takers = Array.from({ length: 8 }, () => new Claims(folder));
  const held = takers.map((taker) => {
    for (const gpu of ['0', '1', '2', '3']) {
      const claim = taker.tryClaim(`gpu-${gpu}`);
      if (claim !== undefined) return { gpu, claim };
    }
    return null;
  });
  const got = held.map((each) => each?.gpu ?? null);
  for (const each of held) each?.claim.release();
  return got;
}

export interface SubmissionEvidence {
  readonly tests: readonly { readonly script: string; readonly code: number | null; readonly said: string }[];
}

async function testOnly(bench: Bench): Promise<SubmissionEvidence> {
  await requireSlurm();
  const tests: SubmissionEvidence['tests'][number][] = [];
  for (const name of SCRIPTS) {
    const file = path.join(bench.settings.checkout, 'slurm', `${name}.slurm`);
    const { code, stdout, stderr } = await outputOf('sbatch', ['--test-only', file]);
    const said = `${stdout}${stderr}`.trim().split('\n');
    tests.push({ script: `slurm/${name}.slurm`, code, said: said.find((line) => line !== '') ?? '' });
  }
  return { tests };
}

async function requireSlurm(): Promise<void> {
  const ping = await outputOf('scontrol', ['ping']).catch(() => undefined);
  if (ping === undefined) throw new NotApplicable('no Slurm here: there is no scontrol on PATH');
  if (ping.code !== 0)
    throw new NotApplicable(`Slurm is installed, but no controller answers: ${firstLine(ping)}`);
}

const firstLine = ({ stdout, stderr }: { stdout: string; stderr: string }): string =>
  `${stdout}\n${stderr}`.split('\n').find((line) => line.trim() !== '') ?? '';

export const slurm: Section = {
  number: 8,
  component: 'SLURM Scripts',
  command: 'sbatch --test-only slurm/run_main_experiment.slurm',
  headline: '8.1',
  experiments: [
    experiment<ScriptEvidence>({
      name: 'scripts',
      collect: readScripts,
      checks: [
        {
          id: '8.1',
          says: 'Both named scripts exist, are what their job files render to, and are valid shell',
          claims: [29],
          judge: ({ scripts }) => {
            const wrong = scripts.find((script) => !script.rendered_equal || script.syntax !== 'ok');
            return verdict(
              wrong === undefined && scripts.length === 2,
              wrong === undefined
                ? `slurm/${scripts.map(({ name }) => name).join('.slurm, slurm/')}.slurm`
                : `${wrong.name}: ${wrong.syntax === 'ok' ? 'differs from what its job file renders to' : wrong.syntax}`,
            );
          },
        },
        {
          id: '8.2',
          says: 'Critical settings: account, partition, signal, requeue, 4 GPUs, 256 GB, 12 h, not in /home, output appended',
          claims: [29],
          judge: ({ scripts }) => {
            const main = scripts.find(({ name }) => name === 'run_main_experiment')!;
            const missing = WANTED.filter((directive) => !main.directives.includes(directive));
            const home = main.work_dir === null || main.work_dir.startsWith('/home');
            return verdict(
              missing.length === 0 && !home,
              missing.length > 0
                ? `missing: ${missing.join(', ')}`
                : `${WANTED.join(' ')}, in ${main.work_dir}`,
            );
          },
        },
        {
          id: '8.3',
          says: 'The signal reaches the program, exit codes are kept, a requeue finds its run',
          claims: [4, 29],
          judge: ({ scripts }) => {
            const wrong = scripts.find(({ faults }) => faults.length > 0);
            return verdict(
              wrong === undefined,
              wrong === undefined
                ? 'the program is the task of srun; no tee, no time stamp, no git in the job'
                : `${wrong.name}: ${wrong.faults.join(', ')}`,
            );
          },
        },
        {
          id: '8.4',
          says: 'The flags in the script are those of the program',
          claims: [29],
          judge: ({ tried }) =>
            verdict(
              tried.code === 0,
              `test_preempt's command, with 2 steps: exit ${tried.code}, ${tried.ending}`,
            ),
        },
        {
          id: '8.5',
          says: '4 GPUs: each cell has one of its own, never two on one',
          claims: [31],
          judge: ({ gpus }) => {
            const got = gpus.filter((gpu) => gpu !== null);
            return verdict(
              got.length === 4 && new Set(got).size === 4,
              `of ${gpus.length} that wanted one of four, ${got.length} got GPU ${got.join(', ')}`,
            );
          },
        },
      ],
    }),
    experiment<SubmissionEvidence>({
      name: 'test-only',
      collect: testOnly,
      checks: [
        {
          id: '8.6',
          says: 'sbatch --test-only takes both scripts',
          claims: [29],
          judge: ({ tests }) =>
            verdict(
              tests.length === 2 && tests.every(({ code }) => code === 0),
              tests
                .map(({ script, code, said }) => `${script}: ${code === 0 ? said : `exit ${code}, ${said}`}`)
                .join('; '),
            ),
        },
      ],
    }),
    experiment<JobEvidence>({
      name: 'job',
      async collect(bench) {
        const wish = bench.settings.slurm;
        if (wish === undefined) throw new NotApplicable('no job is submitted without --slurm');
        await requireSlurm();
        return submitAndDisturb(bench, wish);
      },
      checks: [
        {
          id: '8.7',
          says: 'A preempted and requeued job goes on by itself and ends once',
          claims: [4, 29],
          judge: judgeJob.ends,
        },
        {
          id: '8.8',
          says: 'Its result has the bytes of a run that nothing disturbed',
          claims: [5, 29],
          judge: judgeJob.equal,
        },
      ],
    }),
  ],
};
