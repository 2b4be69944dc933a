/** Benchmarks run by hand and seldom: what they import from the repository must still be there, by file and by name. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** @typedef {{ file: string, imported: string, reason: string }} BrokenImport */

const IMPORT = /^import\s+(?:\{([^}]*)\}|\* as \w+)\s+from\s+'(\.[^']+)';/gm;

/**
 * @param {string} root
 * @returns {{ broken: BrokenImport[], files: number, imports: number }}
 */
export function checkBench(root) {
  const folder = join(root, 'bench');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.mjs'),
  );
  /** @type {BrokenImport[]} */
  const broken = [];
  let imports = 0;
  for (const name of files) {
    const file = join(folder, name);
    for (const [, names = '', imported = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      imports++;
      const target = resolve(dirname(file), imported);
      for (const reason of problems(target, names))
        broken.push({ file: relative(root, file), imported, reason });
    }
  }
  return { broken, files: files.length, imports };
}

/**
 * @param {string} target
 * @param {string} names
 * @returns {string[]}
 */
function problems(target, names) {
  if (!existsSync(target)) return ['no such file'];
  const source = readFileSync(target, 'utf8');
  if (/^export \*/m.test(source)) return [];
  const wanted = names.split(',').map((part) => part.trim().split(/\s+as\s+/)[0] ?? '');
  return wanted
    .filter((name) => name !== '' && !new RegExp(`\\b${name}\\b`).test(source))
    .map((name) => `exports no ${name}`);
}
