/**
 * Strings that come out of a shell, or out of sbatch's own parser, exactly as they went in.
 *
 * Two parsers read a batch script. bash reads its commands: single quotes keep every byte but themselves. sbatch reads
 * its `#SBATCH` lines with rules of its own (checked on 22.05 and in its source): inside double quotes only `\` and
 * `"` are special; outside, a backslash does not protect a space.
 */
import { SlurmError } from '../errors.js';

/** Needs no quotes in bash. `~` at the start would mean something, and so would `=` in a word that is no option. */
const PLAIN_WORD = /^(?:[A-Za-z0-9_@%+:,./-]+|-[A-Za-z0-9_@%+:,./=-]+)$/;
const PLAIN_VALUE = /^[A-Za-z0-9_@%+:,./=-]+$/;

/** One word for bash; newlines included. @throws SlurmError `invalid-spec` on a NUL, which no argument can hold. */
export function shellWord(text: string): string {
  if (text.includes('\0')) {
    throw new SlurmError('expected text without a NUL byte for the shell, got one', { kind: 'invalid-spec' });
  }
  return PLAIN_WORD.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Words separated by spaces. */
export function shellWords(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

/**
 * The value of one `#SBATCH --option=value` line.
 * @throws SlurmError `invalid-spec` on line breaks and control characters: a directive is one line
 */
export function directiveValue(option: string, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get in
  if (/[\x00-\x1f\x7f]/.test(text)) {
    throw new SlurmError(
      `${option}: expected one line without control characters, got ${JSON.stringify(text)}`,
      { kind: 'invalid-spec', hint: 'choose a name that fits on one line' },
    );
  }
  return PLAIN_VALUE.test(text) ? text : `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/**
 * A path that Slurm takes literally where it would expand patterns such as `%j` (--output, --error).
 * @throws SlurmError `invalid-spec` on a backslash, which switches Slurm's patterns off for the whole name
 */
export function literalPath(path: string): string {
  if (path.includes('\\')) {
    throw new SlurmError(`expected an output path without a backslash, got ${JSON.stringify(path)}`, {
      kind: 'invalid-spec',
    });
  }
  return path.replaceAll('%', '%%');
}
