/** The examples of a split as the configuration asks for them. */
import { random } from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { loadFacts } from '../data/facts/index.js';
import {
  type Example,
  type FetchDatasetFiles,
  loadDataset,
  locateDataset,
  type Split,
  type Task,
  takeSubset,
  taskOf,
} from '../data/index.js';
import { fetchDatasetFiles } from '../models/hub/index.js';
import type { Logger } from '../telemetry/index.js';

const DEV_SUBSET_SEED = 42;

/**
 * A seeded subset of the training split (`samples`), or a fixed one of the evaluation split
 * (`eval_samples`).
 * @param fetch by default from the hub, into the cache that Python's tools share
 */
export async function loadSplit(
  config: RunConfig,
  split: Split,
  root: random.RandomRoot,
  fetch: FetchDatasetFiles = fetchDatasetFiles,
): Promise<Example[]> {
  const { dataset } = config.data;
  if (dataset === 'facts') {
    const shape = { people: config.facts.people, facts: config.facts.each, style: config.facts.style };
    const kinds = config.facts.questions === 'all' ? {} : { kinds: [config.facts.questions] };
    const samples = factsSamples(config, split);
    return [...loadFacts({ split, samples, seed: config.facts.seed, shape, ...kinds }).examples];
  }
  const file = split === 'train' ? config.data.train_file : config.data.dev_file;
  const { examples } = await loadDataset(dataset, await locateDataset({ dataset, split, file, fetch }));
  const wanted = split === 'train' ? config.data.samples : config.evaluation.eval_samples;
  // Every run is asked the same questions, whatever its seed: runs can then be compared question by question.
  const seeds = split === 'dev' ? new random.RandomRoot(DEV_SUBSET_SEED) : root;
  const order = random.epochOrder(examples.length, seeds.stream(`subset-${split}`), 0);
  return takeSubset(examples, wanted, order);
}

/** Downloads from the hub that say how far they are. */
export function loggedDownloads(logger: Logger): FetchDatasetFiles {
  return (repository, paths) => {
    let reported = performance.now();
    return fetchDatasetFiles(repository, paths, {
      onWarning: (message) => logger.warn(message),
      onProgress: ({ file, bytesDone, bytesTotal }) => {
        // One line per 5 seconds: large sets take minutes.
        const now = performance.now();
        if (now - reported < 5000) return;
        reported = now;
        logger.info('downloading', { dataset: repository, file, bytes: bytesDone, of: bytesTotal });
      },
    });
  };
}

/** The generated corpus has no end; without a limit it is as large as the other datasets are by default. */
function factsSamples(config: RunConfig, split: Split): number {
  return split === 'train' ? (config.data.samples ?? 10_000) : (config.evaluation.eval_samples ?? 1000);
}

/** How the configured dataset puts its questions and judges answers. */
export function taskOfRun(config: RunConfig): Task {
  return taskOf(config.data.dataset);
}
