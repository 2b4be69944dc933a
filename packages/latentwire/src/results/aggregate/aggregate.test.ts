/** Protects what aggregation promises: every number from a run, what is missing stays missing and is named. */
import { appendFileSync, cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseScoreTable } from '@latentwire/stats';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { cellFiles, type Plan, recordAttempt } from '../../experiments/index.js';
import { reportStatistics } from '../statistics.js';
import { SYNTHETIC_PLAN, writeSyntheticExperiment } from '../synthetic-experiment.fixture.js';
import { aggregateRuns } from './aggregate.js';
import { serializeResults } from './results-document.js';

const within = temporaryFolder();
/** Two cells of the grid and one ablation, two seeds. */
const SMALL = SYNTHETIC_PLAN.replace('[42, 123, 456]', '[42, 123]')
  .replace('[16, 32, 48, 64]', '[16, 32]')
  .replace('[128, 256, 512]', '[256]')
  .replace(/ {2}- name: samples[\s\S]*/, '');
let count = 0;
let plan: Plan;
let directory: string;
const run = (index: number): string => path.join(directory, plan.cells[index]!.name);
const change = (file: string, edit: (document: Record<string, unknown>) => void): void => {
  const document = JSON.parse(readFileSync(file, 'utf8'));
  edit(document);
  writeFileSync(file, JSON.stringify(document));
};

beforeEach(() => {
  count += 1;
  directory = within(`e${count}`);
  writeFileSync(within('plan.yaml'), SMALL);
  plan = writeSyntheticExperiment(within('plan.yaml'), directory, 12);
});

describe('a whole experiment', () => {
  it('gives every number with the runs it is from', () => {
    const document = aggregateRuns(directory);
    expect(document.problems).toEqual([]);
    expect(document.missing).toEqual([]);
    expect(document.groups.map(({ name }) => name)).toEqual([
      'baselines: text_only',
      'baselines: random_projection',
      'core: latent_len=16 d_z=256',
      'core: latent_len=32 d_z=256',
      'ablations: no adapter',
      'ablations: no calibration',
      'ablations: no distillation',
      'ablations: K=1',
    ]);
    const core = document.groups[3]!;
    expect(core.places.map(({ phase, label }) => `${phase}: ${label}`)).toEqual([
      'core: latent_len=32 d_z=256',
      'ablations: full',
    ]);
    const measure = core.measures['latent/reader/f1']!;
    expect(measure.values.map(({ seed }) => seed)).toEqual([42, 123]);
    for (const { run: name, value } of measure.values) {
      const metrics = JSON.parse(readFileSync(path.join(directory, name, 'logs/metrics.json'), 'utf8'));
      expect(metrics.latent.reader.f1).toBe(value);
      expect(document.runs.find((entry) => entry.name === name)!.config_hash).toMatch(/^[0-9a-f]{64}$/);
    }
    const [a, b] = measure.values;
    expect(measure.mean).toBeCloseTo((a!.value + b!.value) / 2, 12);
    expect(measure.std).toBeCloseTo(Math.abs(a!.value - b!.value) / Math.SQRT2, 12);
    const references = document.references.map(({ method }) => method);
    expect(references).toEqual(['text', 'token_budget M=16', 'no_context', 'token_budget M=32']);
  });

  it('is read by latentwire stats as it is written', () => {
    const file = within('final_results.json');
    const document = aggregateRuns(directory);
    writeFileSync(file, serializeResults(document));
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(document)));
    expect(parseScoreTable(JSON.parse(readFileSync(file, 'utf8'))).baseline).toBe('text');
    const { comparison } = reportStatistics({ results: file, resamples: 200, test: 't' });
    const core = comparison.comparisons.find(
      ({ metric, method }) => metric === 'f1' && method === 'core: latent_len=32 d_z=256',
    );
    expect(core).toMatchObject({ n: 12, clusters: 3, seeds: [1, 2], difference: expect.closeTo(-0.4, 0) });
    expect(() => aggregateRuns(directory, { baseline: 'nobody' })).toThrow(
      'expected one of the methods, got nobody',
    );
  });

  it('does not depend on the order in which runs lie or were made', () => {
    const once = serializeResults(aggregateRuns(directory));
    const again = within(`${count}-copy`, path.basename(directory));
    cpSync(directory, again, { recursive: true });
    const copy = aggregateRuns(again);
    expect(serializeResults({ ...copy, experiment: directory })).toEqual(once);
  });
});

describe('what is wrong is named, never filled in', () => {
  /** The problems of an experiment in which something was spoilt. */
  const problemsAfter = (spoil: () => void) => {
    spoil();
    return aggregateRuns(directory);
  };
  const name = (index: number): string => plan.cells[index]!.name;

  it('a metric that was not measured', () => {
    const { groups, problems } = problemsAfter(() =>
      change(path.join(run(4), 'logs/metrics.json'), (metrics) => {
        delete (metrics.latent as { reader: { f1?: number } }).reader.f1;
      }),
    );
    const measure = groups.find((group) => group.runs.includes(name(4)))!.measures['latent/reader/f1']!;
    expect(measure.n).toBe(1);
    expect(measure.std).toBeNull();
    expect(measure.missing).toEqual([name(4)]);
    expect(problems).toEqual([]);
  });

  it('a number that is not one (a diverged loss, a score)', () => {
    const { groups, problems } = problemsAfter(() =>
      change(path.join(run(4), 'logs/metrics.json'), (metrics) => {
        (metrics.train as Record<string, unknown>).final_loss = 'NaN';
      }),
    );
    expect(problems).toEqual([`${name(4)}: metrics.json: train/final_loss is NaN`]);
    expect(groups.every(({ measures }) => measures['train/final_loss'] === undefined)).toBe(true);
  });

  it('half-written files', () => {
    const { problems, groups, methods } = problemsAfter(() => {
      truncateSync(path.join(run(4), 'logs/metrics.json'), 40);
      const predictions = path.join(run(5), 'predictions.jsonl');
      truncateSync(predictions, readFileSync(predictions).length - 20);
      writeFileSync(path.join(run(6), 'status.json'), '{"state":');
    });
    expect(problems).toEqual([
      `${name(4)}: logs/metrics.json is half-written or damaged (not valid JSON)`,
      `${name(5)}: predictions.jsonl: line 48 is half-written; its scores are not used`,
      expect.stringMatching(new RegExp(`^${name(6)}: status.json is damaged`)),
    ]);
    const group = groups.find(({ runs }) => runs.includes(name(4)))!;
    expect(group.measures['latent/reader/f1']).toMatchObject({ n: 1, missing: [name(4)] });
    expect(new Set(methods[group.methods['latent/reader']!]!.f1!.seeds)).toEqual(new Set([42]));
    expect(groups.some(({ runs }) => runs.includes(name(6)))).toBe(false);
  });

  it('a damaged or doubled row of predictions', () => {
    const { problems } = problemsAfter(() => {
      const [first] = readFileSync(path.join(run(4), 'predictions.jsonl'), 'utf8').split('\n');
      appendFileSync(path.join(run(4), 'predictions.jsonl'), `${first}\n`);
      const file = path.join(run(5), 'predictions.jsonl');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"f1":[\d.]+/, '"f1":null'));
    });
    expect(problems).toEqual([
      `${name(4)}: predictions.jsonl: line 49: q0 is there twice for text/reader; its scores are not used`,
      `${name(5)}: predictions.jsonl: line 1: expected a finite f1, got null; its scores are not used`,
    ]);
  });

  it('metrics that do not follow from the predictions', () => {
    const { problems } = problemsAfter(() =>
      change(path.join(run(4), 'logs/metrics.json'), (metrics) => {
        (metrics.latent as { reader: { f1: number } }).reader.f1 = 0.99;
      }),
    );
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(
      /metrics\.json says latent\/reader\/f1 = 0\.99, the rows of predictions\.jsonl give 0\.\d+/,
    );
  });

  it('a run of another version', () => {
    const { problems, groups } = problemsAfter(() => {
      change(path.join(run(4), 'config.json'), (config) => {
        (config.wire as Record<string, unknown>).colour = 'blue';
      });
      change(path.join(run(7), 'environment.json'), (environment) => {
        environment.versions = { torch: '2.6.0', latentwire: '0.1.0' };
      });
    });
    expect(problems).toEqual([
      expect.stringMatching(new RegExp(`^${name(4)}: config.json is of another version: .*colour`)),
      expect.stringContaining('other settings than the rest of core: latent_len=16 d_z=256; kept apart'),
      expect.stringMatching(/runs of different versions of torch: 2\.11\.0 \(.*\); 2\.6\.0 \(/),
    ]);
    expect(groups.filter(({ name: group }) => group.startsWith('core: latent_len=16'))).toHaveLength(2);
  });

  it('the same seed twice', () => {
    const { problems, groups } = problemsAfter(() =>
      cpSync(run(4), path.join(directory, 'copy-of-a-run'), { recursive: true }),
    );
    expect(problems).toEqual([`copy-of-a-run: duplicate of ${name(4)} (same settings, seed 42); left out`]);
    expect(groups.find(({ runs }) => runs.includes(name(4)))!.seeds).toEqual([42, 123]);
  });

  it('cells that were deleted, failed, preempted or never run', () => {
    const { missing, runs } = problemsAfter(() => {
      const end = {
        cause: 'completed',
        step: 400,
        message: null,
        exit_code: 0,
        signal: null,
        left_directory: true,
      } as const;
      recordAttempt(cellFiles(directory, name(4)).attempts, { event: 'end', at: '', ...end });
      rmSync(run(4), { recursive: true });
      rmSync(run(5), { recursive: true });
      const common = { run: 'r', attempt: 2, updated_at: '', step: 7 };
      writeFileSync(
        path.join(run(6), 'status.json'),
        JSON.stringify({
          state: 'failed',
          ...common,
          error: { code: 'torch', message: 'device lost\nmore' },
        }),
      );
      writeFileSync(
        path.join(run(7), 'status.json'),
        JSON.stringify({ state: 'preempted', ...common, signal: 'SIGTERM', checkpoint: null }),
      );
    });
    expect(missing.map(({ name: cell, why }) => [cell, why])).toEqual([
      [name(4), 'its run directory was deleted after it was completed'],
      [name(5), 'not run'],
      [name(6), 'failed: device lost'],
      [name(7), 'preempted'],
    ]);
    expect(runs.map(({ state }) => state).filter((state) => state !== 'completed')).toEqual([
      'failed',
      'preempted',
    ]);
  });

  it('reference answers that differ between runs', () => {
    const { problems } = problemsAfter(() => {
      const file = path.join(run(5), 'predictions.jsonl');
      const rows = readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      rows[0].f1 = 0.123;
      writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    });
    expect(problems).toContainEqual(
      expect.stringContaining(`${name(5)}: text/reader gives other answers than in`),
    );
  });
});

describe('a folder without a plan', () => {
  it('is grouped by settings, named after its runs', () => {
    rmSync(path.join(directory, '.experiment'), { recursive: true });
    const { groups, missing } = aggregateRuns(directory);
    expect(groups.map(({ name }) => name)).toContain('core-latent_len=16-d_z=256');
    expect(missing).toEqual([]);
  });

  it('is refused when there is nothing in it', () => {
    expect(() => aggregateRuns(within('nowhere'))).toThrow('found nothing at');
    expect(() => aggregateRuns(within())).toThrow('expected run directories in');
  });
});
