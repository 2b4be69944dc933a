/**
 * Trains one of the bundled models from random weights on generated facts: a causal language model that answers
 * questions about a context it reads. Everything follows from the design, the seed and the settings; on one machine
 * and torch build, equal calls give equal bytes.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as t from '@latentwire/torch';
import type { FactsStyle } from '../data/facts/index.js';
import { BatchLoader } from '../data/loader/index.js';
import { LatentWireError } from '../errors.js';
import { LanguageModel, loadModel, namedWeights } from '../models/index.js';
import { type Logger, writeJsonAtomic } from '../telemetry/index.js';
import type { Reader } from '../wire/index.js';
import type { FactsBatch } from './batch.js';
import { Curriculum, type Lesson, STEPS_AHEAD } from './curriculum.js';
import { initialiseDecoder } from './initialise.js';
import { designReader, type LessonData, type LessonRequest } from './lesson-composer.js';
import { type FactsScore, measureFacts } from './measure.js';
import { type ModelDesign, modelDesign } from './model-designs.js';
import { copyTokenizerFiles, WEIGHTS_FILE, writeModelFiles, writeTokenizerFiles } from './model-directory.js';
import { PretrainStepper } from './pretrain-stepper.js';
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
  /** Ends the training after this time, with the learning rate decayed; null: at the last step. */
  readonly maxMinutes: number | null;
  readonly style: FactsStyle;
  /** Most Gaussian noise on the embeddings of a context, relative to their size; 0: none. */
  readonly noise: number;
  /** Threads that compose batches; 0: the main thread does. */
  readonly workers: number;
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
const WARMUP_STEPS = 100;
const FLOOR_RATIO = 0.02;
const LOSS_WINDOW = 100;
/** Rounding of lengths where steps are captured. */
const GRAPH_MULTIPLE = 8;

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
    writeTokenizerFiles(
      folder,
      trainTokenizer(design.tokenizer, corpusTexts(options.style)),
      design.config.maxPositions,
    );
  } else copyTokenizerFiles(options.init, folder);
  const reader = await newReader(design, options, root);
  const trained = await trainSteps(reader, root, options);
  writeModelFiles(folder, design, reader.model.weights);
  roundWeights(reader.model);
  t.setMatmulPrecision('highest');
  const shape = { style: options.style };
  const text = await measureFacts(reader, 'text_only', options.evaluationQuestions, shape);
  const noContext = await measureFacts(reader, 'no_context', options.evaluationQuestions, shape);
  const parameters = [...namedWeights(reader.model.weights).values()].reduce((n, w) => n + w.numel, 0);
  reader.model.dispose();
  const seconds = (performance.now() - started) / 1000;
  const result = { ...trained, parameters, seconds, text, noContext };
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
    style: options.style,
    noise: options.noise,
    'eval-questions': options.evaluationQuestions,
    device: options.device,
    ...(options.maxMinutes === null ? {} : { 'max-minutes': options.maxMinutes }),
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
  return { name: design.name, model, ...(await designReader(design.name, folder)) };
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
): Promise<{ steps: number; stageStarts: number[]; finalLoss: number }> {
  const { model } = reader;
  const { steps, lr, maxMinutes } = options;
  const curriculum = new Curriculum(root.stream('lessons'), options.contexts, options.init !== null);
  const stageStarts = [0];
  const losses: number[] = [];
  const schedule = {
    kind: 'cosine',
    totalSteps: steps,
    floorRatio: FLOOR_RATIO,
    warmupSteps: Math.min(WARMUP_STEPS, steps),
  } as const;
  const began = performance.now();
  const progressAt = (step: number): number =>
    Math.max(step / steps, maxMinutes === null ? 0 : (performance.now() - began) / (maxMinutes * 60_000));
  const graphs = options.device !== 'cpu' && t.cuda.graphsAvailable();
  const { contexts, questions, design, folder, seed, style, noise } = options;
  const loader = new BatchLoader<FactsBatch, LessonData, LessonRequest>({
    module: new URL('./lesson-composer.js', import.meta.url),
    data: { design, folder, seed, contexts, questions, style, noise, multiple: graphs ? GRAPH_MULTIPLE : 1 },
    request: (step) => ({ step, lesson: curriculum.lesson(step) }),
    start: 0,
    end: steps,
    workers: options.workers,
    prefetch: Math.max(1, Math.floor(STEPS_AHEAD / Math.max(1, options.workers))),
  });
  using stepper = new PretrainStepper(model, {
    mode: graphs ? 'capture' : 'off',
    noise: noise > 0,
    seed: root.stream('noise-table'),
  });
  try {
    let next = await loader.next();
    let step = 0;
    for (let progress = 0; progress < 1; ) {
      const batch = next;
      const position = Math.max(step, Math.floor(progress * steps));
      const pending = stepper.update(batch, lr * t.optim.learningRateFactor(schedule, position));
      // The next batch is made while the device computes.
      if (step + 1 < steps) next = await loader.next();
      const loss = pending.item();
      pending.dispose();
      if (!Number.isFinite(loss)) {
        throw new LatentWireError(`expected a finite loss, got ${loss} at step ${step}`, {
          code: 'state',
          hint: 'try a smaller --lr',
        });
      }
      const { task } = curriculum.lesson(step);
      options.onStep?.({ step: step + 1, stage: curriculum.stageAt(step), loss, task });
      progress = progressAt(step + 1);
      if (task === 'answer') {
        losses.push(loss);
        if (curriculum.record(step, loss, progress)) {
          stageStarts.push(curriculum.nextStart);
          options.logger.info('next stage', { stage: curriculum.stage, step: curriculum.nextStart });
        }
      }
      step++;
    }
    options.logger.info('steps by way', { ...stepper.counts });
    const last = losses.slice(-LOSS_WINDOW);
    return { steps: step, stageStarts, finalLoss: last.reduce((a, b) => a + b, 0) / last.length };
  } finally {
    await loader.close();
  }
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
