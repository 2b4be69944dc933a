/**
 * The frame of the checklist, and every judge on the evidence of a real run (golden/evidence.json, made by
 * `latentwire checklist` on a machine with Slurm and without a GPU; what only a GPU shows is of a run on an H100). For each
 * line there is evidence that fails it: a check that cannot fail proves nothing.
 */
import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { loadModel, parameterCount } from '../models/index.js';
import { silentLogger } from '../telemetry/index.js';
import { type ChecklistSettings, Workshop } from './bench.js';
import { claims } from './claims.js';
import { type Check, experiment, NotApplicable, type Section, verdict } from './experiment.js';
import { prepareFolder } from './prepare-folder.js';
import { runChecklist } from './run-checklist.js';
import { sections } from './sections/index.js';
import { LARGE, writeRandomModel } from './sections/large-model.js';
import { checklistTable, claimsTable, linesText } from './summary.js';

const within = temporaryFolder();
const settings = (name: string, changes: Partial<ChecklistSettings> = {}): ChecklistSettings => ({
  ...{ program: [process.execPath, 'unused'], checkout: process.cwd(), folder: within(name), device: 'cpu' },
  logger: silentLogger,
  ...changes,
});

type Json = Record<string, never>;
const stored = JSON.parse(
  fs.readFileSync(new URL('./golden/evidence.json', import.meta.url), 'utf8'),
) as Record<string, Json>;

const all = sections.flatMap(({ number, experiments }) =>
  experiments.flatMap(({ name, checks }) =>
    checks.map((check) => ({ evidence: `${number}-${name}`, check })),
  ),
);

function judge({ check, evidence }: (typeof all)[number], change?: readonly [place: string, value: unknown]) {
  const seen = structuredClone(stored[evidence])!;
  if (change !== undefined) put(seen, ...change);
  return (check as Check<unknown>).judge(seen);
}

/** What makes a line false: a place in its evidence, and what stands there then. */
const FALSE: Readonly<Record<string, readonly [place: string, value: unknown]>> = {
  '1.1': ['code', null],
  '1.2': ['seconds_to_durable', 121],
  '1.3': ['checkpoint.ok', false],
  '1.4': ['resumed.from', 0],
  '1.5': ['equal.1.ok', false],
  '1.6': ['state', 'failed'],
  '1.7': ['cases.0.decided', 'exit-finished'],
  '2.1': ['most', 3],
  '2.2': ['announced_bytes', 9_000_000],
  '2.3': ['weights', 2_000_000],
  '2.4': ['checkpoint.ok', false],
  '2.5': ['foreign_left', []],
  '2.6': ['checks.2.ok', false],
  '2.7': ['checks.1.ok', false],
  '2.8': ['save_seconds', 60],
  '3.1': ['missing_lines', ['lost']],
  '3.2': ['files.4.ok', false],
  '3.3': ['progress', []],
  '3.4': ['on_gpu', true],
  '3.5': ['killed.missing_lines', ['lost']],
  '3.6': ['failed.code', 0],
  '4.1': ['gpus.0.utilization', 0.81],
  '4.2': ['batch.training_bytes', 84e9],
  '4.3': ['fields', ['gpu_utilization']],
  '4.4': ['parts.3.0', 99],
  '4.5': ['found.samples.0', 3],
  '4.6': ['equal.0.ok', false],
  '4.7': ['utilisation', 0.36],
  '5.1': ['baselines.2.em', null],
  '5.2': ['baselines.0.nll_token', 6.9],
  '5.3': ['variants.adapter.adapter', ['mlp.up.weight']],
  '5.4': ['variants.calibration.scale', 0.18],
  '5.5': ['variants.distillation.kd_rows', 4],
  '5.6': ['variants.k1.k_is_first', 0],
  '5.7': ['grid.latents', 4],
  '5.8': ['sizes.1.examples', 32],
  '5.9': ['distinct', 74],
  '5.10': ['changed_by_gold', 1],
  '5.11': ['largest_nll_change', 0.1],
  '5.12': ['file_bytes', 100],
  '6.1': ['bca.0.got', 170],
  '6.2': ['mcnemar.0.got', 0.05],
  '6.3': ['corrections.1.got', 0.08],
  '6.4': ['effects.0.got', Number.NaN],
  '6.5': ['powers.1.got', 1],
  '6.6': ['rejected.paired bootstrap.rate', 0.5],
  '6.7': ['coverage', 0.88],
  '6.8': ['statistics', 'exit 1: error: x'],
  '6.9': ['traced.0.in_run', null],
  '7.1': ['equal.1.ok', false],
  '7.2': ['predictions_equal', false],
  '7.3': ['last.1.lr', 0.5],
  '7.4': ['attempts.3.from', null],
  '7.5': ['other_rate.code', 0],
  '8.1': ['scripts.0.rendered_equal', false],
  '8.2': ['scripts.0.directives', ['--partition=gpu']],
  '8.3': ['scripts.1.faults', ['a pipe to tee']],
  '8.4': ['tried.code', 2],
  '8.5': ['gpus.5', '0'],
  '8.6': ['tests.0.code', 1],
  '8.7': ['run_state', 'preempted'],
  '8.8': ['equal.2.ok', false],
};

/** Sets what is at `a.0.b`; the place must be there. */
function put(evidence: Json, place: string, value: unknown): void {
  const keys = place.split('.');
  const last = keys.pop()!;
  const at = keys.reduce<Record<string, unknown>>(
    (object, key) => object[key] as Record<string, unknown>,
    evidence,
  );
  expect(at).toHaveProperty([last]);
  at[last] = value;
}

describe('the lines', () => {
  it('are numbered by section, each once, and the headline is one of them', () => {
    for (const { number, experiments, headline } of sections) {
      const ids = experiments.flatMap(({ checks }) => checks.map(({ id }) => id));
      expect(ids).toEqual(ids.map((_, i) => `${number}.${i + 1}`));
      expect(ids).toContain(headline);
    }
    expect(sections.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('make every claim of the original true', () => {
    const made = new Set(all.flatMap(({ check }) => check.claims));
    expect(claims).toHaveLength(32);
    expect(claims.filter(({ number }) => !made.has(number))).toEqual([]);
  });

  it.each(all.map((line) => [line.check.id, line] as const))(
    '%s is true on good evidence, and can be false',
    (id, line) => {
      const good = judge(line);
      expect(good).toMatchObject({ status: id === '3.4' ? 'not-applicable' : 'pass' });
      const bad = judge(line, FALSE[id]);
      expect(bad.status).toBe('fail');
      expect(`${good.found}${bad.found}`).not.toMatch(/undefined|\[object/);
    },
  );
});

describe('a checklist', () => {
  const line = (id: string, judgeIt: Check<{ n: number }>['judge']): Check<{ n: number }> => ({
    ...{ id, says: `line ${id}`, claims: [Number(id.split('.')[1])], judge: judgeIt },
  });
  const section = (number: number, experiments: Section['experiments'], alone?: true): Section => ({
    ...{ number, component: `Part ${number}`, command: 'true', headline: `${number}.1`, experiments },
    ...(alone && { alone }),
  });
  const good = experiment<{ n: number }>({
    name: 'good',
    collect: async () => ({ n: 1 }),
    checks: [line('1.1', ({ n }) => verdict(n === 1, `n is ${n}`))],
  });
  const broken = experiment<{ n: number }>({
    name: 'broken',
    collect: async () => {
      throw new Error('no such program');
    },
    checks: [line('1.2', () => verdict(true, '')), line('1.3', () => verdict(true, ''))],
  });
  const elsewhere = experiment<{ n: number }>({
    name: 'elsewhere',
    collect: async () => {
      throw new NotApplicable('no GPU here');
    },
    checks: [line('2.1', () => verdict(true, ''))],
  });

  it('tells why an experiment could not be carried out, and goes on with the next', async () => {
    const last = experiment<{ n: number }>({ ...(good as object as typeof good), name: 'last' } as never);
    const report = await runChecklist(
      [section(2, [elsewhere], true), section(1, [broken, good, last])],
      settings('frame'),
    );
    expect(report.ok).toBe(false);
    expect(report.sections.map(({ number, status }) => [number, status])).toEqual([
      [1, 'fail'],
      [2, 'not-applicable'],
    ]);
    const [first] = report.sections;
    expect(first!.lines.map(({ id, status }) => [id, status])).toEqual([
      ...[
        ['1.2', 'fail'],
        ['1.3', 'fail'],
        ['1.1', 'pass'],
        ['1.1', 'pass'],
      ],
    ]);
    expect(first!.lines[0]!.found).toContain('no such program');
    expect(JSON.parse(fs.readFileSync(within('frame', '1-good', 'evidence.json'), 'utf8'))).toEqual({ n: 1 });
    expect(JSON.parse(fs.readFileSync(within('frame', 'checklist.json'), 'utf8'))).toMatchObject({
      ok: false,
    });
    expect(report.claims.slice(0, 4).map(({ status }) => status)).toEqual([
      'not-applicable',
      'fail',
      'fail',
      undefined,
    ]);
  });

  it('shows the table of the checklist, its lines and the claims', async () => {
    const report = await runChecklist([section(1, [good]), section(2, [elsewhere])], settings('tables'));
    expect(report.ok).toBe(true);
    const table = checklistTable(report, 'markdown').split('\n');
    expect(table[0]).toMatch(/\| Component +\| Status \| Evidence +\| Verification Command +\|/);
    expect(table[2]).toMatch(
      /Part 1 .*✅ .*1\/1: n is 1 .*1-good\/evidence\.json.*latentwire checklist --section 1, or true/,
    );
    expect(table[3]).toMatch(/Part 2 .*➖ .*no GPU here/);
    expect(linesText(report)).toContain('✅ 1.1 line 1.1\n       n is 1');
    expect(claimsTable(report, 'terminal').split('\n')).toHaveLength(34);
  });

  it('ends at once when it is interrupted', async () => {
    const stop = new AbortController();
    const slow = experiment<{ n: number }>({
      name: 'slow',
      async collect(bench) {
        setTimeout(() => stop.abort(new Error('interrupted')), 50);
        await bench.command(['unused']);
        return { n: 1 };
      },
      checks: [line('1.1', () => verdict(true, ''))],
    });
    const sleeper = within('sleep.mjs');
    fs.writeFileSync(sleeper, 'setTimeout(() => {}, 60_000);');
    const running = runChecklist(
      [section(1, [slow, broken])],
      settings('interrupted', { program: [process.execPath, sleeper], stop: stop.signal }),
    );
    await expect(running).rejects.toThrow('interrupted');
  });

  it('empties only the folder of an earlier checklist', () => {
    const folder = within('evidence');
    prepareFolder(folder);
    fs.writeFileSync(`${folder}/old.json`, '{}');
    prepareFolder(folder);
    expect(fs.existsSync(`${folder}/old.json`)).toBe(false);
    const other = within('other');
    fs.mkdirSync(other);
    fs.writeFileSync(`${other}/thesis.tex`, 'x');
    expect(() => prepareFolder(other)).toThrow(/found files in it/);
    expect(fs.readdirSync(other)).toEqual(['thesis.tex']);
  });
});

describe('experiments that need no training', () => {
  const cheap = [
    ['1-slurm-policy', 1],
    ['6-known-answers', 5],
    ['6-simulation', 2],
  ] as const;
  it.each(cheap)('%s finds its lines true', { timeout: 60_000 }, async (name, count) => {
    const found = sections
      .flatMap(({ number, experiments }) =>
        experiments.map((each) => ({ place: `${number}-${each.name}`, each })),
      )
      .find(({ place }) => place === name)!;
    const seen = await found.each.collect(new Workshop(settings('cheap')).bench(name));
    const verdicts = found.each.checks.map(
      ({ judge: judgeIt }) => judgeIt(JSON.parse(JSON.stringify(seen))).status,
    );
    expect(verdicts).toEqual(Array.from({ length: count }, () => 'pass'));
  });
});

describe('the reader that keeps a GPU busy', () => {
  it('is a model folder like any other', async () => {
    const folder = within('reader');
    await writeRandomModel(folder, { width: 64, layers: 2, heads: 4, inner: 96 });
    const { model } = await loadModel(folder, {
      ...{ device: 'cpu', dtype: 'float32', logger: silentLogger },
    });
    expect(parameterCount(model.config)).toBe(896 * 64 + 64 + 2 * (4 * 64 * 64 + 3 * 64 * 96 + 2 * 64));
    model.dispose();
  });

  it('has 309 million parameters', () => {
    const { width, layers, inner } = LARGE;
    expect(896 * width + width + layers * (4 * width ** 2 + 3 * width * inner + 2 * width)).toBe(309_249_024);
  });
});
