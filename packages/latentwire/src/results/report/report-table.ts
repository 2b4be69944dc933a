/** One table of a report, and its forms: LaTeX (booktabs), Markdown and HTML. */

export interface ReportCell {
  readonly text: string;
  readonly bold?: boolean;
}

export interface ReportRow {
  readonly cells: readonly (ReportCell | null)[];
  /** Where its numbers are from: runs and configuration, for a comment, a tooltip, a list. */
  readonly source: string;
  /** Heading above the row, when it begins a new part. */
  readonly part?: string;
}

export interface ReportTable {
  /** File name without extension. */
  readonly id: string;
  readonly caption: string;
  readonly columns: readonly { readonly title: string; readonly left?: boolean }[];
  readonly rows: readonly ReportRow[];
  /** What the reader must know, under the table. */
  readonly notes: readonly string[];
}

const MISSING = '–';
/** Columns of a table that fit one column of a paper. */
const ONE_COLUMN = 5;

/** For \usepackage{booktabs}; wide tables span both columns. Sources stand as comments at the ends of lines. */
export function latexTable(table: ReportTable): string {
  const { columns, rows, notes } = table;
  const environment = columns.length > ONE_COLUMN ? 'table*' : 'table';
  const lines = [
    '% needs \\usepackage{booktabs}',
    `\\begin{${environment}}`,
    '  \\centering',
    '  \\small',
    `  \\caption{${latex(table.caption)}}`,
    `  \\label{tab:${table.id}}`,
    `  \\begin{tabular}{${columns.map(({ left }) => (left ? 'l' : 'r')).join('')}}`,
    '    \\toprule',
    `    ${columns.map(({ title }) => latex(title)).join(' & ')} \\\\`,
    '    \\midrule',
  ];
  for (const [i, row] of rows.entries()) {
    if (row.part !== undefined) {
      if (i > 0) lines.push('    \\addlinespace');
      lines.push(`    \\multicolumn{${columns.length}}{l}{\\emph{${latex(row.part)}}} \\\\`);
    }
    const cells = row.cells.map((cell) => {
      if (cell === null) return '--';
      return cell.bold ? `\\textbf{${latex(cell.text)}}` : latex(cell.text);
    });
    lines.push(`    ${cells.join(' & ')} \\\\ % ${row.source.replaceAll(/\s+/g, ' ')}`);
  }
  lines.push('    \\bottomrule', '  \\end{tabular}');
  if (notes.length > 0) {
    lines.push(
      '',
      '  \\medskip',
      `  \\begin{minipage}{\\linewidth}\\footnotesize ${notes.map(latex).join(' ')}\\end{minipage}`,
    );
  }
  lines.push(`\\end{${environment}}`, '');
  return lines.join('\n');
}

/** GitHub's Markdown. */
export function markdownTable(table: ReportTable): string {
  const { columns, rows, notes } = table;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const body = rows.flatMap((row) => [
    ...(row.part === undefined
      ? []
      : [line([`**${markdown(row.part)}**`, ...columns.slice(1).map(() => '')])]),
    line(
      row.cells.map((cell) =>
        cell === null ? MISSING : cell.bold ? `**${markdown(cell.text)}**` : markdown(cell.text),
      ),
    ),
  ]);
  return [
    `**${markdown(table.caption)}**`,
    '',
    line(columns.map(({ title }) => markdown(title))),
    line(columns.map(({ left }) => (left ? ':--' : '--:'))),
    ...body,
    '',
    ...notes.map((note) => `${markdown(note)}  `),
    '',
  ].join('\n');
}

/** A `figure` with the table; each row says on hover where its numbers are from. */
export function htmlTable(table: ReportTable): string {
  const { columns, rows, notes } = table;
  const align = (i: number): string => (columns[i]!.left ? ' class="left"' : '');
  const body = rows.map((row) => {
    const part =
      row.part === undefined
        ? ''
        : `<tr class="part"><th colspan="${columns.length}">${html(row.part)}</th></tr>\n`;
    const cells = row.cells.map((cell, i) => {
      const text = cell === null ? MISSING : html(cell.text);
      return `<td${align(i)}>${cell?.bold ? `<strong>${text}</strong>` : text}</td>`;
    });
    return `${part}<tr title="${html(row.source)}">${cells.join('')}</tr>`;
  });
  return [
    `<figure class="table" id="${html(table.id)}">`,
    `<figcaption>${html(table.caption)}</figcaption>`,
    '<div class="scroll"><table>',
    `<thead><tr>${columns.map(({ title }, i) => `<th${align(i)}>${html(title)}</th>`).join('')}</tr></thead>`,
    `<tbody>\n${body.join('\n')}\n</tbody></table></div>`,
    ...notes.map((note) => `<p class="note">${html(note)}</p>`),
    '</figure>',
  ].join('\n');
}

export function html(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const LATEX: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '{': '\\{',
  '}': '\\}',
  '&': '\\&',
  '%': '\\%',
  $: '\\$',
  '#': '\\#',
  _: '\\_',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '<': '$<$',
  '>': '$>$',
  '×': '$\\times$',
  '−': '$-$',
  '±': '$\\pm$',
  Δ: '$\\Delta$',
  '·': '$\\cdot$',
  '≥': '$\\geq$',
  '≤': '$\\leq$',
  '–': '--',
  '…': '\\dots{}',
};

export function latex(text: string): string {
  return [...text].map((character) => LATEX[character] ?? character).join('');
}

function markdown(text: string): string {
  return text.replaceAll(/[\\|`*_<>[\]]/g, '\\$&').replaceAll(/\s+/g, ' ');
}
