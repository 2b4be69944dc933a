/**
 * Trains one of the bundled models from random weights on generated facts: a causal language model that answers
 * questions about a context it reads. Everything follows from the design, the seed and the settings; on one machine
 * and torch build, equal calls give equal bytes.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as t from '@latentwire/torch';
import { type FactsExample, factsExample } from '../data/facts/index.js';
import { LatentWireError } from '../errors.js';
import { LanguageModel, loadModel, loadTokenizer, namedWeights } from '../models/index.js';
import { type Logger, writeJsonAtomic } from '../telemetry/index.js';
import { PromptFormat, type Reader } from '../wire/index.js';
import { answerBatch, type FactsBatch, type PartWeights, repeatBatch, retellBatch } from './batch.js';
import { Curriculum, type Lesson } from './curriculum.js';
import { factsLoss } from './facts-loss.js';
import { initialiseDecoder } from './initialise.js';
import { type FactsScore, measureFacts } from './measure.js';
import { type ModelDesign, modelDesign } from './model-designs.js';
import { copyTokenizerFiles, WEIGHTS_FILE, writeModelFiles, writeTokenizerFiles } from './model-directory.js';
import { rememberPieces } from './piece-tokenizer.js';
import { corpusTexts, trainTokenizer } from './tokenizer-files.js';

export interface PretrainOptions {
  /** Name of a design, such as tiny-llama. */
  readonly design: string;
  /** Folder of the model; it must not hold one yet. */
  readonly folder: string;
  readonly device: t.Device;
  readonly seed: number;
  readonly steps: number;
  /** Contexts per step at full length. */
  readonly contexts: number;
  /** Questions asked of each context. */
  readonly questions: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Folder of a model of this design to go on from, with its tokenizer; null: random weights. */
  readonly init: string | null;
  /** Held-out questions of the final measurement. */
  readonly evaluationQuestions: number;
  readonly logger: Logger;
  readonly onStep?: (state: PretrainStep) => void;
}

export interface PretrainStep {
  /** Steps done. */
  readonly step: number;
  /** Stage of the curriculum, from 0. */
  readonly stage: number;
  /** Mean −log p per answer token (or per token of the repeated or retold context). */
  readonly loss: number;
  readonly task: Lesson['task'];
}

export interface PretrainResult {
  readonly parameters: number;
  readonly steps: number;
  /** First step of each stage of the curriculum. */
  readonly stageStarts: readonly number[];
  /** Mean answer loss of the last steps. */
  readonly finalLoss: number;
  readonly seconds: number;
  /** Held-out questions, context as text. */
  readonly text: FactsScore;
  /** The same questions without the context. */
  readonly noContext: FactsScore;
}

/** How the model was made and what it scored. */
const CARD_FILE = 'pretraining.json';
const PART_WEIGHTS: PartWeights = { context: 0.1, question: 0.1 };
const WARMUP_STEPS = 100;
const FLOOR_RATIO = 0.02;
const WEIGHT_DECAY = 0.05;
const BETAS = [0.9, 0.98] as const;
const LOSS_WINDOW = 100;

/** Trains, writes the folder, and measures the model as it was written. */
export async function pretrain(options: PretrainOptions): Promise<PretrainResult> {
  const design = modelDesign(options.design);
  const { folder, device } = options;
  if (existsSync(path.join(folder, WEIGHTS_FILE))) {
    throw new LatentWireError(`expected a folder without a model, got ${folder} with ${WEIGHTS_FILE}`, {
      code: 'input',
      hint: 'choose another --out, or remove that model first',
    });
  }
  const started = performance.now();
  // TensorFloat-32: the weights are rounded to fewer bits in the end.
  if (device !== 'cpu') t.setMatmulPrecision('high');
  const root = new t.random.RandomRoot(options.seed);
  if (options.init === null) {
    writeTokenizerFiles(folder, trainTokenizer(design.tokenizer, corpusTexts()), design.config.maxPositions);
  } else copyTokenizerFiles(options.init, folder);
  const reader = await newReader(design, options, root);
  const trained = await trainSteps(reader, root, options);
  writeModelFiles(folder, design, reader.model.weights);
  roundWeights(reader.model);
  t.setMatmulPrecision('highest');
  const text = await measureFacts(reader, 'text_only', options.evaluationQuestions);
  const noContext = await measureFacts(reader, 'no_context', options.evaluationQuestions);
  const parameters = [...namedWeights(reader.model.weights).values()].reduce((n, w) => n + w.numel, 0);
  reader.model.dispose();
  const seconds = (performance.now() - started) / 1000;
  const result = { ...trained, parameters, steps: options.steps, seconds, text, noContext };
  writeJsonAtomic(path.join(folder, CARD_FILE), {
    command: commandLine(options),
    torch: t.torchVersion(),
    device,
    ...result,
  });
  return result;
}

/** The command that repeats this training. */
function commandLine(options: PretrainOptions): string {
  const flags = {
    model: options.design,
    seed: options.seed,
    steps: options.steps,
    contexts: options.contexts,
    questions: options.questions,
    lr: options.lr,
    'eval-questions': options.evaluationQuestions,
    device: options.device,
    ...(options.init === null ? {} : { init: path.basename(options.init) }),
  };
  const words = Object.entries(flags).map(([flag, value]) => `--${flag} ${value}`);
  return `latentwire pretrain ${words.join(' ')} --out ${path.basename(options.folder)}`;
}

async function newReader(
  design: ModelDesign,
  { folder, device, init, logger }: PretrainOptions,
  root: t.random.RandomRoot,
): Promise<Reader> {
  const { config } = design;
  const generator = new t.Generator('cpu', root.stream('init').uint32At(0));
  const model = new LanguageModel(config, initialiseDecoder(config, generator, device));
  if (init !== null) await copyWeights(init, model, logger);
  return {
    name: design.name,
    model,
    tokenizer: rememberPieces(
      await loadTokenizer(folder, { logger }),
      new RegExp(design.tokenizer.pattern, 'gu'),
    ),
    format: new PromptFormat({ renderChat: null, stopIds: config.eosIds, bosId: config.bosId }),
  };
}

/** Weights of a saved model of the same design. */
async function copyWeights(folder: string, model: LanguageModel, logger: Logger): Promise<void> {
  const { device } = model;
  const { model: saved } = await loadModel(folder, { device, dtype: 'float32', logger });
  if (!isDeepStrictEqual(saved.config, model.config)) {
    throw new LatentWireError(`expected a model of the same design to go on from, got ${folder}`, {
      code: 'input',
      hint: 'its config.json differs from what --model makes',
    });
  }
  const weights = namedWeights(saved.weights);
  t.noGrad(() => {
    for (const [name, tensor] of namedWeights(model.weights)) t.copy_(tensor, weights.get(name)!);
  });
  saved.dispose();
}

async function trainSteps(
  reader: Reader,
  root: t.random.RandomRoot,
  options: PretrainOptions,
): Promise<{ stageStarts: number[]; finalLoss: number }> {
  const { model } = reader;
  const { steps, lr } = options;
  const curriculum = new Curriculum(root.stream('lessons'), options.contexts, steps, options.init !== null);
  const optimizer = newOptimizer(model);
  const stageStarts = [0];
  const losses: number[] = [];
  const schedule = {
    kind: 'cosine',
    totalSteps: steps,
    floorRatio: FLOOR_RATIO,
    warmupSteps: Math.min(WARMUP_STEPS, steps),
  } as const;
  const prepare = async (step: number): Promise<[Lesson, FactsBatch]> => {
    const lesson = curriculum.lesson(step);
    return [lesson, await lessonBatch(reader, lesson, step, options)];
  };
  let next = await prepare(0);
  for (let step = 0; step < steps; step++) {
    const [lesson, batch] = next;
    const factor = t.optim.learningRateFactor(schedule, step);
    for (const group of optimizer.groups) group.lr = lr * factor;
    const pending = updateStep(model, optimizer, batch);
    // The next batch is made while the device computes, before this loss is known: a new stage begins a step later.
    if (step + 1 < steps) next = await prepare(step + 1);
    const loss = pending.item();
    pending.dispose();
    if (!Number.isFinite(loss)) {
      throw new LatentWireError(`expected a finite loss, got ${loss} at step ${step}`, {
        code: 'state',
        hint: 'try a smaller --lr',
      });
    }
    options.onStep?.({ step: step + 1, stage: curriculum.stage, loss, task: lesson.task });
    if (lesson.task !== 'answer') continue;
    losses.push(loss);
    if (curriculum.record(step, loss)) {
      stageStarts.push(step + 2);
      options.logger.info('next stage', { stage: curriculum.stage, step: step + 2 });
    }
  }
  optimizer.dispose();
  const last = losses.slice(-LOSS_WINDOW);
  return { stageStarts, finalLoss: last.reduce((a, b) => a + b, 0) / last.length };
}

/** The batch of one step: contexts that no other step has. */
function lessonBatch(
  reader: Reader,
  lesson: Lesson,
  step: number,
  options: PretrainOptions,
): Promise<FactsBatch> {
  // Crowded early batches hold up to three times the contexts of late ones.
  const first = step * 4 * options.contexts;
  const examples = Array.from(
    { length: lesson.contexts },
    (_, i): FactsExample => factsExample('train', options.seed, first + i, lesson.shape),
  );
  switch (lesson.task) {
    case 'answer':
      return answerBatch(reader, examples, options.questions, PART_WEIGHTS);
    case 'repeat':
      return repeatBatch(reader, examples, PART_WEIGHTS);
    case 'retell':
      return retellBatch(reader, examples, PART_WEIGHTS);
  }
}

/** Weight decay on matrices only. */
function newOptimizer(model: LanguageModel): t.optim.AdamW {
  const all = [...namedWeights(model.weights)];
  const group = (matrices: boolean): Map<string, t.Tensor> =>
    new Map(all.filter(([, tensor]) => (tensor.shape.length === 2) === matrices));
  return new t.optim.AdamW([
    { params: group(true), lr: 0, betas: BETAS, weightDecay: WEIGHT_DECAY },
    { params: group(false), lr: 0, betas: BETAS, weightDecay: 0 },
  ]);
}

/** Forward, backward, clip, update. Returns the mean loss of the target tokens, perhaps still being computed. */
function updateStep(model: LanguageModel, optimizer: t.optim.AdamW, batch: FactsBatch): t.Tensor {
  return t.scope(() => {
    const { total, target } = factsLoss(model, batch);
    t.backward(total);
    t.optim.clipGradNorm(namedWeights(model.weights).values(), 1);
    optimizer.step();
    optimizer.zeroGrad();
    return target;
  });
}

/** Brings the weights to the values that were written, so that what is measured is what is loaded later. */
function roundWeights(model: LanguageModel): void {
  t.noGrad(() =>
    t.scope(() => {
      for (const tensor of namedWeights(model.weights).values()) {
        t.copy_(tensor, tensor.to({ dtype: 'bfloat16' }));
      }
    }),
  );
}
