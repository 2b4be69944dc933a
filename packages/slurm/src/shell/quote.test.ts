import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlurmError } from '../errors.js';
import { directiveValue, literalPath, shellWord, shellWords } from './index.js';

/** Strings full of what shells care about. */
const hostile = fc.oneof(
  fc.string({ unit: fc.constantFrom(...' \t\n\'"`$(){}[]<>|&;*?~#!\\=%é\u{1F600}-a0') }),
  fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && isWellFormed(text)),
  fc.constantFrom(
    '',
    '-n',
    '--help',
    '$(touch /tmp/x)',
    '`id`',
    '~root',
    'a=b',
    '!!',
    '\\',
    "'",
    '\n',
    '\r\n',
  ),
);

function isWellFormed(text: string): boolean {
  return Buffer.from(text, 'utf8').toString('utf8') === text;
}

function bash(script: string): string[] {
  const output = execFileSync('bash', ['-s'], { input: script, encoding: 'utf8' });
  return output.split('\0').slice(0, -1);
}

describe('shellWord', () => {
  it('comes out of a real bash as it went in, as argument and as variable', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 20, maxLength: 60 }), (texts) => {
        expect(bash(`printf '%s\\0' ${shellWords(texts)}`)).toEqual(texts);
        const variables = texts.map((text, index) => `export V${index}=${shellWord(text)}`).join('\n');
        const all = texts.map((_, index) => `"$V${index}"`).join(' ');
        expect(bash(`${variables}\nprintf '%s\\0' ${all}`)).toEqual(texts);
      }),
      { numRuns: 25 },
    );
  });

  it('leaves plain words readable and refuses NUL', () => {
    expect(shellWords(['node', '--steps=3', 'A=1', '/a/b.c'])).toBe("node --steps=3 'A=1' /a/b.c");
    expect(() => shellWord('a\0b')).toThrow(SlurmError);
  });
});

describe('directiveValue', () => {
  it('comes out of the rules of sbatch as it went in', () => {
    const oneLine = hostile.map((text) => text.replace(/\p{Cc}/gu, ' '));
    fc.assert(
      fc.property(oneLine, (text) => {
        expect(readDirective(directiveValue('--comment', text))).toBe(text);
      }),
    );
  });

  it('refuses what does not fit on one line', () => {
    expect(() => directiveValue('--job-name', 'a\n#SBATCH --uid=0')).toThrow(
      '--job-name: expected one line without control characters, got "a\\n#SBATCH --uid=0"',
    );
  });
});

/** The rules of sbatch's own parser, as observed on 22.05: double quotes, and a backslash before any character. */
function readDirective(text: string): string {
  let value = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '\\') value += text[++i];
    else if (character === '"') quoted = !quoted;
    else if (!quoted && /[\s#']/.test(character)) throw new Error(`unprotected ${JSON.stringify(character)}`);
    else value += character;
  }
  if (quoted) throw new Error('unmatched quote');
  return value;
}

describe('literalPath', () => {
  it('takes Slurm patterns literally', () => {
    expect(literalPath('/runs/100%/%j')).toBe('/runs/100%%/%%j');
    expect(() => literalPath('a\\b')).toThrow('without a backslash');
  });
});
