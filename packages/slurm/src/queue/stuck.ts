/**
 * Waiting jobs that do not start by waiting. Slurm takes many jobs that it will not run (only a QOS with DenyOnLimit and
 * a cluster with EnforcePartLimits refuse them), `sbatch --test-only` says yes to them as well, and the reason in the
 * queue is all there is. Words of squeue --json and, for accounts and partitions, the sentences of squeue and scontrol.
 */

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^InvalidAccount|^AccountNotAllowed|account[ _]not[ _]permitted/i, 'its account may not be used there'],
  [/^InvalidQOS|^QOSNotAllowed|QOS[ _]not[ _]permitted/i, 'its QOS may not be used there'],
  [
    /^(?:Assoc|QOS)Max(?!Submit)\w*Per(?:Job|Node)|^QOSMin/,
    'it asks for more, or less, than its account or QOS allows one job',
  ],
  // Of what is running (…RunMinutes) only so much at once: that passes.
  [/^(?:Assoc|QOS)Grp(?:\w*(?<!Run)Minutes|Wall)/, 'its account or QOS has used up what it was granted'],
  [/^Partition(?:Time|Node)Limit/, 'it asks for more than its partition allows'],
  [/^DependencyNeverSatisfied/, 'what it waits for has ended otherwise'],
  [/^JobHeldAdmin|^JobHoldMaxRequeue/, 'it is held by the site'],
];

/** Why a job with this reason stays in the queue until somebody does something; undefined: it may start by itself. */
export function whyStuck(reason: string | null | undefined): string | undefined {
  return REASONS.find(([pattern]) => pattern.test(reason ?? ''))?.[1];
}
