/**
 * What a person sees of the set-up: one line per step with its result, size and time.
 *
 * On a terminal the line of the running step is redrawn in place; in a log file progress comes as plain lines, at
 * most one every ten seconds. Everything goes to stderr, so stdout stays free for `--json`.
 */

/** @typedef {{ progress: (text: string) => void, done: (text: string) => void }} Step */
/**
 * @typedef {object} Reporter
 * @property {(name: string) => Step} step  begins a step; `done` closes it with its one line
 * @property {(text: string) => void} note  a line of its own, for what the reader should not miss
 */

const PLAIN_INTERVAL_MS = 10_000;
const NAME_WIDTH = 10;

/**
 * @param {{ write: (text: string) => unknown, isTTY?: boolean, columns?: number }} [stream]
 * @param {() => number} [now] milliseconds
 * @returns {Reporter}
 */
export function createReporter(stream = process.stderr, now = () => performance.now()) {
  const live = stream.isTTY === true;
  let drawn = false;

  /** @param {string} text */
  const line = (text) => {
    if (drawn) stream.write('\r\u001b[2K');
    drawn = false;
    stream.write(`${text}\n`);
  };

  return {
    step(name) {
      const started = now();
      let lastPlain = started;
      const label = `  ${name.padEnd(NAME_WIDTH)}`;
      return {
        progress(text) {
          const shown = `${label} ${text}`;
          if (live) {
            stream.write(`\r\u001b[2K${shown.slice(0, Math.max(20, (stream.columns ?? 100) - 1))}`);
            drawn = true;
          } else if (now() - lastPlain >= PLAIN_INTERVAL_MS) {
            lastPlain = now();
            line(shown);
          }
        },
        done(text) {
          line(`${label} ${text} (${formatSeconds(now() - started)})`);
        },
      };
    },
    note(text) {
      line(`  ${''.padEnd(NAME_WIDTH)} ${text}`);
    },
  };
}

/**
 * @param {number} milliseconds
 * @returns {string} `0.4 s`, `3 min 12 s`
 */
export function formatSeconds(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/**
 * @param {number} bytes
 * @returns {string} decimal units as download pages use them: `539 MB`, `1.2 GB`
 */
export function formatBytes(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${Math.round(bytes / 1e6)} MB`;
  return `${Math.ceil(bytes / 1e3)} kB`;
}
