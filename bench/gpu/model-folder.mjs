/** A model for real trainings without a download. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as t from '@latentwire/torch';
import { initialiseDecoder } from '../../packages/latentwire/dist/pretraining/initialise.js';
import {
  copyTokenizerFiles,
  writeModelFiles,
} from '../../packages/latentwire/dist/pretraining/model-directory.js';
import { configOf } from './shapes.mjs';

/** The small one that comes with the repository. */
export const bundled = fileURLToPath(new URL('../../packages/latentwire/assets/tiny-llama', import.meta.url));

/** The SmolLM2-135M shape with random weights and the bundled tokenizer. @param {string} folder */
export function modelFolder(folder) {
  mkdirSync(folder, { recursive: true });
  copyTokenizerFiles(bundled, folder);
  const config = { ...configOf('smollm2-135m'), bosId: 0, eosIds: [1] };
  t.scope(() => {
    const weights = initialiseDecoder(config, new t.Generator('cpu', 1));
    writeModelFiles(folder, { name: 'smollm2-shape', architecture: 'LlamaForCausalLM', config }, weights);
  });
  return folder;
}
