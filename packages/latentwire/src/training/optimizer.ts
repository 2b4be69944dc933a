/** AdamW groups of a wire: the pretrained encoder learns slower than what starts at random; no decay on vectors. */
import { optim, type Tensor } from '@latentwire/torch';
import type { LatentWire } from '../wire/index.js';

export interface OptimizerOptions {
  readonly lr: number;
  /** Peak rate of the pretrained encoder weights. */
  readonly encoderLr: number;
  readonly weightDecay: number;
}

export interface WireOptimizer {
  readonly adamw: optim.AdamW;
  /** Sets every group's rate to its peak times the factor. */
  setLrFactor(factor: number): void;
}

export function wireOptimizer(wire: LatentWire, options: OptimizerOptions): WireOptimizer {
  const groups = new Map<string, { params: Map<string, Tensor>; lr: number; weightDecay: number }>();
  for (const [name, tensor] of wire.namedParameters()) {
    const pretrained = wire.isPretrained(name);
    const matrix = tensor.shape.length >= 2;
    const key = `${pretrained} ${matrix}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = {
        params: new Map(),
        lr: pretrained ? options.encoderLr : options.lr,
        weightDecay: matrix ? options.weightDecay : 0,
      };
      groups.set(key, group);
    }
    group.params.set(name, tensor);
  }
  const peaks = [...groups.values()].map((group) => group.lr);
  const adamw = new optim.AdamW([...groups.values()]);
  return {
    adamw,
    setLrFactor(factor) {
      adamw.groups.forEach((group, i) => {
        group.lr = peaks[i]! * factor;
      });
    },
  };
}
