/**
 * Base of layers: parameters are the Tensor fields of a module, found by walking its fields, its child modules and
 * arrays of them; names are the dotted paths ("layers.0.weight"), as in PyTorch's state_dict.
 */

import { noGrad } from '../autograd.js';
import { TorchError } from '../error.js';
import { copy_ } from '../ops/pointwise.js';
import { Tensor } from '../tensor.js';

export abstract class Module {
  /** [dotted name, tensor] of every parameter, in field order. */
  *namedParameters(prefix = ''): Generator<[string, Tensor]> {
    for (const [field, value] of Object.entries(this)) {
      yield* walk(value, prefix === '' ? field : `${prefix}.${field}`);
    }
  }

  /** All parameters, in field order. */
  parameters(): Tensor[] {
    return [...this.namedParameters()].map(([, tensor]) => tensor);
  }

  /** Name → parameter (the tensors themselves, not copies). */
  stateDict(): Map<string, Tensor> {
    return new Map(this.namedParameters());
  }

  /** Copies values into the parameters. Every name must be present with the right shape, and no other. */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const own = this.stateDict();
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    if (missing.length > 0 || unexpected.length > 0) {
      throw new TorchError(
        `loadStateDict: missing [${missing.slice(0, 5).join(', ')}], unexpected [${unexpected.slice(0, 5).join(', ')}]`,
      );
    }
    for (const [name, target] of own) {
      const source = state.get(name)!;
      if (source.shape.join() !== target.shape.join()) {
        throw new TorchError(
          `loadStateDict: '${name}' expected shape [${target.shape}], got [${source.shape}]`,
        );
      }
    }
    noGrad(() => {
      for (const [name, target] of own) copy_(target, state.get(name)!);
    });
  }

  /** Frees all parameters. */
  dispose(): void {
    for (const tensor of this.parameters()) tensor.dispose();
  }
}

function* walk(value: unknown, name: string): Generator<[string, Tensor]> {
  if (value instanceof Tensor) yield [name, value];
  else if (value instanceof Module) yield* value.namedParameters(name);
  else if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) yield* walk(value[i], `${name}.${i}`);
  }
}
