/**
 * From a dataset name to files: an explicit path wins, then the dataset folder (LATENTWIRE_DATA), then the hub
 * through a download function that the caller hands in (this folder knows nothing of networks).
 */
import { LatentWireError } from '../errors.js';
import { sharedDataFile } from './shared-data.js';
import type { SquadVersion } from './squad-json.js';

export type DatasetName = 'squad' | 'squad_v2';
export type Split = 'train' | 'dev';

/** Downloads `path` of dataset `repository` (or finds it in the cache); resolves to the local file. */
export type FetchDatasetFile = (repository: string, path: string) => Promise<string>;

interface DatasetEntry {
  readonly version: SquadVersion;
  /** Names looked for inside the dataset folder. */
  readonly local: Readonly<Record<Split, readonly string[]>>;
  readonly repository: string;
  readonly remote: Readonly<Record<Split, string>>;
}

const DATASETS: Readonly<Record<DatasetName, DatasetEntry>> = {
  squad: {
    version: '1.1',
    local: {
      train: ['squad/train-v1.1.json.gz', 'squad/train-v1.1.json'],
      dev: ['squad/dev-v1.1.json.gz', 'squad/dev-v1.1.json'],
    },
    repository: 'rajpurkar/squad',
    remote: {
      train: 'plain_text/train-00000-of-00001.parquet',
      dev: 'plain_text/validation-00000-of-00001.parquet',
    },
  },
  squad_v2: {
    version: '2.0',
    local: {
      train: ['squad/train-v2.0.json.gz', 'squad/train-v2.0.json'],
      dev: ['squad/dev-v2.0.json.gz', 'squad/dev-v2.0.json'],
    },
    repository: 'rajpurkar/squad_v2',
    remote: {
      train: 'squad_v2/train-00000-of-00001.parquet',
      dev: 'squad_v2/validation-00000-of-00001.parquet',
    },
  },
};

/** The SQuAD version that dataset `name` is read and scored by. */
export function squadVersionOf(name: DatasetName): SquadVersion {
  return DATASETS[name].version;
}

/**
 * The local file of one split.
 * @throws LatentWireError `input` when it is nowhere and no `fetch` is given.
 */
export async function locateDataset(options: {
  readonly dataset: DatasetName;
  readonly split: Split;
  /** A path given by the user; it wins and is not checked here. */
  readonly file?: string | null;
  readonly fetch?: FetchDatasetFile;
  readonly env?: NodeJS.ProcessEnv;
}): Promise<string> {
  const { dataset, split, file, fetch, env } = options;
  if (file != null) return file;
  const entry = DATASETS[dataset];
  for (const name of entry.local[split]) {
    const found = sharedDataFile(name, env);
    if (found !== undefined) return found;
  }
  if (fetch !== undefined) return fetch(entry.repository, entry.remote[split]);
  throw new LatentWireError(`expected the ${split} split of ${dataset} on this machine, found none`, {
    code: 'input',
    hint: `pass --${split}-file, or set LATENTWIRE_DATA to a folder with ${entry.local[split].join(' or ')}`,
  });
}
