/** A documentation that points nowhere is worse than none. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLinks, findLinks, headingAnchors } from './check-links.mjs';

/** @type {string} */
let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'latentwire-links-'));
  mkdirSync(join(root, 'docs'));
  writeFileSync(
    join(root, 'docs/GUIDE.md'),
    '# The Guide\n## First steps, then more\n## `code` & _signs_\n## Twice\n## Twice\n',
  );
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** @param {string} markdown */
function check(markdown) {
  writeFileSync(join(root, 'README.md'), markdown);
  return checkLinks(root).broken.map(({ target, reason }) => `${target}: ${reason}`);
}

test.each([
  '[guide](docs/GUIDE.md)',
  '[guide](/docs/GUIDE.md "title")',
  '[folder](docs)',
  '[part](docs/GUIDE.md#first-steps-then-more)',
  '[part](docs/GUIDE.md#code--_signs_)',
  '[second](docs/GUIDE.md#twice-1)',
  '# Here\n[here](#here)',
  '[web](https://example.org/none) [mail](mailto:a@b.c)',
  '[ref]\n\n[ref]: docs/GUIDE.md',
  '`[code](nowhere.md)`',
  '```\n[code](nowhere.md)\n```',
])('accepts %j', (markdown) => {
  expect(check(markdown)).toEqual([]);
});

test.each([
  ['[gone](docs/GONE.md)', 'docs/GONE.md: no such file'],
  ['![picture](docs/a.png)', 'docs/a.png: no such file'],
  ['<img src="docs/a.png">', 'docs/a.png: no such file'],
  ['[ref]: docs/GONE.md', 'docs/GONE.md: no such file'],
  ['[part](docs/GUIDE.md#none)', 'docs/GUIDE.md#none: no such heading'],
  ['[here](#none)', '#none: no such heading'],
  ['[out](../../etc)', '../../etc: outside the repository'],
])('rejects %j', (markdown, broken) => {
  if (broken.includes('outside')) mkdirSync(join(root, '../../etc'), { recursive: true });
  expect(check(markdown)).toEqual([broken]);
});

test('line numbers survive code blocks', () => {
  expect(findLinks('one\n```\ncode\n```\n[a](b)')).toEqual([{ target: 'b', line: 5 }]);
});

test('anchors follow the rendered heading', () => {
  expect([...headingAnchors('# A [link](x.md)!\n## Größe: 3 µm\n<a name="own"></a>')]).toEqual([
    'a-link',
    'größe-3-µm',
    'own',
  ]);
});
