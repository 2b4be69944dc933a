/**
 * Loads SQuAD from any file it comes in (official JSON, gzip or not; the hub's Parquet, in one or several
 * shards). The kind is decided by content, so a renamed file still loads or fails with the true reason.
 */
import { LatentWireError } from '../errors.js';
import { parseJson, readDatasetFile } from './dataset-file.js';
import { type Dataset, type DatasetSource, digestExamples, type Example } from './example.js';
import { isParquet } from './records/index.js';
import { parseSquadJson, type SquadVersion } from './squad-json.js';
import { parseSquadParquet } from './squad-parquet.js';

/**
 * Reads and checks a SQuAD dataset; several files are shards, joined in the given order.
 * @throws LatentWireError `input` (unreadable file) or `format` (file and place of what is wrong).
 */
export async function loadSquad(
  files: string | readonly string[],
  version: SquadVersion = '1.1',
): Promise<Dataset> {
  const examples: Example[] = [];
  const sources: DatasetSource[] = [];
  const fileOfId = new Map<string, string>();
  for (const file of typeof files === 'string' ? [files] : files) {
    const { source, bytes } = readDatasetFile(file);
    const part = isParquet(bytes)
      ? await parseSquadParquet(bytes, file, version)
      : parseSquadJson(parseJson(bytes, file), file, version);
    for (const example of part) {
      const earlier = fileOfId.get(example.id);
      if (earlier !== undefined) {
        throw new LatentWireError(
          `expected ids that occur once, got ${example.id} in ${earlier} and in ${file}`,
          {
            code: 'format',
            hint: 'give each shard once',
          },
        );
      }
      fileOfId.set(example.id, file);
      examples.push(example);
    }
    sources.push(source);
  }
  return { examples, digest: digestExamples(examples), sources };
}
