/** The dependency rule is only worth something if it fails: one example of every arrow that is not allowed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLayers, findImports } from './check-layers.mjs';

/** @type {string} */
let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'latentwire-layers-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/**
 * @param {string} file
 * @param {string} source
 * @returns {string[]} reasons
 */
function check(file, source) {
  mkdirSync(dirname(join(root, 'packages', file)), { recursive: true });
  writeFileSync(join(root, 'packages', file), source);
  return checkLayers(root).violations.map(({ reason }) => reason);
}

test.each([
  ['cli/train.ts', '../experiments/index.js'],
  ['cli/train.ts', '../data/index.js'],
  ['training/loop.ts', '../wire/index.js'],
  ['training/loop.ts', '../telemetry/index.js'],
  ['experiments/run.ts', '../telemetry/index.js'],
  ['results/tables.ts', '../experiments/index.js'],
  ['experiments/run.ts', '@latentwire/slurm'],
  ['results/tables.ts', '@latentwire/stats'],
  ['models/decoder.ts', '@latentwire/torch'],
  ['models/decoder.ts', './gguf/reader.js'],
  ['models/decoder.ts', '../errors.js'],
  ['config/schema.ts', '../errors.js'],
  ['telemetry/run.ts', '../config/index.js'],
  ['training/run.ts', '../evaluation/index.js'],
  ['wire/encoder.ts', '../models/decoder/index.js'],
  ['telemetry/log.ts', '../errors.js'],
  ['telemetry/gpu.ts', '@latentwire/torch'],
  ['wire/codec.ts', 'node:fs'],
])('%s may import %s', (file, imported) => {
  expect(check(`latentwire/src/${file}`, `import { x } from '${imported}';`)).toEqual([]);
});

test.each([
  ['models/decoder.ts', '../training/index.js', "'training' is above 'models'"],
  ['data/squad.ts', '../models/index.js', "'data' and 'models' stand side by side"],
  ['experiments/run.ts', '../results/index.js', "'results' is above 'experiments'"],
  ['wire/encoder.ts', '../objective/index.js', "'objective' is above 'wire'"],
  ['evaluation/score.ts', '../training/index.js', "'training' is above 'evaluation'"],
  ['config/schema.ts', '../data/index.js', "'config' imports no room"],
  ['models/decoder.ts', '../config/hash.js', "only an index.js of 'config' is public"],
  ['wire/encoder.ts', '../telemetry/index.js', "'telemetry' is used by 'evaluation' and above only"],
  ['telemetry/log.ts', '../training/index.js', "'telemetry' imports no room"],
  ['errors.ts', './data/index.js', "'errors' imports no room"],
  ['training/loop.ts', '../wire/codec.js', "only an index.js of 'wire' is public"],
  ['index.ts', './wire/codec.js', "only an index.js of 'wire' is public"],
  ['training/loop.ts', '../index.js', 'imports the public face of its own package'],
  ['training/loop.ts', 'latentwire', 'imports the public face of its own package'],
  ['training/loop.ts', '@latentwire/stats', '@latentwire/stats is used by results, checklist only'],
  ['cli/queue.ts', '@latentwire/slurm', '@latentwire/slurm is used by experiments, checklist only'],
  ['training/loop.ts', '../../../torch/src/index.js', 'leaves its package: import the package by its name'],
  [
    'utils/math.ts',
    '../data/index.js',
    "'utils' is no room of the design: give it a layer in scripts/check-layers.mjs",
  ],
])('%s may not import %s', (file, imported, reason) => {
  expect(check(`latentwire/src/${file}`, `import { x } from '${imported}';`)).toEqual([reason]);
});

test.each(['torch', 'stats', 'slurm'])('packages/%s knows no other package', (name) => {
  expect(check(`${name}/src/index.ts`, "export * from 'latentwire';")).toEqual([
    `packages/${name} knows nothing of latentwire`,
  ]);
});

test('tests may look anywhere', () => {
  expect(check('latentwire/src/models/decoder.test.ts', "import '../training/index.js';")).toEqual([]);
  expect(check('latentwire/src/models/golden/make.ts', "import '../../data/index.js';")).toEqual([]);
  expect(check('latentwire/src/models/decoder.test-d.ts', "import '../training/index.js';")).toEqual([]);
});

test('type-only, re-exporting, side-effect and dynamic imports count, each with its line', () => {
  const source = [
    "import type { A } from './a.js';",
    "export { b } from './b.js';",
    "import './c.js';",
    "const d = await import('./d.js');",
    'import {',
    '  e,',
    "} from './e.js';",
  ].join('\n');
  expect(findImports(source)).toEqual([
    { specifier: './a.js', line: 1 },
    { specifier: './b.js', line: 2 },
    { specifier: './c.js', line: 3 },
    { specifier: './d.js', line: 4 },
    { specifier: './e.js', line: 7 },
  ]);
});

test('comments do not count', () => {
  const source = [
    "// import './a.js'",
    '/**',
    " *   import { b } from './b.js';",
    ' */',
    "const url = 'http://x'; import './c.js';",
  ];
  expect(findImports(source.join('\n'))).toEqual([{ specifier: './c.js', line: 5 }]);
});
