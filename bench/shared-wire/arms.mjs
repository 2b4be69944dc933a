/**
 * The trainings of this benchmark, by set. `slot` says which GPU an arm runs on (modulo those there are); arms of one
 * slot follow each other. Times are minutes of training; scoring comes on top.
 */

/** What all arms share. M = 10, and 20 and 40 from the same wire: 16, 8 and 4 times fewer positions than tokens. */
const COMMON = [
  ...['--dataset', 'squad', '--samples', '87599', '--questions-together', '--encoder-max-tokens', '320'],
  ...['--latent-len', '10', '--train-expansions', '1,2,4', '--descent-levels', '8'],
  ...['--batch-size', '256', '--decoders-per-step', 'one', '--epochs', '400', '--num-workers', '4'],
  ...['--max-answer-tokens', '24', '--digest-every', '0', '--checkpoint-interval', '100000'],
  ...['--eval-batch-size', '250', '--max-new-tokens', '24'],
];

const WIDE = ['--d-z', '256', '--wire-bits', '8', '--wire-bits-start', '0.5'];
const SMALL = ['--d-z', '64', '--wire-bits', '4', '--wire-bits-start', '0.5'];
const NO_KD = ['--disable-kd'];

const LATENTS = 'latent,shuffled';
const REFERENCES = 'text,token_budget,no_context,latent,shuffled';

/** Scores at 4x, 8x and 16x; the last one leaves the references too. */
const ratios = (modes = LATENTS, last = REFERENCES) => [
  { label: '16x', expansion: 1, modes: last },
  { label: '8x', expansion: 2, modes: modes },
  { label: '4x', expansion: 4, modes: modes },
];

/** The same latents with fewer bits than they were trained with. */
const bits = (list) =>
  list.flatMap((b) =>
    [1, 2, 4].map((expansion) => ({
      label: `${16 / expansion}x-${b}bit`,
      expansion,
      bits: b,
      modes: 'latent',
    })),
  );

const arm = (name, slot, minutes, flags, more = {}) => ({
  ...{ name, slot, minutes, models: ['smollm2', 'gemma3'], evals: ratios() },
  ...more,
  flags: [...COMMON, ...flags],
});

export const sets = {
  /** What takes off, and what a step costs. */
  explore: [
    arm('both', 0, 6, [...WIDE, ...NO_KD, '--pretrain-share', '0.5']),
    arm('smollm2', 1, 2.5, [...WIDE, ...NO_KD, '--pretrain-share', '0.6'], {
      models: ['smollm2'],
      evals: ratios(LATENTS, LATENTS),
    }),
    arm('smollm2-fast', 1, 2.5, [...WIDE, ...NO_KD, '--pretrain-share', '0.6', '--encoder-lr', '1e-3'], {
      models: ['smollm2'],
      evals: ratios(LATENTS, LATENTS),
    }),
    arm('gemma3', 2, 6, [...WIDE, ...NO_KD, '--pretrain-share', '0.6'], {
      models: ['gemma3'],
      evals: ratios(LATENTS, LATENTS),
    }),
    arm('both-small', 3, 6, [...SMALL, ...NO_KD, '--pretrain-share', '0.5'], {
      evals: ratios(LATENTS, LATENTS),
    }),
  ],
  /** The result: one long arm, and arms that differ from a short one in one thing. */
  final: [
    arm('main', 0, 13, [...WIDE, ...NO_KD, '--pretrain-share', '0.4'], {
      evals: [...ratios(LATENTS, `${REFERENCES},token_budget_random`), ...bits([6, 4, 3, 2])],
    }),
    arm('small-message', 1, 11, [...SMALL, ...NO_KD, '--pretrain-share', '0.4'], {
      evals: [...ratios(LATENTS, LATENTS), ...bits([3, 2])],
    }),
    arm('short', 2, 5, [...WIDE, ...NO_KD, '--pretrain-share', '0.4']),
    arm('short-no-pretraining', 2, 5, [...WIDE, ...NO_KD, '--pretrain-share', '0']),
    arm('short-no-calibration', 3, 5, [
      ...WIDE,
      ...NO_KD,
      '--pretrain-share',
      '0.4',
      '--disable-calibration',
    ]),
    arm('short-distilled', 3, 5, [...WIDE, '--pretrain-share', '0.4', '--kd-weight', '0.5']),
  ],
};
