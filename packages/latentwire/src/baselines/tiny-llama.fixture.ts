/** The bundled model as a reader, for tests. */
import { fileURLToPath } from 'node:url';
import { loadModel } from '../models/index.js';
import { PromptFormat, type Reader } from '../wire/index.js';

export async function tinyLlamaReader(): Promise<Reader> {
  const path = fileURLToPath(new URL('../../assets/tiny-llama', import.meta.url));
  const loaded = await loadModel(path, { device: 'cpu', dtype: 'float32', logger: { info: () => {} } });
  const format = new PromptFormat({ renderChat: null, stopIds: loaded.stopIds, bosId: loaded.bosId });
  return { name: 'tiny-llama', model: loaded.model, tokenizer: loaded.tokenizer, format };
}
