/** `latentwire tokenize`: a text as a model's tokenizer sees it. */
import { readFileSync } from 'node:fs';
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

interface TokenizeOptions {
  readonly model: string;
  readonly text?: string;
  readonly file?: string;
  readonly specialTokens?: true;
}

export const tokenize: CliCommand = {
  name: 'tokenize',
  summary: "token ids of a text by a model's tokenizer, and the text back from them",
  declare: (command) =>
    command
      .requiredOption('--model <id>', 'hub id, folder or .gguf file')
      .option('--text <text>', 'the text')
      .option('--file <file>', 'a UTF-8 file with the text')
      .option('--special-tokens', 'add BOS and the like as the tokenizer is set up to'),
  async run({ options, logger }) {
    const o = options as unknown as TokenizeOptions;
    const text = inputText(o);
    const { loadTokenizer } = await import('../models/index.js');
    const tokenizer = await loadTokenizer(o.model, { logger });
    const [ids] = await tokenizer.encodeBatch([text], { addSpecialTokens: o.specialTokens === true });
    const spell = (some: ArrayLike<number>): Promise<string> =>
      tokenizer.decode(some, { skipSpecialTokens: false });
    const tokens = await Promise.all(Array.from(ids!, (id) => spell([id])));
    const decoded = await spell(ids!);
    return {
      json: {
        ids: Array.from(ids!),
        tokens,
        count: ids!.length,
        bytes: Buffer.byteLength(text),
        decoded,
        round_trip: decoded === text,
      },
      text: [
        `${ids!.length} tokens, ${Buffer.byteLength(text)} bytes`,
        Array.from(ids!).join(','),
        tokens.map((token) => JSON.stringify(token)).join(' '),
      ].join('\n'),
    };
  },
};

function inputText(o: TokenizeOptions): string {
  if ((o.text === undefined) === (o.file === undefined)) {
    throw new LatentWireError('expected either --text or --file', { code: 'input' });
  }
  if (o.text !== undefined) return o.text;
  try {
    return readFileSync(o.file!, 'utf8');
  } catch (cause) {
    throw new LatentWireError(`cannot read ${o.file}: ${cause instanceof Error ? cause.message : cause}`, {
      code: 'input',
      cause,
    });
  }
}
