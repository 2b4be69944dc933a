/**
 * What the model practises at each step. Contexts grow from one fact to many, each size until its answers are mostly
 * right: on full contexts from the start, reading takes several times as long to appear. Now and then a step asks to
 * repeat the context instead, which teaches to copy names exactly.
 */
import type { random } from '@latentwire/torch';
import type { FactsShape } from '../data/facts/index.js';

export interface Lesson {
  readonly shape: Required<FactsShape>;
  readonly task: 'answer' | 'repeat';
  /** Contexts in the batch: more of them while they are short. */
  readonly contexts: number;
}

interface Stage {
  readonly shape: Required<FactsShape>;
  /** Contexts relative to those of the last stage. */
  readonly crowd: number;
}

const STAGES: readonly Stage[] = [
  { shape: { people: 1, facts: 1 }, crowd: 3 },
  { shape: { people: 1, facts: 2 }, crowd: 2.25 },
  { shape: { people: 2, facts: 1 }, crowd: 2 },
  { shape: { people: 2, facts: 2 }, crowd: 1.5 },
  { shape: { people: 2, facts: 3 }, crowd: 1 },
];
const LAST = STAGES.length - 1;

/**
 * A stage ends when the running mean of its answer loss (−log p per token) falls below this. Guessing between two
 * people costs about ln 2 per answer, 0.2 per token: to pass is to know who is meant.
 */
const PASS_LOSS = 0.1;
const SMOOTHING = 0.03;
const MIN_STEPS = 60;
/** Share of steps that go back to an earlier stage, and that repeat the context. */
const REVIEW_SHARE = 0.2;
const REPEAT_SHARE = 0.2;

export class Curriculum {
  #stage = 0;
  #steps = 0;
  #loss: number | undefined;

  /** @param stream draws the lesson of each step, by step number. */
  constructor(
    private readonly stream: random.RandomStream,
    private readonly contexts: number,
  ) {}

  /** 0 for the smallest contexts. */
  get stage(): number {
    return this.#stage;
  }

  get atLastStage(): boolean {
    return this.#stage === LAST;
  }

  lesson(step: number): Lesson {
    const review = this.stream.uniformAt(3 * step) < REVIEW_SHARE;
    const stage = STAGES[review ? this.stream.integerAt(3 * step + 1, this.#stage + 1) : this.#stage]!;
    const task = this.stream.uniformAt(3 * step + 2) < REPEAT_SHARE ? 'repeat' : 'answer';
    return { shape: stage.shape, task, contexts: Math.round(this.contexts * stage.crowd) };
  }

  /** Tells the answer loss of a step; true when the next stage begins. */
  record(answerLoss: number): boolean {
    if (this.atLastStage) return false;
    this.#steps++;
    this.#loss = this.#loss === undefined ? answerLoss : this.#loss + SMOOTHING * (answerLoss - this.#loss);
    if (this.#steps < MIN_STEPS || this.#loss >= PASS_LOSS) return false;
    this.#stage++;
    this.#steps = 0;
    this.#loss = undefined;
    return true;
  }
}
