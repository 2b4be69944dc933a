/** Gradients: backward, grad, grad mode. */
import { native } from './native.js';
import { scope } from './scope.js';
import { Tensor } from './tensor.js';

/**
 * Accumulates d(root)/d(leaf) into `leaf.grad` of every leaf that wants one.
 * @param gradient d(loss)/d(root), needed when root has more than one element.
 */
export function backward(
  root: Tensor,
  gradient: Tensor | null = null,
  options: { retainGraph?: boolean } = {},
): void {
  native.backward([root.handle], gradient === null ? null : [gradient.handle], options.retainGraph ?? false);
}

/** d(outputs)/d(inputs) without touching `.grad`; null where an input has no path to an output. */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: { gradOutputs?: readonly (Tensor | null)[]; retainGraph?: boolean; createGraph?: boolean } = {},
): (Tensor | null)[] {
  const createGraph = options.createGraph ?? false;
  return native
    .grad(
      outputs.map((t) => t.handle),
      inputs.map((t) => t.handle),
      options.gradOutputs === undefined
        ? null
        : options.gradOutputs.map((t) => (t === null ? null : t.handle)),
      options.retainGraph ?? createGraph,
      createGraph,
    )
    .map((handle) => (handle === null ? null : new Tensor(handle)));
}

/** Runs `body` without recording history. Synchronous, as `scope`. */
export function noGrad<T>(body: () => T): T {
  const before = native.setGradEnabled(false);
  try {
    return body();
  } finally {
    native.setGradEnabled(before);
  }
}

/** Runs `body` with recording on, inside a noGrad region for example. */
export function enableGrad<T>(body: () => T): T {
  const before = native.setGradEnabled(true);
  try {
    return body();
  } finally {
    native.setGradEnabled(before);
  }
}

/**
 * Runs `body` and keeps none of what it computes but its results; backward runs its operators again (gradient
 * checkpointing: less memory, one more forward pass). `body` must be a function of tensors alone: it draws no random
 * numbers, reads no values and changes no tensor from outside. Without a gradient to come it is a plain scope.
 */
export function recomputed(body: () => Tensor[]): Tensor[] {
  const recording = native.setGradEnabled(false);
  try {
    if (!recording) return scope(body);
    native.recomputeBegin();
    try {
      return scope(() =>
        native.recomputeEnd(body().map((t) => t.handle)).map((handle) => new Tensor(handle)),
      );
    } catch (error) {
      native.recomputeAbort();
      throw error;
    }
  } finally {
    native.setGradEnabled(recording);
  }
}

/** Sets `.grad` of all tensors to null. */
export function zeroGrad(tensors: readonly Tensor[]): void {
  native.clearGradients(tensors.map((t) => t.handle));
}
