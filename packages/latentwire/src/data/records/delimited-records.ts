/**
 * Rows of comma- and tab-separated text. CSV follows RFC 4180: a field may be quoted, a quote inside is doubled, and a
 * quoted field may hold commas and line ends. TSV has no quoting, as GLUE writes it.
 */
import { describeValue, type Problems } from '../problems.js';
import type { TextFile } from './record.js';

export interface DelimitedRow {
  readonly cells: readonly string[];
  /** `line 12`, the line where the row begins. */
  readonly place: string;
}

/** An unclosed quote is noted in `problems`; rows before it are returned. */
export function csvRows({ text }: TextFile, problems: Problems): DelimitedRow[] {
  const rows: DelimitedRow[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const place = `line ${line}`;
    const cells: string[] = [];
    let rowEnds = false;
    while (!rowEnds) {
      let cell = '';
      if (text[at] === '"') {
        const closed = closingQuote(text, at + 1);
        if (closed < 0) {
          problems.add(place, 'a closing quote', describeValue(text.slice(at, at + 80)));
          return rows;
        }
        const quoted = text.slice(at + 1, closed);
        cell = quoted.replaceAll('""', '"');
        line += quoted.split('\n').length - 1;
        at = closed + 1;
      }
      const end = nextBreak(text, at);
      cell += text.slice(at, end);
      cells.push(cell.endsWith('\r') && text[end] !== ',' ? cell.slice(0, -1) : cell);
      rowEnds = text[end] !== ',';
      at = end + 1;
    }
    line++;
    if (cells.length > 1 || cells[0] !== '') rows.push({ cells, place });
  }
  return rows;
}

export function tsvRows({ text }: TextFile): DelimitedRow[] {
  return text.split('\n').flatMap((raw, index) => {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    return line === '' ? [] : [{ cells: line.split('\t'), place: `line ${index + 1}` }];
  });
}

/** Place of the quote that ends a quoted cell, or −1. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return -1;
}

/** Place of the next comma or line end, or the end of the text. */
function nextBreak(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== ',' && text[at] !== '\n') at++;
  return at;
}
