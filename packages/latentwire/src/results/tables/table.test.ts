import { describe, expect, it } from 'vitest';
import { renderTable, type Table } from './table.js';

const table: Table = {
  columns: [{ title: 'model' }, { title: 'F1', digits: 1 }, { title: 'n' }, { title: 'note', align: 'left' }],
  rows: [
    ['tiny-llama', 95.04, 500, 'a|b'],
    ['中文 🚋', null, 7, 'two\nlines'],
    ['x', Number.NaN],
  ],
};

describe('table', () => {
  it('aligns columns for terminals, wide characters included, and shows what is missing', () => {
    expect(renderTable(table)).toBe(
      [
        'model         F1    n  note',
        '──────────  ────  ───  ─────────',
        'tiny-llama  95.0  500  a|b',
        '中文 🚋        –    7  two lines',
        'x            NaN    –  –',
      ].join('\n'),
    );
  });

  it('writes Markdown that renders as the same table', () => {
    expect(renderTable(table, 'markdown')).toBe(
      [
        '| model      |   F1 |   n | note      |',
        '| ---------- | ---: | --: | --------- |',
        '| tiny-llama | 95.0 | 500 | a\\|b      |',
        '| 中文 🚋    |    – |   7 | two lines |',
        '| x          |  NaN |   – | –         |',
      ].join('\n'),
    );
  });

  it('can be empty', () => {
    expect(renderTable({ columns: [{ title: 'a' }], rows: [] }, 'markdown')).toBe('| a   |\n| --- |');
  });
});
