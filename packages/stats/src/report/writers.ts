/** Reports of a comparison: Markdown, LaTeX (booktabs), plain text and JSON. */
import type { Comparison } from '../comparison/index.js';
import { oneOf } from '../input/index.js';
import { collectWarnings, type MetricBlock, methodSentence, metricBlocks, type ReportRow } from './rows.js';

export const REPORT_FORMATS = ['markdown', 'latex', 'text', 'json'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** @throws {StatsError} for an unknown format */
export function formatReport(comparison: Comparison, format: ReportFormat): string {
  switch (oneOf(format, REPORT_FORMATS, 'format')) {
    case 'markdown':
      return markdownReport(comparison);
    case 'latex':
      return latexReport(comparison);
    case 'text':
      return textReport(comparison);
    case 'json':
      return jsonReport(comparison);
  }
}

const HEADINGS = ['Method', 'Mean', 'Difference', "Cohen's d", 'p', 'p adjusted', 'Verdict'] as const;

function cells(row: ReportRow): string[] {
  return [row.method, row.mean, row.difference, row.effect, row.p, row.adjusted, row.verdict];
}

function markdownReport(comparison: Comparison): string {
  const quote = (text: string): string => text.replace(/[\\|`*_<>]/g, '\\$&');
  const line = (values: readonly string[]): string => `| ${values.join(' | ')} |`;
  const lines = [`# Comparison with ${quote(comparison.baseline)}`, ''];
  for (const block of metricBlocks(comparison)) {
    lines.push(`## ${quote(block.metric)}`, '', `${direction(block)}; ${block.size}.`, '');
    lines.push(line(HEADINGS), line(['---', '---', '---', '---', '---:', '---:', '---']));
    for (const row of block.rows) {
      const emphasised = row.comparison?.significant
        ? [`**${quote(row.method)}**`, ...cells(row).slice(1)]
        : undefined;
      lines.push(line(emphasised ?? [quote(row.method), ...cells(row).slice(1).map(escapeLess)]));
    }
    lines.push('');
  }
  lines.push(...closing(comparison).map((text) => (text === '' ? '' : `- ${quote(text)}`)), '');
  return lines.join('\n');
}

/** `<0.001` would start an HTML tag. */
function escapeLess(text: string): string {
  return text.replace('<', '\\<');
}

function latexReport(comparison: Comparison): string {
  const lines: string[] = ['% Needs \\usepackage{booktabs}'];
  for (const block of metricBlocks(comparison)) {
    lines.push(
      '\\begin{table}[t]',
      '  \\centering',
      `  \\caption{${latexText(`${block.metric}: comparison with ${comparison.baseline} (${block.size}; ${direction(block).toLowerCase()}). ${methodSentence(comparison)} Bold: significant after correction.`)}}`,
      `  \\label{tab:${block.metric.replace(/[^A-Za-z0-9]+/g, '-')}}`,
      '  \\begin{tabular}{lllllll}',
      '    \\toprule',
      `    ${['Method', 'Mean', 'Difference', "Cohen's $d$", '$p$', '$p$ adj.', 'Verdict'].join(' & ')} \\\\`,
      '    \\midrule',
    );
    block.rows.forEach((row, i) => {
      const texts = cells(row).map(latexNumber);
      if (row.comparison?.significant) texts[0] = `\\textbf{${texts[0]}}`;
      lines.push(`    ${texts.join(' & ')} \\\\`);
      if (i === 0 && block.rows.length > 1) lines.push('    \\midrule');
    });
    lines.push('    \\bottomrule', '  \\end{tabular}', '\\end{table}', '');
  }
  return lines.join('\n');
}

const LATEX_SPECIALS: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '<': '$<$',
  '>': '$>$',
  χ: '$\\chi$',
  '²': '$^2$',
  '−': '$-$',
  '–': '--',
};

function latexText(text: string): string {
  return text.replace(
    /[\\~^<>χ²−–]|[&%$#_{}]/g,
    (character) => LATEX_SPECIALS[character] ?? `\\${character}`,
  );
}

/** A number's hyphen is a minus sign; names keep theirs. */
function latexNumber(text: string): string {
  return latexText(text).replace(/(^|\[|, )-(?=[\d.i])/g, '$1$-$');
}

function textReport(comparison: Comparison): string {
  const lines = [`Comparison with ${comparison.baseline}`, '='.repeat(16 + comparison.baseline.length), ''];
  for (const block of metricBlocks(comparison)) {
    lines.push(`${block.metric}  (${direction(block).toLowerCase()}; ${block.size})`);
    const table = [[...HEADINGS], ...block.rows.map(cells)];
    const widths = HEADINGS.map((_, k) => Math.max(...table.map((row) => row[k]!.length)));
    const render = (row: readonly string[]): string =>
      row
        .map((text, k) => text.padEnd(widths[k]!))
        .join('  ')
        .trimEnd();
    lines.push(render(table[0]!), widths.map((width) => '-'.repeat(width)).join('  '));
    for (const row of table.slice(1)) lines.push(render(row));
    lines.push('');
  }
  lines.push(...closing(comparison), '');
  return lines.join('\n');
}

/** Every field of the comparison; numbers that JSON lacks are the strings "NaN", "Infinity" and "-Infinity". */
function jsonReport(comparison: Comparison): string {
  const replace = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  return `${JSON.stringify(comparison, replace, 2)}\n`;
}

/** Sentences under the tables: verdicts, method, warnings. */
function closing(comparison: Comparison): string[] {
  const warnings = collectWarnings(comparison);
  return [
    ...comparison.comparisons.map((entry) => entry.sentence),
    '',
    methodSentence(comparison),
    ...(warnings.length > 0 ? ['', ...warnings.map((text) => `Warning: ${text}`)] : []),
  ];
}

function direction(block: MetricBlock): string {
  return block.higherIsBetter ? 'Higher is better' : 'Lower is better';
}
