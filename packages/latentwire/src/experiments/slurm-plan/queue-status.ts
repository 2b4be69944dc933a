/** What the queue says of the cells of a directory, for `latentwire status`. Looks only, and never fails. */
import { existsSync } from 'node:fs';
import { createRunner, SlurmError, type SlurmRunner } from '@latentwire/slurm';
import { slurmFolder } from '../state/experiment-folder.js';
import { queueNow } from './queue-look.js';
import type { QueuedCell } from './queue-view.js';

export interface QueueStatus {
  /** Live tasks by name of their cell. */
  readonly cells: Readonly<Record<string, QueuedCell>>;
  /** Why nothing is known of the queue; undefined: all is. */
  readonly trouble: string | undefined;
}

/** Undefined: nothing of this directory was ever submitted. */
export async function queueStatus(
  directory: string,
  runner: SlurmRunner = createRunner({ timeoutMs: 10_000, pausesMs: [] }),
): Promise<QueueStatus | undefined> {
  if (!existsSync(slurmFolder(directory))) return undefined;
  try {
    const { cells } = await queueNow(directory, runner);
    return { cells: Object.fromEntries([...cells].filter(([, { live }]) => live)), trouble: undefined };
  } catch (error) {
    if (!(error instanceof SlurmError)) throw error;
    return { cells: {}, trouble: error.message };
  }
}
