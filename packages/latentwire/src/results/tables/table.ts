/** The one table writer: Markdown for files, aligned columns for terminals. A missing value shows as –. */

export type Cell = string | number | null | undefined;

export interface Column {
  readonly title: string;
  /** Numbers are shown with this many decimals; as they are when absent. */
  readonly digits?: number;
  /** right by default for columns that hold numbers, else left. */
  readonly align?: 'left' | 'right';
}

export interface Table {
  readonly columns: readonly Column[];
  /** One cell per column; a shorter row is filled up with missing values. */
  readonly rows: readonly (readonly Cell[])[];
}

const MISSING = '–';

/** The table as text, without a final newline. */
export function renderTable(table: Table, format: 'terminal' | 'markdown' = 'terminal'): string {
  const { columns, rows } = table;
  const right = columns.map((column, i) =>
    column.align === undefined ? rows.some((row) => typeof row[i] === 'number') : column.align === 'right',
  );
  const clean = format === 'markdown' ? escapeMarkdown : oneLine;
  const titles = columns.map(({ title }) => clean(title));
  const body = rows.map((row) => columns.map((column, i) => clean(show(row[i], column.digits))));
  const widths = columns.map((_, i) => Math.max(3, ...[titles, ...body].map((row) => width(row[i]!))));
  const pad = (text: string, i: number) => {
    const blanks = ' '.repeat(widths[i]! - width(text));
    return right[i] ? blanks + text : text + blanks;
  };

  if (format === 'markdown') {
    const rule = widths.map((n, i) => (right[i] ? `${'-'.repeat(n - 1)}:` : '-'.repeat(n)));
    return [titles.map(pad), rule, ...body.map((row) => row.map(pad))]
      .map((row) => `| ${row.join(' | ')} |`)
      .join('\n');
  }
  const rule = widths.map((n) => '─'.repeat(n));
  return [titles.map(pad), rule, ...body.map((row) => row.map(pad))]
    .map((row) => row.join('  ').trimEnd())
    .join('\n');
}

function show(cell: Cell, digits: number | undefined): string {
  if (cell === null || cell === undefined) return MISSING;
  if (typeof cell === 'string') return cell;
  return digits === undefined || !Number.isFinite(cell) ? String(cell) : cell.toFixed(digits);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function escapeMarkdown(text: string): string {
  return oneLine(text).replace(/[\\|`*_<>[\]]/g, '\\$&');
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Terminal columns: wide East Asian characters and emoji take two. */
function width(text: string): number {
  if (NARROW.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += WIDE.test(segment) ? 2 : 1;
  return columns;
}

/** Text whose characters all take one column. */
const NARROW = /^[ -~–—…×·±Δ−†]*$/;
const WIDE =
  /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u;
