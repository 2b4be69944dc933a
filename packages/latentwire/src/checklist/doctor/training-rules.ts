/** Loss that is no number or grew, attempts without progress, and failures that come again. */
import { type DiagnosticsRow, numberOf } from '../../telemetry/index.js';
import { type Finding, finding, type Rule } from './finding.js';
import { type RunFiles, settingOf } from './run-files.js';

/** Steps that are averaged; the stages of a run have losses of their own, so that they are compared within one. */
const WINDOW = 20;
const GREW = 2;
const IDLE_ATTEMPTS = 3;

export const lossSound: Rule = (run) => {
  const { steps } = run;
  const values = ({ loss, grad_norm }: DiagnosticsRow): (number | undefined)[] => [
    numberOf(loss),
    numberOf(grad_norm),
  ];
  const bad = steps.find((row) =>
    values(row).some((value) => value !== undefined && !Number.isFinite(value)),
  );
  const rate = `optimizer.lr ${settingOf(run, 'optimizer', 'lr')}, encoder_lr ${settingOf(run, 'optimizer', 'encoder_lr')}, max_grad_norm ${settingOf(run, 'optimizer', 'max_grad_norm')}`;
  const calmer = 'lower --lr and --encoder-lr, keep --max-grad-norm 1, lengthen --warmup-ratio';
  if (bad !== undefined) {
    const before = steps[steps.indexOf(bad) - 1];
    return [
      finding(
        'loss-not-finite',
        'problem',
        `loss or gradient is no number from step ${bad.step} on: what follows is lost`,
        [
          ['logs/diagnostics.jsonl', `step ${bad.step}: loss ${bad.loss}, grad_norm ${bad.grad_norm}`],
          ...(before === undefined
            ? []
            : ([
                [
                  'logs/diagnostics.jsonl',
                  `step ${before.step}: loss ${before.loss}, grad_norm ${before.grad_norm}`,
                ],
              ] as const)),
          ['config.json', rate],
        ],
        `${calmer}; begin again with --restart (the checkpoint may hold the damage)`,
      ),
    ];
  }
  const stage = steps.at(-1)?.stage;
  const losses = steps.filter((row) => row.stage === stage).map(({ loss }) => numberOf(loss) ?? Number.NaN);
  if (losses.length < 3 * WINDOW) return [];
  const means = losses.slice(WINDOW - 1).map((_, i) => mean(losses.slice(i, i + WINDOW)));
  const least = Math.min(...means);
  const last = means.at(-1)!;
  if (!(last > GREW * least && last - least > 0.5)) return [];
  const at = steps.length - losses.length + means.indexOf(least) + WINDOW;
  return [
    finding(
      'loss-diverged',
      'problem',
      `the loss has grown to ${last.toFixed(3)} from ${least.toFixed(3)} (means of ${WINDOW} steps of stage ${stage})`,
      [
        ['logs/diagnostics.jsonl', `least around step ${at}, last step ${steps.at(-1)!.step}`],
        ['config.json', rate],
      ],
      calmer,
    ),
  ];
};

export const makesProgress: Rule = ({ logs, status, checkpoints }) => {
  if (status?.state === 'completed') return [];
  const begun = logs.map(({ file, lines }) => {
    const line = lines.find((each) => / going on step=/.test(each));
    return { file, step: line === undefined ? 0 : Number(/going on step=(\d+)/.exec(line)![1]) };
  });
  const last = begun.slice(-IDLE_ATTEMPTS);
  const saved = checkpoints.found?.state.step ?? 0;
  const idle =
    last.length === IDLE_ATTEMPTS &&
    last.every(({ step }) => step === last[0]!.step) &&
    saved <= last[0]!.step;
  if (!idle) return [];
  return [
    finding(
      'no-progress',
      'problem',
      `the last ${IDLE_ATTEMPTS} attempts all began at step ${last[0]!.step}, and none of them saved a later one`,
      [
        ...last.map(({ file, step }) => [file, `began at step ${step}`] as const),
        ['preempt_checkpoint', `step ${saved}`],
      ],
      'longer attempts (--time of the job), a shorter --checkpoint-interval; what takes so long before the first step stands in the logs',
    ),
  ];
};

/** A failure that has no rule of its own, in the words of the run. */
export const failedWhy: Rule = (run): Finding[] => {
  const { status, logs } = run;
  if (status?.state !== 'failed') return [];
  const { code, message, hint } = status.error;
  const text = message.replace(/\s+/g, ' ').slice(0, 300);
  const key = message.split('\n', 1)[0]!.slice(0, 60);
  const same = logs.filter(({ lines }) => lines.some((line) => line.includes(key)));
  const evidence = [['status.json', `${code}: ${text}`]] as const;
  const fix = hint ?? 'run it again with --debug for a stack trace';
  if (same.length >= 2)
    return [
      finding(
        'same-failure',
        'problem',
        `failed in ${same.length} attempts with the same error`,
        evidence,
        fix,
      ),
    ];
  return [finding('failed', 'problem', `failed at step ${status.step}`, evidence, fix)];
};

/** Lines that rules about other things look for, so that one failure is not told twice. */
export function explainsFailure(findings: readonly Finding[], run: RunFiles): boolean {
  return (
    run.status?.state === 'failed' &&
    findings.some(
      ({ kind, evidence }) => kind === 'problem' && evidence.some(({ file }) => file === 'status.json'),
    )
  );
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
