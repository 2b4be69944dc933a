/** Protects the command line of the statistics: report file, JSON, warnings, exit codes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { runCli } from './program.js';

const within = temporaryFolder();

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const seen = { stdout: '', stderr: '' };
  const code = await runCli(['stats', ...argv], {
    stdout: (text) => {
      seen.stdout += text;
    },
    stderr: (text) => {
      seen.stderr += text;
    },
  });
  return { code, ...seen };
}

const scores = Array.from({ length: 50 }, (_, i) => Math.sin(i));
const results = within('final_results.json');
writeFileSync(
  results,
  JSON.stringify({
    baseline: 'text_only',
    methods: {
      text_only: { f1: scores, em: scores.map((x) => (x > 0 ? 1 : 0)) },
      wire: { f1: scores.map((x, i) => x + 0.4 + 0.1 * Math.cos(i)) },
    },
  }),
);

describe('latentwire stats', () => {
  it('writes the report and says the verdicts', async () => {
    const output = within('statistical_report.txt');
    const { code, stdout, stderr } = await run(
      '--results',
      results,
      '--output',
      output,
      '--resamples',
      '500',
    );
    expect(code).toBe(0);
    expect(stdout).toBe(`wire is better than text_only on f1.\nreport: ${output}\n`);
    expect(stderr).toContain('wire has no scores for em.');
    expect(readFileSync(output, 'utf8')).toContain('Comparison with text_only');
  });

  it('prints the report, or one JSON object', async () => {
    const text = await run('--results', results, '--format', 'markdown', '--resamples', '200');
    expect(text.stdout).toMatch(/^# Comparison with text\\_only\n/);
    const json = await run(
      '--results',
      results,
      '--json',
      '--correction',
      'fdr_bh',
      '--resamples',
      '200',
      '--seed',
      '9',
    );
    expect(JSON.parse(json.stdout)).toMatchObject({
      correction: 'fdr_bh',
      seed: 9,
      comparisons: [{ verdict: 'better' }],
    });
  });

  it('ends with 2 and names the flag, the file or the place', async () => {
    expect(await run('--results', results, '--alpha', 'x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--alpha: expected a number strictly between 0 and 1, got NaN'),
    });
    expect(await run('--results', results, '--correction', 'bonf')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--correction: expected one of 'bonferroni'"),
    });
    expect((await run('--results', within('none.json'))).code).toBe(2);
    expect((await run()).code).toBe(2);
  });
});
