/** Devices, threads, determinism and device memory. */

import { TorchError } from './error.js';
import { type MemoryStatistics, native } from './native.js';

export type Device = 'cpu' | 'cuda' | `cuda:${number}`;
export type { MemoryStatistics };

/** Number of CUDA devices; 0 for a CPU build or without a driver. */
export function cudaDeviceCount(): number {
  return native.cudaDeviceCount();
}

export function cudaIsAvailable(): boolean {
  return cudaDeviceCount() > 0;
}

/** Checks a device name: `cpu`, `cuda` or `cuda:i` with i below the device count. */
export function parseDevice(text: string): Device {
  if (text === 'cpu') return text;
  const match = /^cuda(?::(\d+))?$/.exec(text);
  if (match === null) throw new TorchError(`expected a device 'cpu', 'cuda' or 'cuda:i', got '${text}'`);
  const count = cudaDeviceCount();
  if (Number(match[1] ?? 0) >= count) {
    throw new TorchError(
      `device '${text}' is not there: this torch sees ${count} CUDA device${count === 1 ? '' : 's'}`,
    );
  }
  return text as Device;
}

/** Waits until all work queued on the device is done. */
export function synchronize(device: Device): void {
  native.synchronize(device);
}

/** Version of the loaded libtorch, e.g. "2.11.0". */
export function torchVersion(): string {
  return native.torchVersion();
}

/** Threads that one CPU operator may use. */
export function getNumThreads(): number {
  return native.getNumThreads();
}

export function setNumThreads(threads: number): void {
  native.setNumThreads(threads);
}

/**
 * Only bitwise reproducible kernels, or an error where an operator has none
 * (torch.use_deterministic_algorithms). Call before the first CUDA operator: cuBLAS reads its workspace setting once.
 */
export function setDeterministic(on: boolean): void {
  if (on) process.env.CUBLAS_WORKSPACE_CONFIG ??= ':4096:8';
  native.setDeterministic(on);
}

/** fp32 matrix products: 'highest' = IEEE fp32, 'high' = TF32 where the device has it. */
export function setMatmulPrecision(precision: 'highest' | 'high' | 'medium'): void {
  native.setMatmulPrecision(precision);
}

let pinned = false;

/**
 * Whether arrays on their way to a GPU (`fromTypedArray`) go through pinned memory: the copy then runs beside what is issued
 * after it. Default: through pageable memory, which the driver copies before it returns.
 */
export function setPinnedUploads(on: boolean): void {
  pinned = on;
}

export function pinnedUploads(): boolean {
  return pinned;
}

/** Allocator statistics of a CUDA device in bytes; null on the CPU. */
export function memoryStatistics(device: Device): MemoryStatistics | null {
  return native.memoryStatistics(device);
}

export function resetPeakMemory(device: Device): void {
  native.resetPeakMemory(device);
}

/** Lets allocations fail beyond this share of the device's memory, as if the device had no more. CUDA only. */
export function limitMemory(device: Device, share: number): void {
  native.limitMemory(device, share);
}

/** Returns cached free blocks to the device. */
export function emptyCache(device: Device): void {
  native.emptyCache(device);
}
