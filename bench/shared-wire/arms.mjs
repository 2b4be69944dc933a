/**
 * The trainings of this benchmark, by set. `slot` says which GPU an arm runs on (modulo those there are); arms of one
 * slot follow each other. Times are minutes of training; scoring comes on top.
 */

/** What all arms share. M = 10, and 20 and 40 from the same wire: 16, 8 and 4 times fewer positions than tokens. */
const COMMON = [
  ...['--dataset', 'squad', '--samples', '87599', '--questions-together', '--encoder-max-tokens', '320'],
  ...['--latent-len', '10', '--train-expansions', '1,2,4', '--descent-levels', '8'],
  ...['--batch-size', '256', '--decoders-per-step', 'one', '--epochs', '400', '--num-workers', '4'],
  ...['--max-answer-tokens', '24', '--digest-every', '0', '--checkpoint-interval', '150'],
  ...['--eval-batch-size', '250', '--max-new-tokens', '24'],
];

const WIDE = ['--d-z', '256', '--wire-bits', '8', '--wire-bits-start', '0.5'];
const SMALL = ['--d-z', '64', '--wire-bits', '4', '--wire-bits-start', '0.5'];
const NO_KD = ['--disable-kd'];

const LONG = ['--batch-size', '192', '--pretrain-share', '0.4', '--reading-share', '0.3'];
const LATENTS = 'latent,shuffled';
/** As long as it takes to see what takes off. */
const SHORT = ['--batch-size', '192', '--pretrain-share', '0.5', '--reading-share', '0.3'];
/** A run that only trains; a few questions at the end say that it can be scored. */
const TRAINED = { questions: 100, evals: [{ label: 'trained', expansion: 4, modes: 'latent' }] };

/** Scored where they are trained. */
const COMPARED = {
  evals: [
    { label: '4x', expansion: 4, modes: LATENTS },
    { label: '16x', expansion: 1, modes: LATENTS },
  ],
};
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
  /**
   * The result: one long arm, scored by score.mjs, and arms that differ from `short` in one thing. Most steps with answers
   * do not read the text: what they cost goes into more answers.
   */
  final: [
    arm('main', 0, 8.5, [...WIDE, ...NO_KD, ...LONG], TRAINED),
    arm('short', 0, 2.5, [...WIDE, ...NO_KD, ...SHORT], COMPARED),
    arm('short-no-pretraining', 1, 2.5, [...WIDE, ...NO_KD, ...SHORT, '--pretrain-share', '0'], COMPARED),
    arm('small-message', 0, 2.5, [...SMALL, ...NO_KD, ...SHORT], COMPARED),
    arm('short-no-calibration', 1, 2.5, [...WIDE, ...NO_KD, ...SHORT, '--disable-calibration'], COMPARED),
    arm('short-distilled', 0, 2.5, [...WIDE, ...SHORT, '--kd-weight', '0.5'], COMPARED),
  ],
};

/** What score.mjs scores of an arm: questions on the same wire at three lengths, with the bits it was trained with and fewer. */
export const scorings = {
  main: [
    { label: 'references', expansion: 1, modes: 'text,no_context' },
    ...[4, 2, 1].map((expansion) => ({
      label: `${16 / expansion}x`,
      expansion,
      modes: 'token_budget,latent,shuffled',
    })),
    ...bits([6, 4, 3, 2]),
  ],
};
