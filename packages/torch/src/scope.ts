/**
 * Explicit tensor lifetime. Every tensor made while a scope is open belongs to the innermost scope and is freed when
 * it closes, unless it is returned (it then belongs to the scope around) or was `keep`-ed.
 */
import { native } from './native.js';
import { Tensor } from './tensor.js';

/**
 * Runs `body` and frees every tensor made inside except those in its result (found in arrays, plain objects, maps
 * and sets, to any depth). An exception frees all of them. `body` must be synchronous: a promise is refused, since
 * tensors made by other code while it is pending would be freed too.
 */
export function scope<T>(body: () => T): T {
  native.scopeEnter();
  let kept: number[] = [];
  try {
    const result = body();
    if (result instanceof Promise) {
      throw new TypeError('scope() needs a synchronous function, got one that returns a promise');
    }
    kept = collectHandles(result, [], 0);
    return result;
  } finally {
    native.scopeExit(kept);
  }
}

/** Takes a tensor out of all scopes; it lives until `dispose`. Returns it. */
export function keep(tensor: Tensor): Tensor {
  native.keep(tensor.handle);
  return tensor;
}

/** Number of tensors alive in this thread. Constant over training steps, or something leaks. */
export function liveTensors(): number {
  return native.liveTensors();
}

function collectHandles(value: unknown, handles: number[], depth: number): number[] {
  if (value instanceof Tensor) handles.push(value.handle);
  else if (depth > 8 || value === null || typeof value !== 'object' || ArrayBuffer.isView(value))
    return handles;
  else if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) collectHandles(item, handles, depth + 1);
  } else if (value instanceof Map) {
    for (const item of value.values()) collectHandles(item, handles, depth + 1);
  } else {
    for (const item of Object.values(value)) collectHandles(item, handles, depth + 1);
  }
  return handles;
}
