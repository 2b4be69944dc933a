/** Says in status.json that a run failed, when the process that would have said so was killed. */
import { RunLock, type RunPaths, readStatus, writeStatus } from '../../telemetry/index.js';

/** Changes the status of a run that is `running` and that no process holds any more; leaves any other as it is. */
export function recordFailure(
  paths: Pick<RunPaths, 'status' | 'lock'>,
  error: { readonly code: string; readonly message: string; readonly hint?: string },
): void {
  const status = readStatus(paths.status);
  if (status?.state !== 'running') return;
  const lock = RunLock.acquire(paths.lock);
  try {
    const { run, attempt, step } = status;
    const updated_at = new Date().toISOString();
    writeStatus(paths.status, { state: 'failed', run, attempt, updated_at, step, error });
  } finally {
    lock.release();
  }
}
