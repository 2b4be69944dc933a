/** Records of a Parquet file, as the Hugging Face hub stores datasets. */
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { LatentWireError } from '../../errors.js';
import type { DataRecord } from './record.js';

/** True when the bytes carry Parquet's magic number. */
export function isParquet(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && Buffer.from(bytes.buffer, bytes.byteOffset, 4).toString('latin1') === 'PAR1';
}

export interface ParquetColumns {
  readonly required: readonly string[];
  readonly optional?: readonly string[];
  /** Where such files come from, for the message. */
  readonly source: string;
}

/**
 * The asked columns of every row, in row order; others are not decoded.
 * @throws LatentWireError `format` for a damaged file or one without a required column
 */
export async function parquetRecords(
  bytes: Uint8Array,
  file: string,
  { required, optional = [], source }: ParquetColumns,
): Promise<DataRecord[]> {
  // hyparquet reads from an ArrayBuffer; a Buffer may be a window of a larger pool, so it is copied out.
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const input = {
    byteLength: buffer.byteLength,
    slice: (start: number, end?: number) => buffer.slice(start, end),
  };
  try {
    const metadata = await parquetMetadataAsync(input);
    const present = new Set(metadata.schema.map((element) => element.name));
    const missing = required.filter((column) => !present.has(column));
    if (missing.length > 0) {
      throw new LatentWireError(
        `${file}: expected the columns ${[...required, ...optional].join(', ')}, got none named ${missing.join(', ')}`,
        { code: 'format', hint: `expected the columns of ${source}` },
      );
    }
    const columns = [...required, ...optional].filter((column) => present.has(column));
    const rows = await parquetReadObjects({ file: input, metadata, columns, compressors });
    return rows.map((fields, row) => ({ fields, place: `row ${row}` }));
  } catch (error) {
    if (error instanceof LatentWireError) throw error;
    throw new LatentWireError(`${file} is a damaged Parquet file (${(error as Error).message})`, {
      code: 'format',
      hint: 'copy or download it again',
      cause: error,
    });
  }
}
