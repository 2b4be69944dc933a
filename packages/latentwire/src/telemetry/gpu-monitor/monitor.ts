/** Watches the GPUs of this machine once a second while a run works: `logs/gpu_monitor_YYYYMMDD_HHMMSS.jsonl`. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileTimestamp } from '../clock.js';

export interface GpuMonitorOptions {
  /** Folder of logs. */
  readonly logs: string;
  readonly program?: string;
  readonly now?: Date;
}

export class GpuMonitor implements Disposable {
  readonly file: string;
  readonly #child: ChildProcess;

  /** Starts the monitor process; what goes wrong there is said in its file and never touches the run. */
  constructor(options: GpuMonitorOptions) {
    this.file = path.join(options.logs, `gpu_monitor_${fileTimestamp(options.now ?? new Date())}.jsonl`);
    const script = fileURLToPath(new URL('./monitor-process.js', import.meta.url));
    this.#child = spawn(process.execPath, [script, this.file, options.program ?? 'nvidia-smi'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#child.on('error', () => {});
    this.#child.stdin!.on('error', () => {});
    // The run may end while the monitor lives: its end of the pipe closes then.
    this.#child.unref();
  }

  /** Ends the monitor. */
  stop(): void {
    this.#child.stdin?.end();
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}
