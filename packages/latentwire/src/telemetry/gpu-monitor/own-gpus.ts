/** Figures come of every GPU of the machine; others may be at work for somebody else. */

export interface Placement {
  /** `cuda`, `cuda:1`, … as the run was told; what is no such name counts as the first. */
  readonly device: string;
  /** CUDA_VISIBLE_DEVICES of the run. */
  readonly visible?: string | undefined;
  /** Processes that train together: each has a GPU of its own. Default 1. */
  readonly processes?: number;
}

/** Those of a run's GPUs; all of them where names do not tell. */
export function ownGpus<T extends { readonly gpu: number }>(
  gpus: readonly T[],
  { device, visible, processes = 1 }: Placement,
): readonly T[] {
  const given = visible === undefined || visible === '' ? null : visible.split(',').map(Number);
  if (given?.some((index) => !Number.isInteger(index)) === true) return gpus;
  if (processes > 1) return given === null ? gpus : gpus.filter(({ gpu }) => given.includes(gpu));
  const place = Number(device.split(':')[1] ?? 0);
  const own = given?.[place] ?? place;
  return gpus.filter(({ gpu }) => gpu === own);
}
