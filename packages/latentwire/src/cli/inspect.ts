/** `latentwire inspect`: what a frozen model answers to token ids; for parity checks against other programs. */
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

interface InspectOptions {
  readonly model: string;
  readonly tokens?: string;
  readonly text?: string;
  readonly top: string;
  readonly device: string;
  readonly dtype: 'auto' | 'float32' | 'bfloat16' | 'float16';
  readonly generate?: string;
}

export const inspect: CliCommand = {
  name: 'inspect',
  summary: 'top logits of a frozen model after given tokens, with a digest of all logits',
  declare: (command) =>
    command
      .requiredOption('--model <id>', 'hub id, folder or .gguf file')
      .option('--tokens <ids>', 'token ids, comma-separated: 1,2,3')
      .option('--text <text>', 'text instead of token ids; no special tokens are added')
      .option('--top <n>', 'how many of the largest logits', '5')
      .option('--generate <n>', 'also generate this many tokens greedily')
      .option('--device <device>', 'auto, cpu, cuda or cuda:N', 'auto')
      .option('--dtype <dtype>', 'auto, float32, bfloat16 or float16', 'auto'),
  async run({ options, logger }) {
    const o = options as unknown as InspectOptions;
    if ((o.tokens === undefined) === (o.text === undefined)) {
      throw new LatentWireError('expected either --tokens or --text', { code: 'input' });
    }
    const { inspectModel } = await import('../evaluation/index.js');
    const { resolveDevice, resolveDtype } = await import('../models/index.js');
    const device = resolveDevice(o.device);
    const report = await inspectModel(
      {
        model: o.model,
        input: o.text === undefined ? { tokens: parseIds(o.tokens!) } : { text: o.text },
        top: positive(o.top, '--top'),
        generate: o.generate === undefined ? 0 : positive(o.generate, '--generate'),
        device,
        dtype: resolveDtype(o.dtype, device),
      },
      logger,
    );
    const lines = report.top.map(
      ({ id, token, logit, probability }) =>
        `${String(id).padStart(7)}  ${logit.toFixed(4).padStart(9)}  ${probability.toFixed(4)}  ${JSON.stringify(token)}`,
    );
    return {
      json: { ...report },
      text: [
        `${report.family}, ${report.parameters.toLocaleString('en')} parameters, ${report.dtype} on ${report.device}`,
        `logits after ${report.tokens.length} tokens (digest ${report.digest.slice(0, 16)}…):`,
        ...lines,
        ...(report.generated === null ? [] : [`generated: ${JSON.stringify(report.generated.text)}`]),
      ].join('\n'),
    };
  },
};

function parseIds(text: string): number[] {
  return text.split(',').map((part) => {
    const id = Number(part.trim());
    if (part.trim() !== '' && Number.isInteger(id) && id >= 0) return id;
    throw new LatentWireError(`--tokens: expected token ids like 1,2,3, got ${JSON.stringify(part)}`, {
      code: 'input',
    });
  });
}

function positive(text: string, flag: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n > 0) return n;
  throw new LatentWireError(`${flag}: expected a whole number above 0, got ${JSON.stringify(text)}`, {
    code: 'input',
  });
}
