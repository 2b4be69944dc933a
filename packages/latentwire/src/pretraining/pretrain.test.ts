import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as t from '@latentwire/torch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { factsExample } from '../data/facts/index.js';
import { LatentWireError } from '../errors.js';
import { LanguageModel, loadModel, loadTokenizer, namedWeights } from '../models/index.js';
import { silentLogger } from '../telemetry/index.js';
import { PromptFormat, type Reader } from '../wire/index.js';
import { answerBatch, type HostRows, repeatBatch, retellBatch } from './batch.js';
import { factsLoss } from './facts-loss.js';
import { initialiseDecoder } from './initialise.js';
import { modelDesign, modelDesignNames } from './model-designs.js';
import { writeModelFiles, writeTokenizerFiles } from './model-directory.js';
import { type PretrainOptions, type PretrainStep, pretrain } from './pretrain.js';
import { hiddenStates, type TokenRows } from './shared-context.js';
import { corpusTexts, trainTokenizer } from './tokenizer-files.js';

const WEIGHTS = { context: 0.1, question: 0.2 };
const FORMAT = { weights: WEIGHTS, multiple: 1 };
const loadOptions = { device: 'cpu', dtype: 'float32', logger: silentLogger } as const;

let folder: string;
let reader: Reader;
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-pretrain-'));
  const { config, tokenizer } = modelDesign('tiny-qwen2');
  writeTokenizerFiles(folder, trainTokenizer(tokenizer, corpusTexts()), 512);
  reader = {
    name: 'tiny',
    model: new LanguageModel(config, initialiseDecoder(config, new t.Generator('cpu', 3))),
    tokenizer: await loadTokenizer(folder, { logger: silentLogger }),
    format: new PromptFormat({ renderChat: null, stopIds: config.eosIds, bosId: config.bosId }),
  };
});
afterAll(() => {
  reader.model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

describe('initialiseDecoder', () => {
  it.each(modelDesignNames)(
    'gives %s the spread of GPT-2, smaller at the ends of residual branches',
    (name) => {
      const { config } = modelDesign(name);
      const weights = initialiseDecoder(config, new t.Generator('cpu', 0));
      const std = (tensor: t.Tensor): number => t.scope(() => t.std(tensor).item());
      expect(std(weights.embed)).toBeCloseTo(0.02, 3);
      for (const layer of weights.layers) {
        expect(std(layer.qkv)).toBeCloseTo(0.02, 3);
        expect(std(layer.down)).toBeCloseTo(0.02 / Math.sqrt(2 * config.layers), 3);
        expect(layer.qkvBias === null).toBe(!config.attentionBias);
      }
      for (const tensor of namedWeights(weights).values()) expect(tensor.requiresGrad).toBe(true);
      expect(weights.head).toBe(weights.embed);
    },
  );
});

describe('batches', () => {
  const spell = async (rows: HostRows, weight: number): Promise<string[]> => {
    const texts = Array.from({ length: rows.rows }, () => [] as number[]);
    rows.positions.forEach((position, i) => {
      expect(rows.ids[position + 1]).toBe(rows.targets[i]);
      expect(rows.valid[position + 1]).toBe(1);
      if (rows.weights[i] === Math.fround(weight)) {
        texts[Math.floor(position / rows.length)]!.push(rows.targets[i]!);
      }
    });
    return Promise.all(texts.map((ids) => reader.tokenizer.decode(ids, { skipSpecialTokens: false })));
  };

  it('supervise each answer with its end, and weigh the rest less', async () => {
    const examples = [factsExample('train', 1, 0), factsExample('train', 1, 1, { people: 1, facts: 2 })];
    const { contexts, questions } = await answerBatch(reader, examples, 3, FORMAT);
    const asked = examples.flatMap(({ qa }) => qa.slice(0, 3));
    expect(await spell(questions, 1)).toEqual(asked.map(({ answer }) => ` ${answer}<|endoftext|>`));
    expect(await spell(contexts, WEIGHTS.context)).toEqual(examples.map(({ context }) => ` ${context}`));
  });

  it('supervise the whole context where it is to be repeated', async () => {
    const examples = [factsExample('train', 1, 0)];
    const { questions } = await repeatBatch(reader, examples, FORMAT);
    expect(await spell(questions, 1)).toEqual([` ${examples[0]!.context}<|endoftext|>`]);
  });

  it('supervise the facts in other words where they are to be retold', async () => {
    const examples = [factsExample('train', 1, 0)];
    const { questions } = await retellBatch(reader, examples, FORMAT);
    expect(await spell(questions, 1)).toEqual([` ${examples[0]!.retold}<|endoftext|>`]);
  });
});

describe('hiddenStates', () => {
  it('equals reading each question alone after its own context, for values and gradients', () => {
    const { model } = reader;
    const rows = (texts: number[][]): TokenRows => {
      const length = Math.max(...texts.map((ids) => ids.length));
      const padded = texts.map((ids) => [...ids, ...Array<number>(length - ids.length).fill(0)]);
      return {
        ids: t.tensor(padded, { dtype: 'int64' }),
        valid: t.tensor(texts.map((ids) => Array.from({ length }, (_, i) => i < ids.length))),
      };
    };
    const contexts = [
      [5, 9, 200, 31, 77],
      [8, 3],
    ];
    const questions = [[4, 4, 90], [60], [7, 300], [11, 12, 13]];
    t.scope(() => {
      const { embed } = model.weights;
      // A sum of squares would hardly change under the last norm: its gradient is mostly rounding.
      const probe = t.randn([model.config.hiddenSize], { generator: new t.Generator('cpu', 5) });
      const shared = hiddenStates(model, rows(contexts), rows(questions));
      let sharedSum = t.zeros([]);
      let aloneSum = t.zeros([]);
      questions.forEach((question, i) => {
        const context = contexts[Math.floor(i / 2)]!;
        const alone = model.hidden(model.embed(t.tensor([[...context, ...question]], { dtype: 'int64' })));
        const expected = t.narrow(alone, 1, context.length, question.length);
        const actual = t.narrow(t.narrow(shared.questions, 0, i, 1), 1, 0, question.length);
        expect(t.max(t.abs(t.sub(actual, expected))).item()).toBeLessThan(1e-5);
        sharedSum = t.add(sharedSum, t.sum(t.mul(t.mul(actual, probe), i + 1)));
        aloneSum = t.add(aloneSum, t.sum(t.mul(t.mul(expected, probe), i + 1)));
      });
      const [fromShared] = t.grad([sharedSum], [embed]);
      const [fromAlone] = t.grad([aloneSum], [embed]);
      const scale = t.max(t.abs(fromAlone!)).item();
      expect(t.max(t.abs(t.sub(fromShared!, fromAlone!))).item()).toBeLessThan(1e-4 * scale);
    });
  });
});

describe('factsLoss', () => {
  it('starts near the loss of a uniform guess and leaves no tensor behind', async () => {
    const batch = await answerBatch(reader, [factsExample('train', 1, 0)], 4, FORMAT);
    const before = t.liveTensors();
    const target = t.scope(() => factsLoss(reader.model, batch).target.item());
    expect(target).toBeCloseTo(Math.log(reader.model.config.vocabSize), 0);
    expect(t.liveTensors()).toBe(before);
  });
});

describe.each(modelDesignNames)('a written %s', (name) => {
  it('loads to the trained weights, rounded to bf16', async () => {
    const design = modelDesign(name);
    const weights = initialiseDecoder(design.config, new t.Generator('cpu', 1));
    const target = path.join(folder, name);
    writeTokenizerFiles(target, trainTokenizer(design.tokenizer, corpusTexts()), 512);
    writeModelFiles(target, design, weights);
    const { model } = await loadModel(target, loadOptions);
    expect(model.config).toEqual(design.config);
    const loaded = namedWeights(model.weights);
    for (const [key, tensor] of namedWeights(weights)) {
      const rounded = t.scope(() =>
        tensor.detach().to({ dtype: 'bfloat16' }).to({ dtype: 'float32' }).toArray(),
      );
      expect(loaded.get(key)!.toArray()).toEqual(rounded);
    }
    model.dispose();
  });
});

describe('pretrain', () => {
  const options = (out: string): PretrainOptions => ({
    design: 'tiny-llama',
    folder: path.join(folder, out),
    device: 'cpu',
    seed: 11,
    steps: 6,
    contexts: 2,
    questions: 3,
    lr: 1e-3,
    maxMinutes: null,
    style: 'plain',
    noise: 0,
    workers: 0,
    init: null,
    evaluationQuestions: 8,
    logger: silentLogger,
  });

  it('repeats itself byte for byte, lowers the loss and reports what it did', async () => {
    const steps: PretrainStep[] = [];
    const result = await pretrain({ ...options('a'), onStep: (step) => steps.push(step) });
    await pretrain(options('b'));
    for (const file of ['model.safetensors', 'tokenizer.json', 'config.json', 'tokenizer_config.json']) {
      const [a, b] = ['a', 'b'].map((out) => readFileSync(path.join(folder, out, file)));
      expect(a!.equals(b!)).toBe(true);
    }
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss);
    expect(result.text.questions).toBe(8);
    expect(result.noContext.f1).toBeLessThanOrEqual(0.25);
    expect(result.parameters).toBeGreaterThan(100_000);
  });

  it('goes on from a saved model, with its tokenizer, at the full contexts', async () => {
    const first: PretrainStep[] = [];
    await pretrain(options('first'));
    const init = path.join(folder, 'first');
    const result = await pretrain({ ...options('second'), init, onStep: (step) => first.push(step) });
    expect(first[0]!.loss).toBeLessThan(Math.log(modelDesign('tiny-llama').config.vocabSize) - 0.1);
    expect(result.stageStarts).toEqual([0]);
    expect(first[0]!.stage).toBe(4);
    const [a, b] = ['first', 'second'].map((out) => readFileSync(path.join(folder, out, 'tokenizer.json')));
    expect(a!.equals(b!)).toBe(true);
    await expect(pretrain({ ...options('third'), design: 'tiny-qwen2', init })).rejects.toMatchObject({
      code: 'input',
    });
  });

  it('does not touch a model that is there', async () => {
    const { folder: target } = options('kept');
    writeTokenizerFiles(target, trainTokenizer(modelDesign('tiny-llama').tokenizer, corpusTexts()), 512);
    writeFileSync(path.join(target, 'model.safetensors'), 'precious');
    await expect(pretrain(options('kept'))).rejects.toThrow(LatentWireError);
    expect(readFileSync(path.join(target, 'model.safetensors'), 'utf8')).toBe('precious');
  });

  it('names the nearest design for a typo', async () => {
    await expect(pretrain({ ...options('x'), design: 'tiny-lama' })).rejects.toMatchObject({
      hint: 'did you mean tiny-llama?',
    });
  });
});
