/** `latentwire pretrain`: trains one of the bundled tiny language models from random weights on generated facts. */
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

interface PretrainFlags {
  readonly model: string;
  readonly out: string;
  readonly seed: string;
  readonly steps: string;
  readonly contexts: string;
  readonly questions: string;
  readonly lr: string;
  readonly evalQuestions: string;
  readonly init?: string;
  readonly maxMinutes?: string;
  readonly style: string;
  readonly noise: string;
  readonly workers: string;
  readonly device: string;
}

export const pretrain: CliCommand = {
  name: 'pretrain',
  summary: 'train a tiny frozen model of the bundled pair from scratch, on generated facts and questions',
  declare: (command) =>
    command
      .requiredOption('--model <design>', 'tiny-llama or tiny-qwen2')
      .requiredOption(
        '--out <folder>',
        'where the Hugging Face folder is written; it must not hold a model yet',
      )
      .option('--seed <n>', 'root of all randomness', '0')
      .option('--steps <n>', 'optimiser steps', '8000')
      .option('--contexts <n>', 'contexts per step', '16')
      .option('--questions <n>', 'questions about each context', '6')
      .option('--lr <x>', 'peak learning rate, per step', '0.002')
      .option('--eval-questions <n>', 'held-out questions of the final measurement', '1000')
      .option('--init <folder>', 'go on from this model of the same design, on full contexts from the start')
      .option('--style <style>', 'wording of facts: plain or prose', 'plain')
      .option('--noise <x>', 'most noise on embeddings of contexts, relative to their size', '0')
      .option('--max-minutes <x>', 'end after this time, with the learning rate decayed')
      .option('--workers <n>', 'threads that make batches', '0')
      .option('--device <device>', 'auto, cpu, cuda or cuda:N', 'auto'),
  async run({ options, logger }) {
    const o = options as unknown as PretrainFlags;
    const settings = {
      design: o.model,
      folder: o.out,
      seed: whole(o.seed, '--seed', 0),
      steps: whole(o.steps, '--steps', 1),
      contexts: whole(o.contexts, '--contexts', 1),
      questions: whole(o.questions, '--questions', 1),
      lr: positive(o.lr, '--lr'),
      init: o.init ?? null,
      maxMinutes: o.maxMinutes === undefined ? null : positive(o.maxMinutes, '--max-minutes'),
      style: styleOf(o.style),
      noise: o.noise === '0' ? 0 : positive(o.noise, '--noise'),
      workers: whole(o.workers, '--workers', 0),
      evaluationQuestions: whole(o.evalQuestions, '--eval-questions', 1),
    };
    const { resolveDevice } = await import('../models/index.js');
    const { pretrain: trainModel } = await import('../pretraining/index.js');
    const { Progress } = await import('../telemetry/index.js');

    const progress = new Progress({ total: settings.steps });
    const result = await trainModel({
      ...settings,
      device: resolveDevice(o.device),
      logger,
      onStep: ({ step, loss }) => progress.update({ step, loss, samples: step * settings.contexts }),
    }).finally(() => progress.finish());
    const { text, noContext } = result;
    const percent = (share: number): string => (100 * share).toFixed(1).padStart(6);
    return {
      json: { ...result },
      text: [
        `${o.model}: ${result.parameters.toLocaleString('en')} parameters in ${o.out}`,
        `${result.steps} steps in ${(result.seconds / 60).toFixed(1)} min, final answer loss ${result.finalLoss.toFixed(3)}`,
        `${text.questions} held-out questions     EM     F1`,
        `  context as text          ${percent(text.em)} ${percent(text.f1)}`,
        `  no context               ${percent(noContext.em)} ${percent(noContext.f1)}`,
      ].join('\n'),
    };
  },
};

function styleOf(text: string): 'plain' | 'prose' {
  if (text === 'plain' || text === 'prose') return text;
  throw new LatentWireError(`--style: expected plain or prose, got ${JSON.stringify(text)}`, {
    code: 'input',
  });
}

function whole(text: string, flag: string, min: number): number {
  const n = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(n) && n >= min) return n;
  throw new LatentWireError(`${flag}: expected a whole number ≥ ${min}, got ${JSON.stringify(text)}`, {
    code: 'input',
  });
}

function positive(text: string, flag: string): number {
  const x = Number(text);
  if (text.trim() !== '' && Number.isFinite(x) && x > 0) return x;
  throw new LatentWireError(`${flag}: expected a number above 0, got ${JSON.stringify(text)}`, {
    code: 'input',
  });
}
