/** Rows of data files in the formats that datasets are published in, each with its place for error messages. */
export { csvRows, type DelimitedRow, tsvRows } from './delimited-records.js';
export { jsonLineRecords, jsonListRecords } from './json-records.js';
export { isParquet, type ParquetColumns, parquetRecords } from './parquet-records.js';
export type { DataRecord, TextFile } from './record.js';
