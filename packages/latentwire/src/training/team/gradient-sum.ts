/**
 * Gradients, term sums and a few numbers of all ranks, added up in one collective per optimiser step: they lie side by
 * side in one tensor. The share of each example is counted over the whole step (`composeStep`), so plain sums are right
 * however the examples are divided.
 */
import * as t from '@latentwire/torch';
import type { TermSums } from '../micro-batch-loss.js';

/** Numbers that every rank contributes to, and their sums are known to every rank. */
export interface StepNumbers {
  /** Ranks that were asked to stop. */
  readonly stop: number;
  /** Tokens through encoder and readers. */
  readonly tokens: number;
  /** 10¹² floating-point operations (`microBatchWork`). */
  readonly tflop: number;
  /** Share of the time limit that is spent; rank 0 alone has the clock, the others add 0. */
  readonly clock: number;
}

const NUMBERS = ['stop', 'tokens', 'tflop', 'clock'] as const;

/** @param values in the order of `SummedStep.numbers` */
export function numbersFrom(values: readonly number[]): StepNumbers {
  const [stop = 0, tokens = 0, tflop = 0, clock = 0] = values;
  return { stop, tokens, tflop, clock };
}

/** Gradients begin at multiples of this many numbers, where kernels read best. */
const ALIGNMENT = 64;

/** The ranks, as far as sums need them. */
export interface Adder {
  /** The sum over all ranks, in place. @returns what waits until it is there, on the device too */
  sum_(tensor: t.Tensor): () => void;
}

/** What there is of a step before its numbers are read; the tensors are those of the next step when that is issued. */
export interface SummedStep {
  readonly sums: TermSums;
  readonly numbers: t.Tensor;
  /** To be called before something is read. @throws PeerFailed */
  readonly settle: () => void;
}

export class GradientSum implements Disposable {
  readonly #params: readonly t.Tensor[];
  readonly #flat: t.Tensor;
  /** Views: a gradient for each parameter. */
  readonly #gradients: readonly t.Tensor[];
  /** Views of the term sums, which come next. */
  readonly sums: TermSums;
  /** Views of the numbers after them. */
  readonly #numbers: t.Tensor;
  /** View of one number per parameter: how many ranks have a gradient of it. */
  readonly #present: t.Tensor;
  readonly #adder: Adder;

  constructor(params: readonly t.Tensor[], device: t.Device, adder: Adder) {
    this.#params = params;
    this.#adder = adder;
    const starts: number[] = [];
    let length = 0;
    for (const p of params) {
      starts.push(length);
      length += Math.ceil(p.numel / ALIGNMENT) * ALIGNMENT;
    }
    const rest = length;
    const [answer, reading, alignment, numbers] = [rest, rest + 5, rest + 6, rest + 7];
    const present = numbers + NUMBERS.length;
    this.#flat = t.keep(t.zeros([present + params.length], { device }));
    const view = (start: number, shape: readonly number[]): t.Tensor => {
      const size = shape.reduce((a, b) => a * b, 1);
      return t.keep(t.noGrad(() => t.view(t.narrow(this.#flat, 0, start, size), shape)));
    };
    this.#gradients = params.map((p, i) => view(starts[i]!, p.shape));
    this.sums = {
      answer: view(answer, [5]),
      reading: view(reading, []),
      alignment: view(alignment, []),
    };
    this.#numbers = view(numbers, [NUMBERS.length]);
    this.#present = view(present, [params.length]);
  }

  /** Lets every parameter add its gradient here from the start; for captured steps, which need fixed addresses. */
  attach(): void {
    this.#params.forEach((p, i) => {
      p.grad = this.#gradients[i]!;
    });
  }

  /**
   * Adds up what all ranks have. Afterwards `.grad` of each parameter and the sums are those of the whole step; a parameter
   * that no rank has a gradient of has none.
   * @param sums of this rank; `this.sums` itself when they were gathered there
   */
  reduce(sums: TermSums, numbers: StepNumbers): SummedStep {
    const settle = t.noGrad(() => {
      const attached = sums === this.sums;
      if (!attached) this.#gather(sums);
      NUMBERS.forEach((name, i) => {
        t.fill_(t.narrow(this.#numbers, 0, i, 1), numbers[name]);
      });
      const settled = this.#adder.sum_(this.#flat);
      if (!attached) this.#hand();
      return settled;
    });
    return { sums: this.sums, numbers: this.#numbers, settle };
  }

  [Symbol.dispose](): void {
    for (const p of this.#params) p.grad = null;
    for (const tensor of [this.#flat, this.#numbers, this.#present]) tensor.dispose();
    for (const tensor of [...this.#gradients, ...Object.values(this.sums)]) tensor.dispose();
  }

  #gather(sums: TermSums): void {
    const present = this.#params.map((p, i) => {
      const gradient = p.grad;
      if (gradient === null) t.zero_(this.#gradients[i]!);
      else t.copy_(this.#gradients[i]!, gradient);
      return gradient === null ? 0 : 1;
    });
    t.copy_(this.#present, t.tensor(present));
    for (const name of ['answer', 'reading', 'alignment'] as const) t.copy_(this.sums[name], sums[name]);
  }

  #hand(): void {
    const present = this.#present.toArray();
    this.#params.forEach((p, i) => {
      p.grad = present[i]! > 0 ? this.#gradients[i]! : null;
    });
  }
}
