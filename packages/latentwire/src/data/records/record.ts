/** A row of a data file with its place, whatever format it came in. */
export interface DataRecord {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Where it stands, as an error names it: `line 12`, `row 3`, `[7]`. */
  readonly place: string;
}

/** Texts of a dataset file, for the formats that are lines or one JSON document. */
export interface TextFile {
  readonly text: string;
  readonly file: string;
}
