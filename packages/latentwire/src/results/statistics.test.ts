/** Protects the way from a results file to a report: formats, baselines, and errors that name file and place. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { reportStatistics } from './statistics.js';

const within = temporaryFolder();

function resultsFile(name: string, content: unknown): string {
  const file = within(name);
  const text = JSON.stringify(content);
  writeFileSync(file, name.endsWith('.gz') ? gzipSync(text) : text);
  return file;
}

const items = Array.from({ length: 60 }, (_, i) => `q${i}`);
const scores = (shift: number, k: number): number[] =>
  items.map((_, i) => 0.5 + 0.3 * Math.sin(i) + shift + 0.05 * Math.cos(i * k));
const table = {
  format: 'latentwire-results/1',
  baseline: 'text_only',
  methods: {
    text_only: { f1: { items, scores: scores(0, 3) } },
    wire: { f1: { items, scores: scores(0.05, 5) } },
    random: { f1: { items, scores: scores(-0.2, 7) } },
  },
};

describe('reportStatistics', () => {
  it('writes the format that the extension names', () => {
    const results = resultsFile('final_results.json', table);
    const first = (name: string): string => {
      reportStatistics({ results, output: within(name), resamples: 300 });
      return readFileSync(within(name), 'utf8');
    };
    expect(first('report.txt')).toMatch(/^Comparison with text_only\n/);
    expect(first('report.md')).toMatch(/^# Comparison with text\\_only\n/);
    expect(first('report.tex')).toContain('\\toprule');
    expect(JSON.parse(first('report.json'))).toMatchObject({ baseline: 'text_only' });
    const chosen = reportStatistics({
      results,
      output: within('report.out'),
      format: 'latex',
      resamples: 100,
    });
    expect(chosen.report).toContain('\\toprule');
  });

  it('reads gzip, honours another baseline, and writes nothing unless asked', () => {
    const results = resultsFile('results.json.gz', table);
    const { comparison, json } = reportStatistics({ results, baseline: 'random', resamples: 300 });
    expect(comparison.comparisons.map(({ method, verdict }) => [method, verdict])).toEqual([
      ['text_only', 'better'],
      ['wire', 'better'],
    ]);
    expect(json).toMatchObject({ baseline: 'random', resamples: 300 });
  });

  it('names file and place of wrong data, and the flag of a wrong option', () => {
    const broken = structuredClone(table);
    broken.methods.wire.f1.scores[7] = null as unknown as number;
    const results = resultsFile('broken.json', broken);
    const output = within('never.txt');
    expect(() => reportStatistics({ results, output })).toThrow(
      `${results}: methods.wire.f1.scores[7]: expected a finite number, got null`,
    );
    expect(existsSync(output)).toBe(false);
    const good = resultsFile('good.json', table);
    expect(() => reportStatistics({ results: good, alpha: 2 })).toThrow(
      '--alpha: expected a number strictly between 0 and 1, got 2',
    );
    expect(() => reportStatistics({ results: good, baseline: 'nobody' })).toThrow('got "nobody"');
    expect(() => reportStatistics({ results: good, format: 'html' as 'text' })).toThrow(
      '--format: expected one of',
    );
    writeFileSync(within('cut.json'), '{"methods": {');
    expect(() => reportStatistics({ results: within('cut.json') })).toThrow('is not valid JSON');
  });
});
