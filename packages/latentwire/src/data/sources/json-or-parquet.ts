/** Records of files that come as JSON lines, as one JSON list, or as the hub's Parquet. Decided by content. */
import { decodeUtf8 } from '../dataset-file.js';
import type { Problems } from '../problems.js';
import {
  type DataRecord,
  isParquet,
  jsonLineRecords,
  jsonListRecords,
  type ParquetColumns,
  parquetRecords,
} from '../records/index.js';

export async function jsonOrParquet(
  bytes: Uint8Array,
  file: string,
  columns: ParquetColumns,
  problems: Problems,
): Promise<readonly DataRecord[]> {
  if (isParquet(bytes)) return parquetRecords(bytes, file, columns);
  const text = decodeUtf8(bytes, file);
  const source = { text, file };
  return text.trimStart().startsWith('[')
    ? jsonListRecords(source, problems)
    : jsonLineRecords(source, problems);
}
