/** How other processes start this product, and how they train one cell of a plan. */
import { fileURLToPath } from 'node:url';
import type { CellCommand } from '../experiments/index.js';

/** `latentwire`, for this machine and for others with the same file system. */
export const program: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('./main.js', import.meta.url)),
];

export const trainCommand: CellCommand = (_, files) => [
  ...program,
  ...['train', '--config', files.config, '--auto-resume'],
];
