/**
 * What the model practises at each step. Contexts grow from one fact to many, each size until its answers are mostly
 * right: on full contexts from the start, reading takes several times as long to appear. Other steps ask for the whole
 * context, word by word (which teaches to copy names exactly) or told anew in other words and another order (which
 * teaches to find the fact about a person, at every token of the answer and not only in short answers).
 */
import type { random } from '@latentwire/torch';
import type { FactsShape } from '../data/facts/index.js';

export interface Lesson {
  readonly shape: Required<Omit<FactsShape, 'style'>>;
  readonly task: 'answer' | 'repeat' | 'retell';
  /** Contexts in the batch: more of them while they are short. */
  readonly contexts: number;
}

interface Stage {
  /** Drawn from in equal shares. */
  readonly shapes: readonly Required<Omit<FactsShape, 'style'>>[];
  /** Contexts relative to those of the last stage. */
  readonly crowd: number;
  /** The stage ends at this share of all steps at the latest: reading may also appear on larger contexts. */
  readonly deadline: number;
}

const STAGES: readonly Stage[] = [
  { shapes: [{ people: 1, facts: 1 }], crowd: 3, deadline: 0.06 },
  { shapes: [{ people: 1, facts: 2 }], crowd: 2.25, deadline: 0.1 },
  {
    // Four people punish guessing who is meant twice as much as two.
    shapes: [
      { people: 2, facts: 1 },
      { people: 4, facts: 1 },
    ],
    crowd: 1.5,
    deadline: 0.2,
  },
  { shapes: [{ people: 2, facts: 2 }], crowd: 1.5, deadline: 0.35 },
  {
    shapes: [
      { people: 2, facts: 2 },
      { people: 2, facts: 3 },
      { people: 2, facts: 4 },
      { people: 4, facts: 1 },
      { people: 3, facts: 2 },
    ],
    crowd: 1,
    deadline: 1,
  },
];
const LAST = STAGES.length - 1;

/**
 * A stage ends when the running mean of its answer loss (−log p per token) falls below this. Guessing between two
 * people costs about ln 2 per answer, 0.2 per token: to pass is to know who is meant.
 */
const PASS_LOSS = 0.1;
const SMOOTHING = 0.03;
const MIN_STEPS = 60;
/** Share of steps that go back to an earlier stage; that repeat the context; that retell it. */
const REVIEW_SHARE = 0.2;
const REPEAT_SHARE = 0.1;
const RETELL_SHARE = 0.3;
/** Numbers that one lesson draws. */
const DRAWS = 4;

/** A new stage begins this many steps after its sign was seen: so many batches may be composed ahead. */
export const STEPS_AHEAD = 32;

export class Curriculum {
  #stage = 0;
  /** First step of each stage that has been reached; those of a stage not reached are unknown. */
  readonly #starts: number[] = [0];
  #steps = 0;
  #loss: number | undefined;

  /**
   * @param stream draws the lesson of each step, by step number.
   * @param contexts per step at full length.
   * @param mastered starts at the last stage: the model has gone through the others before.
   */
  constructor(
    private readonly stream: random.RandomStream,
    private readonly contexts: number,
    mastered = false,
  ) {
    if (mastered) {
      this.#stage = LAST;
      for (let stage = 1; stage <= LAST; stage++) this.#starts.push(0);
    }
  }

  /** 0 for the smallest contexts. */
  get stage(): number {
    return this.#stage;
  }

  /** The stage of a step, as far as it has been reached. */
  stageAt(step: number): number {
    return this.#starts.findLastIndex((start) => start <= step);
  }

  /** First step of the last stage that was reached. */
  get nextStart(): number {
    return this.#starts.at(-1)!;
  }

  get atLastStage(): boolean {
    return this.#stage === LAST;
  }

  /** The lesson of a step, which may be up to STEPS_AHEAD after the last one recorded. */
  lesson(step: number): Lesson {
    const first = DRAWS * step;
    const review = this.stream.uniformAt(first) < REVIEW_SHARE;
    const reached = this.stageAt(step);
    const stage = STAGES[review ? this.stream.integerAt(first + 1, reached + 1) : reached]!;
    const shape = stage.shapes[this.stream.integerAt(first + 3, stage.shapes.length)]!;
    const share = this.stream.uniformAt(first + 2);
    const task = share < REPEAT_SHARE ? 'repeat' : share < REPEAT_SHARE + RETELL_SHARE ? 'retell' : 'answer';
    return { shape, task, contexts: Math.round(this.contexts * stage.crowd) };
  }

  /**
   * Tells the loss of a step that asked for answers; true when the next stage is to begin.
   * @param progress share of the training that is done
   */
  record(step: number, answerLoss: number, progress: number): boolean {
    if (this.atLastStage || step < this.#starts.at(-1)!) return false;
    this.#steps++;
    this.#loss = this.#loss === undefined ? answerLoss : this.#loss + SMOOTHING * (answerLoss - this.#loss);
    const passed = this.#steps >= MIN_STEPS && this.#loss < PASS_LOSS;
    const late = progress >= STAGES[this.#stage]!.deadline;
    if (!passed && !late) return false;
    this.#stage++;
    this.#starts.push(step + 2 + STEPS_AHEAD);
    this.#steps = 0;
    this.#loss = undefined;
    return true;
  }
}
