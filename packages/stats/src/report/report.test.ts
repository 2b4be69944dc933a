/** Protects the four report formats: escaping, numbers, and that nothing of the comparison is lost. */
import { describe, expect, it } from 'vitest';
import { type Comparison, compareScores } from '../comparison/index.js';
import {
  formatInterval,
  formatNumber,
  formatPValue,
  formatReport,
  formatSigned,
  significanceStars,
} from './index.js';

const wave = (n: number, k = 1): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin((i + 1) * 12.9898 * k));

const base = wave(120);
const comparison: Comparison = compareScores(
  {
    baseline: 'text_only',
    methods: {
      text_only: { 'F1 & more': base, em: base.map((x) => (x > 0 ? 1 : 0)) },
      wire_32: {
        'F1 & more': base.map((x, i) => x + 0.2 + 0.1 * Math.sin(i)),
        em: base.map((x, i) => (x + 0.5 * Math.sin(i * 3) > 0 ? 1 : 0)),
      },
    },
    metrics: { em: { higherIsBetter: true } },
  },
  { resamples: 2000, threads: 1 },
);

describe('formatReport', () => {
  it('writes Markdown tables with escaped names', () => {
    const text = formatReport(comparison, 'markdown');
    expect(text).toContain('# Comparison with text\\_only');
    expect(text).toContain('## F1 & more');
    expect(text).toContain('| Method | Mean | Difference |');
    expect(text).toMatch(/\| \*\*wire\\_32\*\* \|.*\| better \|/);
    expect(text).not.toContain('NaN');
    const widths = text
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').length);
    expect(new Set(widths).size).toBe(1);
  });

  it('writes LaTeX that escapes what LaTeX reads', () => {
    const text = formatReport(comparison, 'latex');
    expect(text).toContain('\\toprule');
    expect(text).toContain('\\bottomrule');
    expect(text).toContain('F1 \\& more: comparison with text\\_only');
    expect(text).toContain('\\textbf{wire\\_32}');
    expect(text).toContain('\\label{tab:F1-more}');
    expect(text).toContain('$<$0.001');
    expect(text.replaceAll('\\%', '')).not.toMatch(/[^\\]%(?! Needs)/);
    expect(text.match(/\\begin\{/g)!.length).toBe(text.match(/\\end\{/g)!.length);
    for (const line of text.split('\n').filter((entry) => entry.trimEnd().endsWith('\\\\'))) {
      expect(line.replaceAll('\\&', '').split('&')).toHaveLength(7);
    }
  });

  it('writes aligned text with a sentence for each comparison', () => {
    const text = formatReport(comparison, 'text');
    expect(text).toContain('wire_32 is better than text_only on F1 & more.');
    expect(text).toContain('p-values corrected by holm over all tests of this report; alpha 0.05.');
    expect(text).toContain('95 % intervals: BCa bootstrap, 2000 resamples, seed 0.');
    const table = text.split('\n').slice(4, 8);
    expect(table[1]).toMatch(/^-+( {2}-+){6}$/);
    expect(table[2]!.startsWith('text_only')).toBe(true);
  });

  it('writes JSON that keeps every field, with non-finite numbers made explicit', () => {
    const parsed = JSON.parse(formatReport(comparison, 'json')) as Comparison;
    expect(parsed.comparisons[0]!.difference).toBe(comparison.comparisons[0]!.difference);
    expect(parsed).toEqual(JSON.parse(JSON.stringify(comparison)));
    const shifted = compareScores(
      { baseline: 'a', methods: { a: { s: [1, 2, 3] }, b: { s: [2, 3, 4] } } },
      { resamples: 50 },
    );
    expect(formatReport(shifted, 'json')).toContain('"d": "Infinity"');
    expect(formatReport(shifted, 'text')).toContain('inf');
    expect(formatReport(shifted, 'text')).toContain('Warning: ');
  });

  it('refuses other formats', () => {
    expect(() => formatReport(comparison, 'html' as 'text')).toThrow("format: expected one of 'markdown'");
  });
});

describe('numbers', () => {
  it('are printed as papers print them', () => {
    expect([0.12345, -0.0001, Number.NaN, Number.NEGATIVE_INFINITY].map((x) => formatNumber(x))).toEqual([
      '0.123',
      '0.000',
      'n/a',
      '-inf',
    ]);
    expect([0.5, -0.5, 0.0001].map((x) => formatSigned(x, 2))).toEqual(['+0.50', '-0.50', '0.00']);
    expect([0.2, 0.0499, 0.00001, 1, Number.NaN].map(formatPValue)).toEqual([
      '0.20',
      '0.050',
      '<0.001',
      '1.00',
      'n/a',
    ]);
    expect([0.2, 0.04, 0.004, 0.0004].map(significanceStars)).toEqual(['', '*', '**', '***']);
    expect(formatInterval(0.5, { low: 0.25, high: 0.75 }, 2)).toBe('0.50 [0.25, 0.75]');
  });
});
