/** Generators of libtorch: what randn, dropout and the like draw from. State can be saved and restored. */
import type { Device } from '../device.js';
import { native } from '../native.js';
import { Tensor } from '../tensor.js';

/** An own stream of random numbers on one device; it lives as long as the process. */
export class Generator {
  /** @internal */
  readonly id: number;

  constructor(
    readonly device: Device,
    seed: number,
  ) {
    this.id = native.createGenerator(device, seed);
  }

  /** Starts the stream of another seed. */
  seed(seed: number): void {
    native.seedGenerator(this.id, seed);
  }

  /** The state as a uint8 tensor. */
  state(): Tensor {
    return new Tensor(native.generatorState(this.id));
  }

  restore(state: Tensor): void {
    native.setGeneratorState(this.id, state.handle);
  }
}

/** Seeds the default generators of the CPU and all CUDA devices. */
export function manualSeed(seed: number): void {
  native.manualSeed(seed);
}

/** State of a device's default generator as a uint8 tensor. */
export function defaultGeneratorState(device: Device): Tensor {
  return new Tensor(native.generatorState(device));
}

export function restoreDefaultGenerator(device: Device, state: Tensor): void {
  native.setGeneratorState(device, state.handle);
}
