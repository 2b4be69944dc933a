/** A dataset by name, from the files it is published in. */
import type { Dataset } from './example.js';
import { type DatasetName, squadVersionOf } from './locate.js';
import { readSource, SOURCES } from './sources/index.js';
import { loadSquad } from './squad.js';

/**
 * Reads and checks the files of one split; several files are shards. The format is decided by content: official files,
 * gzip of them, or the hub's.
 * @throws LatentWireError `input` (unreadable file) or `format` (file and place of what is wrong)
 */
export function loadDataset(name: DatasetName, files: readonly string[]): Promise<Dataset> {
  if (name === 'squad' || name === 'squad_v2') return loadSquad(files, squadVersionOf(name));
  return readSource(SOURCES[name], files);
}
