/**
 * What the original's production checklist claimed and its code did not do, one line each: every checked box of its
 * eight sections, its verified lines and its final commands. A check names the claims that it makes true, and a test
 * insists that each claim has a check.
 */
export interface Claim {
  readonly number: number;
  /** Section of the original checklist; 0: its final commands and what it takes for granted. */
  readonly section: number;
  readonly claim: string;
  /** What the original's code did. */
  readonly original: string;
}

const CLAIMS: readonly (readonly [section: number, claim: string, original: string])[] = [
  [0, 'ready for production, all systems go', 'the trainer did not parse'],
  [1, 'SIGTERM handler registered', 'the trainer crashed before it registered one'],
  [1, 'saved within 120 s, verified < 5 s', 'no timer, and the saved object held no weights'],
  [1, 'exit 0, so that Slurm requeues; automatic resubmission', 'exit 0 ends the job; nobody requeued it'],
  [1, 'verified by checkpoint_emergency.pt', 'the test wrote a JSON mock'],
  [1, 'preemption handled anywhere', 'range() was replaced while training; the handler could lock itself up'],
  [2, 'one checkpoint, atomic, with backup protection', 'three rival writers; a cleaner that deleted logs'],
  [2, 'fast save and load', 'the fast manager was not used'],
  [2, '15–20 GB each, 40 GB needed', 'what trains is some hundred MB; frozen weights were never saved'],
  [3, 'all stdout/stderr captured', 'the pipe to tee hid every exit code'],
  [3, 'log tree: logs, metrics.json, GPU figures, checkpoint, PNG', 'no code made this tree'],
  [
    4,
    'GPU utilisation over 90 %',
    '16–81 % in its logs; the monitor was never started; the check averaged time stamps',
  ],
  [
    4,
    'batch size found automatically, 80 % of memory',
    'three calculators that disagreed; the search fed images',
  ],
  [4, 'gradient accumulation', 'the schedule ended at 1/G; a last partial group was not rescaled'],
  [4, 'prefetching and asynchronous loading', 'the loader was built and never iterated'],
  [4, 'GPU monitor: utilisation, memory, temperature, power', 'not collected; it synchronised the GPU'],
  [5, 'all baselines implemented', 'none of the three could be run by --baseline'],
  [5, 'ablation flags functional', 'three of four did not exist; K=1 trained the start token'],
  [5, 'scaling experiments configured', 'no driver; the lists of phases contradicted each other'],
  [5, '(implied) the objective is right', 'labels shifted twice; no end token; no padding mask'],
  [5, '(implied) the evaluation is fair', 'length of the gold answer leaked'],
  [5, 'compression of 4 times and more', 'tokens only; in bytes below 1'],
  [6, 'BCa, McNemar, FDR, Cohen’s d, power', 'invalid paired bootstrap; NaN on constant data; never called'],
  [6, 'all tests passed', 'the suite ended with SOME TESTS FAILED'],
  [7, 'exact batch-level resumption', 'the epoch began again'],
  [7, 'RNG states restored', 'saved and never loaded'],
  [7, 'optimiser and learning rate go on', 'a mismatch silently started the optimiser afresh'],
  [7, 'automatic checkpoint discovery', 'it looked for names that the trainer never wrote'],
  [8, 'Slurm scripts correct', 'both named scripts did not exist; the signal reached nobody'],
  [
    0,
    'aggregate → final_results.json → statistics',
    'wrong flags; crashed with two runs; filled in what was missing',
  ],
  [0, '4 GPUs', 'shards overlapped; saved names did not load'],
  [4, 'memory-aware', 'the frozen model was charged as trained; 158 % of memory was accepted'],
];

export const claims: readonly Claim[] = CLAIMS.map(([section, claim, original], i) => ({
  ...{ number: i + 1, section, claim, original },
}));
