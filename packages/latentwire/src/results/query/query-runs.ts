/**
 * SQL over the files of run directories, by an embedded DuckDB that lives only as long as the question. The files
 * stay the truth; a line that is damaged is left out here and named by `aggregate`.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../../errors.js';

export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/** What a question can name: one view per kind of file, `run` is the name of the run directory. */
export const VIEWS: Readonly<Record<string, string>> = {
  runs: 'run, state, attempt, step, seed, latent_len, d_z, baseline, config (JSON)',
  measures: 'run, measure ($.latent."model".f1), value: every number of metrics.json',
  metrics: 'run, metrics (JSON)',
  predictions: 'run, id, model, mode, prediction, answers, em, f1, nll, …: one row per question',
  diagnostics: 'run, step, loss, lr, seconds, …: one row per optimiser step and attempt',
  gpu: 'run, …: samples of the GPU monitor',
};

const MEMORY_LIMIT = '800MB';

/**
 * @param directory folder of run directories
 * @throws LatentWireError `input`: the question is wrong, with DuckDB's explanation
 */
export async function queryRuns(directory: string, sql: string): Promise<QueryResult> {
  if (!existsSync(directory)) {
    throw new LatentWireError(`expected a folder of runs, found nothing at ${directory}`, { code: 'input' });
  }
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    // Nothing is fetched from elsewhere: what is needed is built in.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  try {
    for (const statement of viewsOf(path.resolve(directory), sql)) await connection.run(statement);
    const reader = await connection.runAndReadAll(sql);
    return { columns: reader.columnNames(), rows: reader.getRowsJson() as unknown[][] };
  } catch (error) {
    throw new LatentWireError((error as Error).message.trim(), {
      code: 'input',
      hint: `views: ${Object.keys(VIEWS).join(', ')}; for example SELECT run, value FROM measures WHERE measure LIKE '%f1'`,
      cause: error,
    });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Only of what the question names: to make a view of rows, DuckDB looks into every file. */
function viewsOf(directory: string, sql: string): string[] {
  const named = (view: string): boolean => new RegExp(`\\b${view}\\b`, 'i').test(sql);
  const root = globLiteral(directory);
  const run = `split_part(substr(filename, ${directory.length + 2}), '/', 1) AS run`;
  const objects = (file: string): string =>
    `(SELECT ${run}, content::JSON AS json FROM read_text('${root}/*/${file}') WHERE json_valid(content))`;
  const lines = (file: string, key?: string): string =>
    `SELECT ${run}, * EXCLUDE (filename) FROM read_json('${root}/*/${file}', format = 'newline_delimited', ignore_errors = true, union_by_name = true, filename = true)${key === undefined ? '' : ` WHERE ${key} IS NOT NULL`}`;
  const views: [name: string, file: RegExp, sql: string, empty: string][] = [
    [
      'runs',
      /^config\.json$/,
      `SELECT c.run, s.json->>'state' AS state, (s.json->>'attempt')::BIGINT AS attempt, (s.json->>'step')::BIGINT AS step,
         (c.json->>'$.run.seed')::BIGINT AS seed, (c.json->>'$.wire.latent_len')::BIGINT AS latent_len,
         (c.json->>'$.wire.d_z')::BIGINT AS d_z, c.json->>'$.baseline.kind' AS baseline, c.json AS config
       FROM ${objects('config.json')} c LEFT JOIN ${objects('status.json')} s USING (run)`,
      `NULL::VARCHAR AS run, NULL::VARCHAR AS state`,
    ],
    [
      'metrics',
      /^logs\/metrics\.json$/,
      `SELECT run, json AS metrics FROM ${objects('logs/metrics.json')}`,
      'NULL::VARCHAR AS run, NULL::JSON AS metrics',
    ],
    [
      'measures',
      /^logs\/metrics\.json$/,
      `SELECT m.run, t.fullkey AS measure, t.atom::DOUBLE AS value FROM ${objects('logs/metrics.json')} m, json_tree(m.json) t
       WHERE t.type IN ('DOUBLE', 'BIGINT', 'UBIGINT')`,
      'NULL::VARCHAR AS run, NULL::VARCHAR AS measure, NULL::DOUBLE AS value',
    ],
    ['predictions', /^predictions\.jsonl$/, lines('predictions.jsonl', 'id'), 'NULL::VARCHAR AS run'],
    [
      'diagnostics',
      /^logs\/diagnostics\.jsonl$/,
      lines('logs/diagnostics.jsonl', 'step'),
      'NULL::VARCHAR AS run',
    ],
    ['gpu', /^logs\/gpu_monitor_.*\.jsonl$/, lines('logs/gpu_monitor_*.jsonl'), 'NULL::VARCHAR AS run'],
  ];
  return views
    .filter(([name]) => named(name))
    .map(([name, file, select, empty]) =>
      hasFile(directory, file)
        ? `CREATE VIEW ${name} AS ${select}`
        : `CREATE VIEW ${name} AS SELECT ${empty} WHERE false`,
    );
}

/** Some run has a file of this name and it is not empty of directories to look in. */
function hasFile(directory: string, file: RegExp): boolean {
  return readdirSync(directory, { withFileTypes: true }).some((entry) => {
    if (!entry.isDirectory()) return false;
    const inside = path.join(directory, entry.name);
    const names = [
      ...readdirSync(inside),
      ...(existsSync(path.join(inside, 'logs'))
        ? readdirSync(path.join(inside, 'logs')).map((name) => `logs/${name}`)
        : []),
    ];
    return names.some((name) => file.test(name));
  });
}

/** A path inside a quoted glob: quotes doubled, wildcards taken literally. */
function globLiteral(directory: string): string {
  return directory.replaceAll("'", "''").replaceAll(/[[*?]/g, '[$&]');
}
