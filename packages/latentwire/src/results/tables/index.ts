/** Tables as text, for terminals and for Markdown files. Loads nothing else of this room. */
export { type Cell, type Column, renderTable, type Table } from './table.js';
