/**
 * Diagnostic logging. Libraries take the four-method `Logger`; only the command line makes one. Behind it is
 * pino, writing synchronously through the given sink (stderr), so that nothing is lost when a process dies.
 */
import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
type LogMethod = (message: string, fields?: Readonly<Record<string, unknown>>) => void;
export type Logger = Readonly<Record<LogLevel, LogMethod>>;

const NAMES: Readonly<Record<number, LogLevel>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' };

/** Drops everything. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * @param format `text`: `12:03:44 warn  message key=value`, for people; `json`: pino's lines, for programs.
 * @param write takes whole lines; looked up on each call by default, so that a log tee sees them.
 */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly format?: 'text' | 'json';
  readonly write?: (line: string) => void;
}): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const sink = options.format === 'json' ? { write } : { write: (line: string) => write(textLine(line)) };
  const target = pino({ level: options.level, base: null }, sink);
  const method =
    (level: LogLevel): LogMethod =>
    (message, fields) =>
      target[level](fields ?? {}, message);
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') };
}

function textLine(json: string): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as { level: number; time: number; msg: string };
  const clock = new Date(time).toTimeString().slice(0, 8);
  const rest = Object.entries(fields).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return ` ${key}=${/[\s="]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text}`;
  });
  return `${clock} ${(NAMES[level] ?? 'info').padEnd(5)} ${msg}${rest.join('')}\n`;
}
