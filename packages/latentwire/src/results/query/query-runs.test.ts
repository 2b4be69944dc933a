/** Protects questions in SQL: the tables they can name, over whole, torn and missing files. */
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import type { Plan } from '../../experiments/index.js';
import { SYNTHETIC_PLAN, writeSyntheticExperiment } from '../synthetic-experiment.fixture.js';
import { queryRuns } from './query-runs.js';

const within = temporaryFolder();
const directory = within("it's [odd] * here");
let plan: Plan;

beforeAll(() => {
  writeFileSync(
    within('plan.yaml'),
    SYNTHETIC_PLAN.replace('[42, 123, 456]', '[42]').replace(/ {2}- name: ablations[\s\S]*/, ''),
  );
  plan = writeSyntheticExperiment(within('plan.yaml'), directory, 10);
});

describe('a question in SQL', () => {
  it('is answered from predictions, metrics, settings and steps', async () => {
    const byMode = await queryRuns(
      directory,
      'SELECT mode, count(*) AS n FROM predictions GROUP BY mode ORDER BY mode',
    );
    expect(byMode.columns).toEqual(['mode', 'n']);
    expect(byMode.rows.map(([mode, n]) => [mode, Number(n)])).toEqual([
      ['latent', 120],
      ['no_context', 120],
      ['random_projection', 10],
      ['text', 130],
      ['token_budget', 120],
    ]);
    const f1 = await queryRuns(
      directory,
      `SELECT value FROM measures WHERE measure = '$.latent.reader.f1' AND run = '${plan.cells[2]!.name}'`,
    );
    expect(f1.rows).toHaveLength(1);
    const best = await queryRuns(
      directory,
      "SELECT latent_len, d_z FROM runs WHERE state = 'completed' ORDER BY latent_len DESC, d_z DESC LIMIT 1",
    );
    expect(best.rows.map((row) => row.map(Number))).toEqual([[64, 512]]);
    const steps = await queryRuns(directory, 'SELECT max(step) FROM diagnostics');
    expect(Number(steps.rows[0]![0])).toBe(400);
  });

  it('leaves out torn lines, and knows tables that no run has yet', async () => {
    appendFileSync(path.join(directory, plan.cells[2]!.name, 'predictions.jsonl'), '{"id": "q9", "mo');
    const { rows } = await queryRuns(directory, 'SELECT count(*) FROM predictions');
    expect(Number(rows[0]![0])).toBe(500);
    expect((await queryRuns(directory, 'SELECT * FROM gpu')).rows).toEqual([]);
  });

  it('that is wrong is explained, with the tables there are', async () => {
    await expect(queryRuns(directory, 'SELECT nothing FROM runs')).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('"nothing" not found'),
      hint: expect.stringContaining('predictions'),
    });
    await expect(queryRuns(within('nowhere'), 'SELECT 1')).rejects.toMatchObject({ code: 'input' });
  });
});
