/**
 * From a dataset name to files: an explicit path wins, then the dataset folder (LATENTWIRE_DATA), then the hub
 * through a download function that the caller hands in (this folder knows nothing of networks).
 */
import { LatentWireError } from '../errors.js';
import { sharedDataFile } from './shared-data.js';
import type { SquadVersion } from './squad-json.js';

export type DatasetName = 'squad' | 'squad_v2' | 'hotpot' | 'gsm8k' | 'sst2' | 'agnews' | 'trec' | 'boolq';
export type Split = 'train' | 'dev';

/** Downloads `paths` of dataset `repository` (or finds them in the cache); resolves to the local files, in order. */
export type FetchDatasetFiles = (repository: string, paths: readonly string[]) => Promise<readonly string[]>;

interface DatasetEntry {
  /** Names looked for inside the dataset folder: whole sets first, then well-known parts of them. */
  readonly local: Readonly<Record<Split, readonly string[]>>;
  readonly repository: string;
  /** Files on the hub; several are shards. */
  readonly remote: Readonly<Record<Split, readonly string[]>>;
}

const DATASETS: Readonly<Record<DatasetName, DatasetEntry>> = {
  squad: {
    local: packed({ train: ['squad/train-v1.1.json'], dev: ['squad/dev-v1.1.json'] }),
    repository: 'rajpurkar/squad',
    remote: parquet('plain_text', 'validation'),
  },
  squad_v2: {
    local: packed({ train: ['squad/train-v2.0.json'], dev: ['squad/dev-v2.0.json'] }),
    repository: 'rajpurkar/squad_v2',
    remote: parquet('squad_v2', 'validation'),
  },
  hotpot: {
    local: packed({
      train: ['hotpotqa/hotpot_train_v1.1.json', 'hotpotqa/train-distractor-200.jsonl'],
      dev: ['hotpotqa/hotpot_dev_distractor_v1.json', 'hotpotqa/dev-distractor-198.jsonl'],
    }),
    repository: 'hotpotqa/hotpot_qa',
    remote: {
      train: ['distractor/train-00000-of-00002.parquet', 'distractor/train-00001-of-00002.parquet'],
      dev: ['distractor/validation-00000-of-00001.parquet'],
    },
  },
  gsm8k: {
    local: packed({ train: ['gsm8k/train.jsonl'], dev: ['gsm8k/test.jsonl'] }),
    repository: 'openai/gsm8k',
    remote: parquet('main', 'test'),
  },
  sst2: {
    local: packed({ train: ['sst2/train.tsv'], dev: ['sst2/dev.tsv'] }),
    repository: 'nyu-mll/glue',
    remote: parquet('sst2', 'validation'),
  },
  agnews: {
    local: packed({ train: ['agnews/train.csv', 'agnews/train-5000.csv'], dev: ['agnews/test.csv'] }),
    repository: 'fancyzhx/ag_news',
    remote: parquet('data', 'test'),
  },
  trec: {
    local: packed({ train: ['trec/train_5500.label'], dev: ['trec/TREC_10.label'] }),
    repository: 'SetFit/TREC-QC',
    remote: { train: ['train.jsonl'], dev: ['test.jsonl'] },
  },
  boolq: {
    local: packed({
      train: ['boolq/train.jsonl'],
      dev: ['boolq/dev.jsonl', 'boolq/dev-balanced-2474.jsonl'],
    }),
    repository: 'google/boolq',
    remote: parquet('data', 'validation'),
  },
};

/** The SQuAD version that dataset `name` is read by. */
export function squadVersionOf(name: 'squad' | 'squad_v2'): SquadVersion {
  return name === 'squad' ? '1.1' : '2.0';
}

/**
 * The local files of one split, in the order of their examples.
 * @throws LatentWireError `input` when they are nowhere and no `fetch` is given.
 */
export async function locateDataset(options: {
  readonly dataset: DatasetName;
  readonly split: Split;
  /** A path given by the user; it wins and is not checked here. */
  readonly file?: string | null;
  readonly fetch?: FetchDatasetFiles;
  readonly env?: NodeJS.ProcessEnv;
}): Promise<readonly string[]> {
  const { dataset, split, file, fetch, env } = options;
  if (file != null) return [file];
  const entry = DATASETS[dataset];
  for (const name of entry.local[split]) {
    const found = sharedDataFile(name, env);
    if (found !== undefined) return [found];
  }
  const hint = `pass --${split}-file, or set LATENTWIRE_DATA to a folder with ${entry.local[split].join(' or ')}`;
  if (fetch === undefined) {
    throw new LatentWireError(`expected the ${split} split of ${dataset} on this machine, found none`, {
      code: 'input',
      hint,
    });
  }
  try {
    return await fetch(entry.repository, entry.remote[split]);
  } catch (cause) {
    if (!(cause instanceof LatentWireError) || cause.code !== 'network') throw cause;
    throw new LatentWireError(
      `expected the ${split} split of ${dataset} on this machine or on the hub, found none: ${cause.message}`,
      { code: 'network', hint, cause },
    );
  }
}

/** Each name compressed and plain. */
function packed(names: Record<Split, readonly string[]>): Record<Split, readonly string[]> {
  const both = (list: readonly string[]) => list.flatMap((name) => [`${name}.gz`, name]);
  return { train: both(names.train), dev: both(names.dev) };
}

/** One Parquet file per split, as the hub names them. */
function parquet(folder: string, dev: 'validation' | 'test'): Record<Split, readonly string[]> {
  const file = (split: string) => [`${folder}/${split}-00000-of-00001.parquet`];
  return { train: file('train'), dev: file(dev) };
}
