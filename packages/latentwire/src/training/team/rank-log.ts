/**
 * logs/rank-N_YYYYMMDD_HHMMSS.log: what a process that is not rank 0 says, native code included. Warnings go to its stderr
 * as well; the rest would only repeat what rank 0 says there.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import { createLogger, fileTimestamp, type Logger } from '../../telemetry/index.js';

export class RankLog implements Disposable {
  readonly logger: Logger;
  readonly #file: number;
  readonly #captured: t.CapturedOutput;

  /** @throws an error of the file system; a rank on a machine that does not see the run directory has no log there */
  constructor(folder: string, rank: number) {
    const name = `rank-${rank}_${fileTimestamp(new Date())}`;
    this.#file = firstFree((number) => path.join(folder, `${name}${number === 1 ? '' : `_${number}`}.log`));
    this.#captured = t.captureOutput(this.#file);
    const own = createLogger({ level: 'info', write: (line) => fs.writeSync(this.#file, line) });
    const shown = createLogger({
      level: 'warn',
      write: (line) => fs.writeSync(this.#captured.stderr, `rank ${rank}: ${line}`),
    });
    const both = (level: 'warn' | 'error'): Logger['warn'] => {
      return (message, fields) => {
        own[level](message, fields);
        shown[level](message, fields);
      };
    };
    this.logger = { debug() {}, info: own.info, warn: both('warn'), error: both('error') };
  }

  [Symbol.dispose](): void {
    this.#captured.stop();
    fs.closeSync(this.#file);
  }
}

/** Two attempts may start within one second. */
function firstFree(name: (number: number) => string): number {
  for (let number = 1; ; number++) {
    try {
      return fs.openSync(name(number), 'ax');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
