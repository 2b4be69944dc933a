/** Protects what a plan means: its cells, their identity, and errors that name the place in the file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { LatentWireError } from '../../errors.js';
import { loadPlan } from './expand.js';

const within = temporaryFolder();

function planFile(name: string, text: string): string {
  const file = within(name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function errorOf(action: () => unknown): LatentWireError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(LatentWireError);
    return error as LatentWireError;
  }
  throw new Error('expected an error');
}

const COMMON = `
version: 1
name: common
seeds: [1, 2]
settings:
  model: {ids: [some/model]}
  data: {samples: 500}
`;
planFile('common.yaml', COMMON);

const GRID = `
version: 1
name: core
include: [common.yaml]
phases:
  - name: core
    kind: grid
    grid:
      wire.latent_len: [16, 32]
      wire.d_z: [128, 256, 512]
`;

describe('the cells of a plan', () => {
  it('are grid × seeds, the last axis fastest, with the settings of included files', () => {
    const plan = loadPlan(planFile('core.yaml', GRID), { directory: within('runs') });
    expect(plan.cells).toHaveLength(12);
    expect(plan.cells.slice(0, 3).map(({ places, seed }) => [places[0]!.label, seed])).toEqual([
      ['latent_len=16 d_z=128', 1],
      ['latent_len=16 d_z=128', 2],
      ['latent_len=16 d_z=256', 1],
    ]);
    const [first] = plan.cells;
    expect(first!.config.data.samples).toBe(500);
    expect(first!.config.run.save_dir).toBe(within('runs', first!.name));
    expect(first!.name).toMatch(/^core-latent_len=16-d_z=128-s1-[0-9a-f]{8}$/);
    expect(first!.places[0]!.axes).toEqual({ 'wire.latent_len': 16, 'wire.d_z': 128 });
  });

  it('keep their identity when a seed, a phase or a folder is added: only new cells appear', () => {
    const before = loadPlan(planFile('a.yaml', GRID));
    const after = loadPlan(planFile('b.yaml', `${GRID}    seeds: [1, 2, 3]\n`), {
      directory: within('other'),
    });
    const known = new Set(before.cells.map(({ id }) => id));
    const added = after.cells.filter(({ id }) => !known.has(id));
    expect(before.cells.every(({ id }) => after.cells.some((cell) => cell.id === id))).toBe(true);
    expect(added.map(({ seed }) => seed)).toEqual(Array(6).fill(3));
    expect(before.cells.map(({ name }) => name)).toEqual(
      after.cells.filter(({ id }) => known.has(id)).map(({ name }) => name),
    );
  });

  it('that two phases ask for are one run, which stands in both', () => {
    const plan = loadPlan(
      planFile(
        'two.yaml',
        `${GRID}  - name: ablations
    kind: ablation
    settings: {wire: {latent_len: 32, d_z: 256}}
    cells:
      - name: full
      - name: no adapter
        settings: {adapter.disable_adapter: true}
`,
      ),
    );
    expect(plan.cells).toHaveLength(14);
    const shared = plan.cells.filter(({ places }) => places.length === 2);
    expect(shared.map(({ places }) => places.map(({ label }) => label))).toEqual(
      Array(2).fill(['latent_len=32 d_z=256', 'full']),
    );
    expect(plan.notes).toEqual(['ablations: full is core: latent_len=32 d_z=256, run once (2 seeds)']);
  });

  it('take settings from the including file, but keep what makes them cells', () => {
    planFile('core.yaml', GRID);
    const plan = loadPlan(
      planFile(
        'small.yaml',
        `version: 1
name: small
include: [core.yaml]
seeds: [9]
settings: {data: {samples: 64}, wire: {latent_len: 8}}
`,
      ),
    );
    expect(plan.cells).toHaveLength(6);
    expect(new Set(plan.cells.map(({ config }) => config.data.samples))).toEqual(new Set([64]));
    expect(new Set(plan.cells.map(({ config }) => config.wire.latent_len))).toEqual(new Set([16, 32]));
    expect(new Set(plan.cells.map(({ seed }) => seed))).toEqual(new Set([9]));
  });

  it('are as many as the product of axes and seeds, all different, for any grid', () => {
    const axis = fc.uniqueArray(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(axis, axis, axis, (lengths, widths, seeds) => {
        const text = `version: 1
name: any
seeds: ${JSON.stringify(seeds)}
settings: {model.ids: [m]}
phases:
  - name: g
    grid: {wire.latent_len: ${JSON.stringify(lengths)}, wire.d_z: ${JSON.stringify(widths)}}
`;
        const { cells } = loadPlan(planFile('any.yaml', text));
        expect(cells).toHaveLength(lengths.length * widths.length * seeds.length);
        expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a plan that is wrong', () => {
  const phase = (text: string) =>
    `version: 1\nname: p\nsettings: {model.ids: [m]}\nphases:\n  - name: a\n${text}`;
  it.each([
    ['an unknown key', phase('    gird: {}\n'), /:6:5: phases\.0\.gird: is no key of a plan/],
    [
      'an unknown setting',
      phase('    settings: {wire: {latent_length: 3}}\n'),
      /:6:23: unknown setting "wire.latent_length"/,
    ],
    [
      'a wrong value',
      phase('    grid: {wire.latent_len: [16, 0]}\n'),
      /:6:34: expected an integer between 1 and 4096, got 0/,
    ],
    ['a seed that is there twice', phase('    seeds: [1, 2, 1]\n'), /:6:5: seed 1 is there twice/],
    ['an unknown predecessor', phase('    after: [b]\n'), /:5:5: phase a waits for an unknown phase b/],
    [
      'a circle',
      phase('    after: [b]\n  - name: b\n    after: [a]\n'),
      /phases wait for each other in a circle: a → b → a/,
    ],
    [
      'two cells of one name',
      phase('    cells: [{name: x}, {name: x, settings: {wire.d_z: 64}}]\n'),
      /two cells of phase a are called x/,
    ],
    ['no phases', 'version: 1\nname: p\n', /expected at least one phase/],
    ['broken YAML', 'version: 1\nname: [p\n', /:\d+:\d+: /],
    ['another version', 'version: 2\nname: p\n', /:1:1: version: /],
    [
      'an include that is not there',
      'version: 1\nname: p\ninclude: [gone.yaml]\n',
      /:3:\d+: cannot read plan .*gone\.yaml \(ENOENT\)/,
    ],
    ['an include of itself', 'version: 1\nname: p\ninclude: [wrong.yaml]\n', /includes itself/],
    ['a conflict of settings', phase('    settings: {data.samples: 3}\n'), /cell a of a: expected samples ≥/],
  ])('with %s is refused with its place', (_, text, message) => {
    const file = planFile('wrong.yaml', text);
    const error = errorOf(() => loadPlan(file));
    expect(error.code).toBe('input');
    expect(error.message).toMatch(message);
    expect(error.message).toContain('wrong.yaml');
  });

  it('never ends in anything but cells or an input error (fuzz)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: GRID.length - 1 }), fc.string({ maxLength: 3 }), (at, text) => {
        const file = planFile('fuzz.yaml', GRID.slice(0, at) + text + GRID.slice(at + 1));
        try {
          loadPlan(file);
        } catch (error) {
          expect(error).toBeInstanceOf(LatentWireError);
          expect((error as LatentWireError).exitCode === 2 || (error as LatentWireError).code === 'io').toBe(
            true,
          );
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the plans of the repository', () => {
  const plans = new URL('../../../../../experiments/', import.meta.url).pathname;

  it('main: the 26 cells of the checklist × 3 seeds, each different run once', () => {
    const plan = loadPlan(`${plans}main.yaml`);
    const cells = (phase: string) => plan.phases.find(({ name }) => name === phase)!.cells.length / 3;
    expect(['baselines', 'core', 'ablations', 'samples', 'models'].map(cells)).toEqual([3, 12, 5, 5, 2]);
    expect(plan.notes).toEqual([
      'ablations: full is core: latent_len=32 d_z=256, run once (3 seeds)',
      'samples: samples=87599 is core: latent_len=32 d_z=256, run once (3 seeds)',
    ]);
    expect(plan.cells).toHaveLength(75);
    expect(new Set(plan.cells.map(({ seed }) => seed))).toEqual(new Set([42, 123, 456]));
    expect(plan.phases.find(({ name }) => name === 'samples')).toMatchObject({
      after: ['core'],
      gate: { phase: 'core', metric: 'latent.f1', above: 'token_budget.f1' },
    });
  });

  it.each(['smoke', 'baselines', 'core', 'ablations', 'scaling'])('%s: is valid', (name) => {
    expect(loadPlan(`${plans}${name}.yaml`).cells.length).toBeGreaterThan(0);
  });
});
