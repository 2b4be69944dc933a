/**
 * What a GPU can do at most: dense bfloat16 products on tensor cores, TFLOP/s of the makers' data sheets (without the
 * sparsity that some print). A share of it is the MFU of a training; a card that is not here has none.
 */
const PEAKS: readonly (readonly [name: RegExp, tflops: number])[] = [
  [/\bB200\b/, 2250],
  [/\bH200\b|\bGH200\b/, 989],
  [/\bH100 PCIe\b/, 756],
  [/\bH100 NVL\b/, 835],
  [/\bH100\b|\bH800\b/, 989],
  [/\bA100\b|\bA800\b/, 312],
  [/\bA40\b/, 150],
  [/\bA30\b/, 165],
  [/\bA10\b/, 125],
  [/\bL40S\b/, 362],
  [/\bL40\b/, 181],
  [/\bL4\b/, 121],
];

/** TFLOP/s of one of these GPUs by their names in nvidia-smi; undefined when unknown, or when they differ. */
export function peakTflops(names: readonly string[]): number | undefined {
  const peaks = new Set(names.map((name) => PEAKS.find(([pattern]) => pattern.test(name))?.[1]));
  return peaks.size === 1 ? [...peaks][0] : undefined;
}
