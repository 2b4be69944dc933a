/** AdamW (Loshchilov & Hutter 2019) by libtorch's fused kernel: one call for all parameters of a group. */
import { noGrad } from '../autograd.js';
import { handles, op } from '../dispatch.js';
import { TorchError } from '../error.js';
import { native } from '../native.js';
import { zeros, zerosLike } from '../ops/create.js';
import { copy_ } from '../ops/pointwise.js';
import { keep, scope } from '../scope.js';
import type { Tensor } from '../tensor.js';

const FUSED_ADAMW_ = op('aten::_fused_adamw_');
const FOREACH_ADD_ = op('aten::_foreach_add_.Scalar');

export interface AdamWOptions {
  readonly lr: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
}

/** Parameters that share hyper-parameters. `lr` may be changed between steps. */
export interface ParameterGroup extends AdamWOptions {
  readonly params: ReadonlyMap<string, Tensor>;
  lr: number;
}

interface Moments {
  readonly expAvg: Tensor;
  readonly expAvgSq: Tensor;
  /** Steps done, as a float32 scalar on the parameter's device (the fused kernel wants it there). */
  readonly step: Tensor;
}

export class AdamW {
  readonly groups: ParameterGroup[];
  readonly #state = new Map<string, Moments>();

  /** @param groups Names must be unique over all groups; they key the saved state. */
  constructor(groups: readonly (AdamWOptions & { params: ReadonlyMap<string, Tensor> })[]) {
    this.groups = groups.map((group) => ({ ...group }));
    noGrad(() => {
      for (const { params } of this.groups) {
        for (const [name, p] of params) {
          if (this.#state.has(name)) throw new TorchError(`AdamW: parameter '${name}' is in two groups`);
          this.#state.set(name, {
            expAvg: keep(zerosLike(p)),
            expAvgSq: keep(zerosLike(p)),
            step: keep(zeros([], { device: p.device })),
          });
        }
      }
    });
  }

  /** One update from the gradients in `.grad`; parameters without one are left alone. */
  step(): void {
    noGrad(() => {
      scope(() => {
        for (const group of this.groups) this.#stepGroup(group);
      });
    });
  }

  /** Sets all gradients to null. */
  zeroGrad(): void {
    for (const { params } of this.groups) native.clearGradients(handles([...params.values()]));
  }

  /** Moments and step counts by "<parameter>.exp_avg" etc. (the tensors themselves). */
  stateDict(): Map<string, Tensor> {
    const out = new Map<string, Tensor>();
    for (const [name, m] of this.#state) {
      out.set(`${name}.exp_avg`, m.expAvg);
      out.set(`${name}.exp_avg_sq`, m.expAvgSq);
      out.set(`${name}.step`, m.step);
    }
    return out;
  }

  /** Copies a saved state in; names and shapes must match exactly. */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const own = this.stateDict();
    for (const name of state.keys()) {
      if (!own.has(name)) throw new TorchError(`AdamW.loadStateDict: unexpected '${name}'`);
    }
    noGrad(() => {
      for (const [name, target] of own) {
        const source = state.get(name);
        if (source === undefined) throw new TorchError(`AdamW.loadStateDict: '${name}' is missing`);
        if (source.shape.join() !== target.shape.join()) {
          throw new TorchError(
            `AdamW.loadStateDict: '${name}' expected shape [${target.shape}], got [${source.shape}]`,
          );
        }
        copy_(target, source);
      }
    });
  }

  dispose(): void {
    for (const tensor of this.stateDict().values()) tensor.dispose();
    this.#state.clear();
  }

  #stepGroup(group: ParameterGroup): void {
    const params: Tensor[] = [];
    const grads: Tensor[] = [];
    const moments: Moments[] = [];
    for (const [name, p] of group.params) {
      const g = p.grad;
      if (g === null) continue;
      params.push(p);
      grads.push(g);
      moments.push(this.#state.get(name)!);
    }
    if (params.length === 0) return;
    const steps = moments.map((m) => m.step);
    native.callInPlace(FOREACH_ADD_, handles(steps), 1);
    const [beta1, beta2] = group.betas ?? [0.9, 0.999];
    native.callInPlace(
      FUSED_ADAMW_,
      handles(params),
      handles(grads),
      handles(moments.map((m) => m.expAvg)),
      handles(moments.map((m) => m.expAvgSq)),
      [],
      handles(steps),
      group.lr,
      beta1,
      beta2,
      group.weightDecay ?? 0.01,
      group.eps ?? 1e-8,
      false,
      false,
    );
  }
}
