/**
 * The dependency rule: which room of the source tree may import which. Fails on every arrow that is not allowed.
 *
 * Rooms of packages/latentwire/src stand in layers and import downwards only, and of another room only what an
 * index.ts shows. Packages other than latentwire know nothing of each other. Tests and what only they use
 * (fixtures, golden) are exempt.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Highest first; rooms of one layer do not import each other. The design names five rows; where rooms of one row
 * need each other (a run evaluates, baselines use the wire) they are ordered here, so that no circle can arise.
 */
const LAYERS = [
  ['cli'],
  ['checklist'],
  ['results'],
  ['experiments'],
  ['training', 'pretraining'],
  ['evaluation'],
  ['baselines'],
  ['objective'],
  ['wire'],
  ['data', 'models'],
];
/** Off to the side: importable from its lowest user and everything above that; imports no layered room. */
const TELEMETRY = { room: 'telemetry', lowestUser: 'evaluation' };
/** Importable by every room; they import only each other. */
const FOUNDATION = ['errors', 'config'];
/** Which rooms may import a workspace package; absent: all of them. */
const PACKAGE_USERS = {
  '@latentwire/stats': ['results', 'checklist'],
  '@latentwire/slurm': ['experiments', 'checklist'],
};

/** @typedef {{ file: string, line: number, imported: string, reason: string }} Violation */

/**
 * @param {string} root  repository root
 * @returns {{ violations: Violation[], files: number, imports: number }}
 */
export function checkLayers(root) {
  /** @type {Violation[]} */
  const violations = [];
  let files = 0;
  let imports = 0;
  for (const name of folders(join(root, 'packages'))) {
    const src = join(root, 'packages', name, 'src');
    if (!existsSync(src)) continue;
    for (const file of sourceFiles(src)) {
      files++;
      for (const { specifier, line } of findImports(readFileSync(file, 'utf8'))) {
        imports++;
        const reason = objection({ name, src, file, specifier });
        if (reason) violations.push({ file: relative(root, file), line, imported: specifier, reason });
      }
    }
  }
  return { violations, files, imports };
}

/**
 * @param {{ name: string, src: string, file: string, specifier: string }} arrow
 * @returns {string | undefined} why the arrow is not allowed
 */
function objection({ name, src, file, specifier }) {
  const from = roomOf(src, file);
  if (!specifier.startsWith('.')) return objectionToPackage(name, from, specifier);
  const target = resolve(dirname(file), specifier);
  if (relative(src, target).startsWith('..')) return 'leaves its package: import the package by its name';
  if (name !== 'latentwire') return undefined;
  const to = roomOf(src, target);
  if (from === to || from === 'index') return from === 'index' ? objectionToFace(src, target, to) : undefined;
  for (const room of [from, to]) {
    if (!isKnown(room))
      return `'${room}' is no room of the design: give it a layer in scripts/check-layers.mjs`;
  }
  if (to === 'index') return 'imports the public face of its own package';
  return objectionToRoom(from, to) ?? objectionToFace(src, target, to);
}

/**
 * @param {string} name
 * @param {string} from
 * @param {string} specifier
 */
function objectionToPackage(name, from, specifier) {
  const match = /^(@latentwire\/[^/]+|latentwire)(\/.*)?$/.exec(specifier);
  if (!match) return undefined;
  const imported = /** @type {string} */ (match[1]);
  if (name !== 'latentwire') return `packages/${name} knows nothing of ${imported}`;
  if (imported === 'latentwire') return 'imports the public face of its own package';
  const users = /** @type {Record<string, string[]>} */ (PACKAGE_USERS)[imported];
  return users && !users.includes(from) ? `${imported} is used by ${users.join(', ')} only` : undefined;
}

/**
 * @param {string} from
 * @param {string} to
 */
function objectionToRoom(from, to) {
  if (FOUNDATION.includes(to)) return undefined;
  if (FOUNDATION.includes(from)) return `'${from}' imports no room`;
  if (from === TELEMETRY.room) return `'${from}' imports no room`;
  if (to === TELEMETRY.room) {
    return layerOf(from) <= layerOf(TELEMETRY.lowestUser)
      ? undefined
      : `'${to}' is used by '${TELEMETRY.lowestUser}' and above only`;
  }
  if (layerOf(from) < layerOf(to)) return undefined;
  return layerOf(from) === layerOf(to)
    ? `'${from}' and '${to}' stand side by side`
    : `'${to}' is above '${from}'`;
}

/**
 * @param {string} src
 * @param {string} target
 * @param {string} room
 */
function objectionToFace(src, target, room) {
  const path = relative(src, target).replaceAll('\\', '/');
  return !path.includes('/') || path.endsWith('/index.js')
    ? undefined
    : `only an index.js of '${room}' is public`;
}

/** @param {string} room */
const layerOf = (room) => LAYERS.findIndex((layer) => layer.includes(room));
/** @param {string} room */
const isKnown = (room) =>
  layerOf(room) >= 0 || room === TELEMETRY.room || room === 'index' || FOUNDATION.includes(room);

/**
 * First folder below src, or the base name of a file directly in src.
 * @param {string} src
 * @param {string} path
 */
function roomOf(src, path) {
  const [first = ''] = relative(src, path).split(/[\\/]/);
  return first.replace(/\.[jt]s$/, '');
}

/**
 * Static, re-exporting, type-only and dynamic imports; comments do not count.
 * @param {string} source
 * @returns {{ specifier: string, line: number }[]}
 */
export function findImports(source) {
  const tokens = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  const code = source.replace(tokens, (token) =>
    token.startsWith('/') ? token.replace(/[^\n]/g, ' ') : token,
  );
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;
  return [...code.matchAll(pattern)].map((match) => ({
    specifier: match[2] ?? '',
    line: code.slice(0, match.index).split('\n').length,
  }));
}

/** @param {string} folder */
function folders(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function sourceFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() &&
        /\.[cm]?tsx?$/.test(entry.name) &&
        !/\.(test|test-d|bench|fixture)\.tsx?$/.test(entry.name),
    )
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !path.includes('/golden/'))
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { violations, files, imports } = checkLayers(process.cwd());
  for (const { file, line, imported, reason } of violations)
    console.error(`${file}:${line}: '${imported}': ${reason}`);
  console.log(`${imports} imports in ${files} files, ${violations.length} not allowed`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
