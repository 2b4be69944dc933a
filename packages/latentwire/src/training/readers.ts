/** The frozen models that read a wire: their names in tables and files, and how they are asked. */
import type { RunConfig } from '../config/index.js';
import { taskOf } from '../data/index.js';
import { LatentWireError } from '../errors.js';
import { type LoadedModel, type LoadModelOptions, loadModel, modelName } from '../models/index.js';
import { PromptFormat, type Reader } from '../wire/index.js';

/** Short names, unique in a run, in the order of the models. @param ids `model.ids` */
export function readerNames(ids: readonly string[]): string[] {
  const taken = new Set<string>();
  return ids.map((id) => {
    const short = modelName(id);
    let name = short;
    for (let i = 2; taken.has(name); i++) name = `${short}-${i}`;
    taken.add(name);
    return name;
  });
}

/** Loads a frozen model as the reader of that name. @param reference hub id, folder or .gguf file */
export async function loadReader(
  name: string,
  reference: string,
  config: RunConfig,
  options: LoadModelOptions,
): Promise<Reader> {
  const loaded = await loadModel(reference, options);
  return { name, model: loaded.model, tokenizer: loaded.tokenizer, format: promptFormat(loaded, config) };
}

function promptFormat(loaded: LoadedModel, config: RunConfig): PromptFormat {
  const { prompt } = config.model;
  if (prompt === 'chat' && loaded.renderChat === null) {
    throw new LatentWireError(`expected a chat template in ${loaded.name}, found none`, {
      code: 'input',
      hint: 'use --prompt plain',
    });
  }
  const renderChat = prompt === 'plain' ? null : loaded.renderChat;
  return new PromptFormat({
    renderChat:
      renderChat === null ? null : (message) => renderChat([{ role: 'user', content: message }], true),
    stopIds: loaded.stopIds,
    bosId: loaded.bosId,
    template: taskOf(config.data.dataset).template,
  });
}
