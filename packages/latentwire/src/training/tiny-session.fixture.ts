/** A tiny random frozen model, encoder and wire for tests: real code paths, milliseconds a step. */
import * as t from '@latentwire/torch';
import { applyAssignments } from '../config/index.js';
import type { ModelConfig } from '../models/config/index.js';
import { LanguageModel, namedWeights } from '../models/decoder/index.js';
import { teacherTargets } from '../objective/index.js';
import { initialiseDecoder } from '../pretraining/initialise.js';
import {
  buildWire,
  type EncoderSource,
  type LatentWire,
  PromptFormat,
  type Reader,
  type WireConfig,
} from '../wire/index.js';
import { noTokenizer, tinyModelConfig } from '../wire/tiny-model.fixture.js';
import type { PreparedData } from './prepare.js';
import type { StageWeights } from './stages.js';
import type { StepOptions } from './step.js';

export const tinyConfig: ModelConfig = { ...tinyModelConfig, vocabSize: 32 };

export const LATENTS = 3;

/** Every term of a step at once, each with its own weight. */
export const everyTerm: StageWeights = {
  alignment: 0.2,
  answer: 1,
  firstToken: 0.3,
  kToken: 0.2,
  kd: 0.4,
  manifold: 0,
  reconstruction: 0.5,
};

/** A step with all of them, some texts continued rather than repeated. */
export const everyTermOptions: StepOptions = {
  maxGradNorm: 1,
  stage: { expansion: 1, weights: everyTerm },
  k: 2,
  continues: (i) => i % 3 === 0,
};

export interface TinySession {
  readonly wire: LatentWire;
  readonly reader: Reader;
  /** The readers' models and the encoder's. */
  readonly models: readonly LanguageModel[];
  readonly data: PreparedData;
}

/** A frozen reader of its own weights. */
function tinyReader(name: string, generator: t.Generator): Reader {
  const frozen = initialiseDecoder(tinyConfig, generator);
  // Starting values are so small that attention moves nothing; a trained model is not like that.
  t.noGrad(() => {
    for (const tensor of namedWeights(frozen).values()) if (tensor.shape.length === 2) t.mul_(tensor, 15);
  });
  const model = new LanguageModel(tinyConfig, frozen);
  for (const weight of [
    frozen.embed,
    frozen.norm,
    ...frozen.layers.flatMap((layer) => Object.values(layer)),
  ]) {
    if (weight instanceof t.Tensor) weight.setRequiresGrad(false);
  }
  const format = new PromptFormat({ renderChat: null, stopIds: [1], bosId: null });
  return { name, model, tokenizer: noTokenizer, format };
}

/**
 * The same numbers for the same seed. Contexts, tails and answers have different lengths.
 * @param settings of the wire, in place of the tiny ones
 * @param computeDtype of the encoder
 */
export function tinySession(
  seed: number,
  examples: number,
  readerCount = 1,
  settings: Readonly<Record<string, unknown>> = {},
  computeDtype: t.FloatDType = 'float32',
): TinySession {
  const generator = new t.Generator('cpu', seed);
  const readers = Array.from({ length: readerCount }, (_, k) => tinyReader(`tiny-${k}`, generator));
  const models = readers.map((reader) => reader.model);
  const encoder = new LanguageModel(tinyConfig, initialiseDecoder(tinyConfig, generator));
  const config = wireConfig(settings);
  if (config.encoder.type === 'stq' || config.encoder.lora_rank !== null) {
    for (const weight of namedWeights(encoder.weights).values()) weight.setRequiresGrad(false);
  }
  const wire = buildWire(config, models, tinySource(encoder, computeDtype), generator);
  const ids = (length: number, i: number): Int32Array =>
    Int32Array.from({ length }, (_, k) => 2 + ((i * 31 + k * 7 + length) % 30));
  const range = Array.from({ length: examples }, (_, i) => i);
  return {
    wire,
    reader: readers[0]!,
    models: [...models, encoder],
    data: {
      examples: range.map((i) => ({
        id: String(i),
        context: '',
        question: '',
        answers: [],
        title: '',
        contextId: String(i),
      })),
      contexts: range.map((i) => ids(4 + (i % 6), i)),
      firstParts: range.map((i) => ids(2 + (i % 3), i)),
      truncatedContexts: 0,
      readers: readers.map((reader) => ({
        reader,
        head: Int32Array.from([2, 3]),
        tails: range.map((i) => ids(2 + (i % 3), i + 1)),
        targets: range.map((i) => Int32Array.from([...ids(1 + (i % 2), i + 2), 1])),
        texts: range.map((i) => ids(4 + (i % 6), i)),
        repeat: {
          tail: Int32Array.from([4]),
          targets: range.map((i) => Int32Array.from([...ids(4 + (i % 6), i), 1])),
        },
        continuation: range.map((i) => ids(1 + (i % 4), i + 3)),
        teacher: null,
        statistics: null,
      })),
    },
  };
}

function wireConfig(settings: Readonly<Record<string, unknown>>): WireConfig {
  const all = { 'wire.latent_len': LATENTS, 'wire.d_z': 8, 'adapter.hidden': 16, ...settings };
  return applyAssignments(Object.entries(all).map(([path, value]) => ({ path, value, origin: 'test' })));
}

function tinySource(model: LanguageModel, computeDtype: t.FloatDType): EncoderSource {
  return { tokenizer: noTokenizer, model, device: 'cpu', computeDtype };
}

/** The data with the distributions of readers that read some text. */
export async function withTeachers(data: PreparedData): Promise<PreparedData> {
  const readers = [];
  for (const reader of data.readers) {
    const rows = reader.targets.map((target, i) => ({ prompt: reader.texts![i]!, target }));
    const teacher = await teacherTargets(reader.reader.model, rows, {
      plan: { positions: 2, topK: 5, tau: 2 },
      folder: null,
      identity: { model: '', tokenizer: '' },
    });
    readers.push({ ...reader, teacher });
  }
  return { ...data, readers };
}
