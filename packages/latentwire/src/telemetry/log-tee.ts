/**
 * Copies what this process writes to stdout and stderr into the log of the attempt, inside the process: no
 * pipe, so the exit code stays, and no shell `tee` that dies first. Whole lines are written synchronously as
 * they end (also at a carriage return), so kill −9 loses at most an unfinished line. A log that cannot be
 * written never stops the program: it warns once and goes on when there is room again.
 *
 * Native libraries write past these streams, straight to descriptors 1 and 2. With `capture` those become pipes whose
 * other ends a native thread copies to the log and onwards; the streams then write to the original descriptors.
 */
import { symlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { type Clock, fileTimestamp, systemClock } from './clock.js';
import { type FileSystem, ioError, nodeFileSystem, writeFully } from './file-system.js';

/** A line longer than this is written in parts. */
const LONGEST_LINE = 65_536;

type Write = NodeJS.WriteStream['write'];
/** What the tee needs of process.stdout and process.stderr. */
export interface TeeStream {
  write: Write;
}

/** Redirects descriptors 1 and 2 into the file behind `log`; see `captureOutput` of @latentwire/torch. */
export type OutputCapture = (log: number) => {
  /** Descriptors of the original stdout and stderr. */
  readonly stdout: number;
  readonly stderr: number;
  stop(): void;
};

export interface LogTeeOptions {
  readonly stdout?: TeeStream;
  readonly stderr?: TeeStream;
  readonly capture?: OutputCapture;
  readonly clock?: Clock;
  readonly fs?: FileSystem;
}

export class LogTee {
  /** train_YYYYMMDD_HHMMSS.log */
  readonly path: string;
  readonly #system: FileSystem;
  readonly #fd: number;
  readonly #restore: (() => void)[] = [];
  readonly #unfinished: Buffer[][] = [];
  readonly #warn: (message: string) => void;
  #lost = 0;
  #closed = false;

  /**
   * Starts a new log in `directory` and points latest.log to it.
   * @throws LatentWireError `io` when the log cannot be created.
   */
  constructor(directory: string, options: LogTeeOptions = {}) {
    const { stdout = process.stdout, stderr = process.stderr, clock = systemClock } = options;
    this.#system = options.fs ?? nodeFileSystem;
    const { fd, file } = createLog(directory, `train_${fileTimestamp(clock.now())}`, this.#system);
    this.#fd = fd;
    this.path = file;
    pointLatest(directory, path.basename(file), this.#system);

    const original = options.capture?.(fd);
    if (original !== undefined) {
      // Somebody may have turned stdout to stderr already, as --json does: then it stays so.
      const turned = Object.hasOwn(process.stdout, 'write');
      this.#restore.push(
        past(process.stdout, turned ? original.stderr : original.stdout),
        past(process.stderr, original.stderr),
        () => original.stop(),
      );
    }
    const writeError = stderr.write;
    this.#warn = (message) => void writeError.call(stderr, message);
    this.#capture(stdout);
    if (stderr !== stdout) this.#capture(stderr);
    const onExit = () => this.close();
    // Node prints an uncaught error past the streams, so it is copied here; the exit code stays Node's.
    const onCrash = (error: unknown) =>
      this.#log(Buffer.from(`${error instanceof Error ? error.stack : error}\n`));
    process.on('exit', onExit);
    process.on('uncaughtExceptionMonitor', onCrash);
    this.#restore.push(() => {
      process.off('exit', onExit);
      process.off('uncaughtExceptionMonitor', onCrash);
    });
  }

  /** Writes a line into the log alone: what will be printed only after the log is closed. */
  note(line: string): void {
    this.#log(Buffer.from(`${line}\n`));
  }

  /** Writes what is left of unfinished lines and gives the streams back. Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    for (const parts of this.#unfinished) this.#log(Buffer.concat(parts));
    this.#closed = true;
    for (const restore of this.#restore.reverse()) restore();
    try {
      this.#system.fsync(this.#fd);
    } catch {
      // Nothing more can be done for the log; the lines are in the page cache.
    }
    this.#system.close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #capture(stream: TeeStream): void {
    const original = stream.write;
    const unfinished: Buffer[] = [];
    this.#unfinished.push(unfinished);
    const tee = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      const bytes =
        typeof chunk === 'string'
          ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
          : Buffer.from(chunk);
      this.#record(unfinished, bytes);
      return Reflect.apply(original, stream, [chunk, encoding, callback]) as boolean;
    };
    stream.write = tee as Write;
    this.#restore.push(() => {
      // Something wrapped the stream after us: leave its chain alone, our closed tee just passes through.
      if (stream.write === (tee as Write)) stream.write = original;
    });
  }

  #record(unfinished: Buffer[], bytes: Buffer): void {
    if (this.#closed) return;
    const end = Math.max(bytes.lastIndexOf(0x0a), bytes.lastIndexOf(0x0d)) + 1;
    if (end > 0) {
      this.#log(Buffer.concat([...unfinished.splice(0), bytes.subarray(0, end)]));
    }
    if (end < bytes.length) unfinished.push(Buffer.from(bytes.subarray(end)));
    if (unfinished.reduce((sum, part) => sum + part.length, 0) > LONGEST_LINE) {
      this.#log(Buffer.concat(unfinished.splice(0)));
    }
  }

  #log(bytes: Buffer): void {
    if (this.#closed || bytes.length === 0) return;
    const lost = this.#lost;
    try {
      if (lost > 0) {
        writeFully(
          this.#system,
          this.#fd,
          Buffer.from(`\n[${lost} bytes are missing here: the log could not be written]\n`),
        );
        this.#lost = 0;
      }
      writeFully(this.#system, this.#fd, bytes);
    } catch (error) {
      this.#lost += bytes.length;
      if (lost === 0)
        this.#warn(`warning: ${ioError('write', this.path, error).message}; going on without the log\n`);
    }
  }
}

/**
 * Lets a stream write to `fd` in place of descriptor 1 or 2, which is a captured pipe now. A terminal has a descriptor
 * of its own already. Returns what undoes it.
 */
function past(stream: NodeJS.WriteStream, fd: number): () => void {
  if (stream.isTTY) return () => {};
  const original = stream.write;
  let over = false;
  const direct = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
    // Somebody may have kept this function, and the descriptor is closed by then.
    if (over) return Reflect.apply(original, stream, [chunk, encoding, callback]) as boolean;
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : chunk;
    writeOnwards(fd, bytes);
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done as () => void);
    return true;
  };
  stream.write = direct as Write;
  return () => {
    over = true;
    if (stream.write === (direct as Write)) stream.write = original;
  };
}

const pause = new Int32Array(new SharedArrayBuffer(4));

function writeOnwards(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      // A full pipe is waited for; one that nobody reads any more is not an error of ours.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/** A new log file; a number is added when two attempts start within one second. */
function createLog(directory: string, stem: string, system: FileSystem): { fd: number; file: string } {
  for (let number = 1; ; number++) {
    const file = path.join(directory, number === 1 ? `${stem}.log` : `${stem}_${number}.log`);
    try {
      return { fd: system.open(file, 'ax'), file };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw ioError('create', file, error);
    }
  }
}

function pointLatest(directory: string, target: string, system: FileSystem): void {
  const temporary = path.join(directory, `.latest.log.tmp-${process.pid}-0`);
  try {
    symlinkSync(target, temporary);
    system.rename(temporary, path.join(directory, 'latest.log'));
  } catch {
    // A convenience only: some file systems have no symbolic links.
  }
}
