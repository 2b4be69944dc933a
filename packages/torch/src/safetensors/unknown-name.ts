import { SafetensorsError } from './error.js';

/** The error for a tensor that is not in a file, with the existing name nearest to it. */
export function unknownName(name: string, existing: Iterable<string>, file: string): SafetensorsError {
  const names = [...existing];
  let nearest: string | undefined;
  let shared = 0;
  for (const candidate of names) {
    const score = commonLength(name, candidate);
    if (score > shared) {
      shared = score;
      nearest = candidate;
    }
  }
  const hint = nearest !== undefined && shared * 2 >= name.length ? `; the nearest name is '${nearest}'` : '';
  return new SafetensorsError(`no such tensor among ${names.length}${hint}`, { file, tensor: name });
}

/** Length of the common beginning plus that of the common end: names of weights differ in the middle. */
function commonLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let start = 0;
  while (start < limit && a[start] === b[start]) start++;
  let end = 0;
  while (end < limit - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return start + end;
}
