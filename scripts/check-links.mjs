/**
 * Links in Markdown files: the file must exist, and so must the heading when the link names one.
 * Links to the web are not asked for.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const SKIPPED = new Set(['node_modules', 'dist', 'build', 'runs', '.git']);

/** @typedef {{ file: string, line: number, target: string, reason: string }} BrokenLink */

/**
 * @param {string} root
 * @returns {{ broken: BrokenLink[], files: number, links: number }}
 */
export function checkLinks(root) {
  /** @type {BrokenLink[]} */
  const broken = [];
  const files = markdownFiles(root);
  let links = 0;
  for (const file of files) {
    for (const { target, line } of findLinks(readFileSync(file, 'utf8'))) {
      if (/^[a-z][a-z+.-]*:|^\/\//i.test(target)) continue;
      links++;
      const reason = problem(root, file, target);
      if (reason) broken.push({ file: relative(root, file), line, target, reason });
    }
  }
  return { broken, files: files.length, links };
}

/**
 * @param {string} root
 * @param {string} file
 * @param {string} target
 */
function problem(root, file, target) {
  const [path = '', anchor] = target.split('#');
  const place = path.startsWith('/') ? join(root, path) : resolve(dirname(file), decodeURIComponent(path));
  const wanted = path === '' ? file : place;
  if (!existsSync(wanted)) return 'no such file';
  if (relative(root, wanted).startsWith('..')) return 'outside the repository';
  if (!anchor || !wanted.endsWith('.md') || !statSync(wanted).isFile()) return undefined;
  return headingAnchors(readFileSync(wanted, 'utf8')).has(decodeURIComponent(anchor).toLowerCase())
    ? undefined
    : 'no such heading';
}

/**
 * Inline links, images, reference definitions and HTML `src`/`href`, outside of code.
 * @param {string} markdown
 * @returns {{ target: string, line: number }[]}
 */
export function findLinks(markdown) {
  const pattern =
    /\]\(\s*<?([^)\s>]+)>?(?:\s+["'][^)]*)?\)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)|\b(?:src|href)="([^"]+)"/g;
  return withoutCode(markdown).flatMap((text, i) =>
    [...text.matchAll(pattern)].map((match) => ({
      target: match[1] ?? match[2] ?? match[3] ?? '',
      line: i + 1,
    })),
  );
}

/**
 * GitHub's anchors: lower case, punctuation dropped, spaces to dashes, repeats numbered.
 * @param {string} markdown
 * @returns {Set<string>}
 */
export function headingAnchors(markdown) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  const anchors = new Set();
  for (const text of withoutCode(markdown, false)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*\s*$/.exec(text)?.[1];
    for (const explicit of text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g))
      anchors.add((explicit[1] ?? '').toLowerCase());
    if (heading === undefined) continue;
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '').replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/**
 * Lines with fenced blocks (and inline code) blanked, so that line numbers stay.
 * @param {string} markdown
 * @param {boolean} [inline]
 */
function withoutCode(markdown, inline = true) {
  let fence = '';
  return markdown.split('\n').map((line) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence) {
      if (mark?.startsWith(fence)) fence = '';
      return '';
    }
    if (mark) {
      fence = mark;
      return '';
    }
    return inline ? line.replace(/(`+)[^`]*\1/g, '') : line;
  });
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function markdownFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : markdownFiles(path);
      return entry.isFile() && entry.name.endsWith('.md') ? [path] : [];
    })
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { broken, files, links } = checkLinks(process.cwd());
  for (const { file, line, target, reason } of broken) console.error(`${file}:${line}: ${target}: ${reason}`);
  console.log(`${links} links in ${files} files, ${broken.length} broken`);
  process.exitCode = broken.length > 0 ? 1 : 0;
}
