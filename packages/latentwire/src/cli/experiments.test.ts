/** Protects the commands of the checklist from plan to report, in both spellings of their flags. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { defaultConfig } from '../config/index.js';
import type { Plan } from '../experiments/index.js';
import { SYNTHETIC_PLAN, writeSyntheticExperiment } from '../results/synthetic-experiment.fixture.js';
import { openRun } from '../telemetry/index.js';
import { runCli } from './program.js';

const within = temporaryFolder();
const plans = fileURLToPath(new URL('../../../../experiments/', import.meta.url));
const runs = within('runs', 'main_experiment');
let plan: Plan;

async function latentwire(...args: string[]) {
  let stdout = '';
  let stderr = '';
  const code = await runCli(args, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { code, stdout, stderr, json: () => JSON.parse(stdout) };
}

beforeAll(() => {
  const text = SYNTHETIC_PLAN.replace('[42, 123, 456]', '[42, 123]').replace(
    / {2}- name: ablations[\s\S]*/,
    '',
  );
  writeFileSync(within('plan.yaml'), text);
  plan = writeSyntheticExperiment(within('plan.yaml'), runs, 12);
});

describe('latentwire plan', () => {
  it('lists the cells of the checklist with time and disk', async () => {
    const { code, json } = await latentwire(
      'plan',
      path.join(plans, 'main.yaml'),
      '--dry_run',
      '--json',
      '--experiment-dir',
      within('new'),
    );
    expect(code).toBe(0);
    const { cells, hours, disk_bytes, assumptions } = json();
    expect(cells).toHaveLength(75);
    expect(cells[0]).toMatchObject({ seed: 42, state: 'queued', basis: 'assumed', steps: 0 });
    expect(hours).toBeGreaterThan(10);
    expect(disk_bytes).toBeGreaterThan(1e10);
    expect(assumptions.examples_per_second).toBe(190);
    expect(existsSync(within('new'))).toBe(false);
  });

  it('takes speeds from runs that are there, and knows what is done', async () => {
    const { json } = await latentwire('plan', within('plan.yaml'), '--json', '--experiment-dir', runs);
    const states = json().cells.map(
      ({ state, basis }: { state: string; basis: string }) => `${state} ${basis}`,
    );
    expect(new Set(states)).toEqual(new Set(['done same cell']));
  });

  it('changes settings from the command line, and names a wrong one', async () => {
    const changed = await latentwire('plan', within('plan.yaml'), '--set', 'data.samples=64', '--json');
    expect(
      changed.json().cells.every(({ id }: { id: string }) => !plan.cells.some((cell) => cell.id === id)),
    ).toBe(true);
    const wrong = await latentwire('plan', within('plan.yaml'), '--set', 'data.sample=64');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('did you mean data.samples?');
    const missing = await latentwire('plan', within('none.yaml'));
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('cannot read plan');
  });
});

describe('latentwire status and logs', () => {
  it('count the runs of a plan and of a folder', async () => {
    const ofPlan = await latentwire('status', within('plan.yaml'), '--experiment-dir', runs, '--json');
    expect(ofPlan.json().counts).toEqual({
      queued: 0,
      running: 0,
      preempted: 0,
      failed: 0,
      done: plan.cells.length,
    });
    const ofFolder = await latentwire('status', runs);
    expect(ofFolder.stdout).toContain(`${plan.cells.length} done`);
    expect((await latentwire('status', within('nowhere'))).code).toBe(2);
  });

  it('say of runs that no plan knows whether they failed or are at work', async () => {
    const root = within('by-hand');
    const config = defaultConfig();
    const failed = await openRun('mistyped', { root, config, tee: false });
    failed.setStatus({ state: 'failed', step: 0, error: { code: 'input', message: 'no such model' } });
    failed.close();
    using working = await openRun('working', { root, config, tee: false });
    working.setRunning('train', 3);
    const { stdout } = await latentwire('status', root);
    expect(stdout).toMatch(/mistyped .*failed .*no such model/);
    expect(stdout).toMatch(/working .*running .*3/);
    const verified = await latentwire('verify', root);
    expect(verified).toMatchObject({ code: 2, stderr: expect.stringContaining('found no run in it') });
  });

  it('show the end of a log, found by the beginning of its name or id', async () => {
    const { name, id } = plan.cells[3]!;
    const file = path.join(runs, name, 'logs', 'latest.log');
    mkdirSync(path.dirname(file), { recursive: true });
    for (let i = 1; i <= 50; i++) appendFileSync(file, `line ${i}\n`);
    for (const wanted of [name, name.slice(0, -4), id.slice(0, 6), path.join(runs, name)]) {
      const { stdout, stderr } = await latentwire('logs', wanted, '--experiment-dir', runs, '-n', '2');
      expect(stderr).toBe('');
      expect(stdout).toBe('line 49\nline 50\n');
    }
    expect((await latentwire('logs', 'core', '--experiment-dir', runs)).stderr).toContain(
      'write more of its name',
    );
    expect((await latentwire('logs', 'xyz', '--experiment-dir', runs)).code).toBe(2);
  });
});

describe('aggregate, stats, report and query', () => {
  it('work as the checklist writes them', async () => {
    const results = within('results', 'final_results.json');
    const aggregate = await latentwire('aggregate', '--experiment_dir', runs, '--output', results);
    expect(aggregate.code).toBe(0);
    expect(aggregate.stdout).toContain('0 planned runs missing, 0 problems');
    const report = within('results', 'statistical_report.txt');
    const stats = await latentwire(
      'stats',
      '--results',
      results,
      '--output',
      report,
      '--resamples',
      '100',
      '--test',
      't',
    );
    expect(stats.code).toBe(0);
    expect(readFileSync(report, 'utf8')).toContain('Comparison with text');
    const { code, stdout } = await latentwire(
      'report',
      '--results',
      results,
      '--output',
      within('results', 'report'),
      '--resamples',
      '100',
    );
    expect(code).toBe(0);
    expect(stdout).toContain('main.tex');
    expect(existsSync(within('results', 'report', 'report.html'))).toBe(true);
  });

  it('answer SQL as a table, as CSV and as JSON', async () => {
    const sql = "SELECT mode, count(*) AS n FROM predictions WHERE mode = 'no_context' GROUP BY mode";
    const csv = await latentwire('query', sql, '--experiment-dir', runs, '--format', 'csv');
    expect(csv.stdout).toBe('mode,n\nno_context,288\n');
    const wrong = await latentwire('query', sql, '--experiment-dir', runs, '--format', 'xml');
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('table, markdown, csv') });
    const json = await latentwire('query', sql, '--experiment-dir', runs, '--json');
    expect(json.json().columns).toEqual(['mode', 'n']);
  });

  it('say what is missing in a wrong call', async () => {
    expect((await latentwire('aggregate', '--experiment-dir', within('nowhere'))).stderr).toContain(
      'found nothing at',
    );
    expect((await latentwire('report')).stderr).toContain('expected --experiment-dir or --results');
    writeFileSync(within('other.json'), '{}');
    expect((await latentwire('report', '--results', within('other.json'))).stderr).toContain(
      'is not a results file',
    );
  });
});
