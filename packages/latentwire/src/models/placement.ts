/** Where models live and in which number format, from what the user asked for. */
import * as t from '@latentwire/torch';
import { LatentWireError } from '../errors.js';

/** `auto` is the first CUDA device when there is one. */
export function resolveDevice(name: string): t.Device {
  if (name === 'auto') return t.cudaIsAvailable() ? 'cuda:0' : 'cpu';
  try {
    return t.parseDevice(name === 'cuda' ? 'cuda:0' : name);
  } catch (cause) {
    throw new LatentWireError(cause instanceof Error ? cause.message : String(cause), {
      code: 'input',
      hint: 'use --device auto or --device cpu',
      cause,
    });
  }
}

/** `auto` is bfloat16 on CUDA and float32 on the CPU. */
export function resolveDtype(name: 'auto' | t.FloatDType, device: t.Device): t.FloatDType {
  if (name !== 'auto') return name;
  return device === 'cpu' ? 'float32' : 'bfloat16';
}
