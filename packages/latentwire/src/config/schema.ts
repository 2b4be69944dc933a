/**
 * The run configuration: the single source of its types, defaults, checks, help texts, YAML keys and command
 * line flags. A new setting is one line here. A flag is the key with dashes (`latent_len` → `--latent-len`)
 * unless the line says otherwise; keys that share a flag name are refused by a test.
 */
import { z } from 'zod';
import {
  choice,
  group,
  integer,
  list,
  number,
  optionalInteger,
  optionalNumber,
  optionalText,
  text,
  toggle,
} from './field.js';

export const runConfigSchema = z.strictObject({
  model: group('Frozen language models that read the wire', {
    ids: list('frozen model: hub id, directory or .gguf file; repeat for several models on one wire', {
      flag: 'model',
      aliases: ['llama-id', 'qwen-id'],
    }),
    dtype: choice(
      'number format of frozen weights and activations; auto is bfloat16 on CUDA, float32 on CPU',
      ['auto', 'float32', 'bfloat16', 'float16'],
      { default: 'auto' },
    ),
    prompt: choice(
      'how a question is put: with the chat template of the model, or as plain lines; auto: chat if it has one',
      ['auto', 'chat', 'plain'],
      { default: 'auto' },
    ),
  }),
  data: group('Questions to train and to evaluate on', {
    dataset: choice(
      'dataset; facts: generated on the fly, for the bundled models',
      ['squad', 'squad_v2', 'facts'],
      {
        default: 'squad',
      },
    ),
    train_file: optionalText(
      'training file (JSON, .gz or Parquet) in place of the one found for the dataset',
    ),
    dev_file: optionalText(
      'evaluation file (JSON, .gz or Parquet) in place of the one found for the dataset',
    ),
    samples: optionalInteger('training examples, a seeded subset; none: all of them', {
      min: 1,
      default: 10_000,
    }),
  }),
  facts: group('Contexts of the generated dataset `facts`', {
    people: integer('people told of in one context', { flag: 'facts-people', min: 1, max: 4, default: 2 }),
    each: integer('facts about each of them', { flag: 'facts-each', min: 1, max: 5, default: 3 }),
  }),
  encoder: group('What turns text into latents', {
    type: choice('kind of encoder; lm: a small language model, mean-pooled', ['lm'], {
      flag: 'encoder-type',
      default: 'lm',
    }),
    id: text('encoder model: hub id, directory or .gguf file', {
      flag: 'encoder-id',
      default: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    }),
    max_tokens: integer('longest context, in encoder tokens; the end beyond is cut and counted', {
      flag: 'encoder-max-tokens',
      min: 1,
      default: 512,
    }),
    non_causal: toggle('let every encoder position see the whole text, not only what comes before it', {
      flag: 'encoder-non-causal',
    }),
  }),
  wire: group('The latent message', {
    latent_len: integer('M, latent vectors per message', { min: 1, max: 4096, default: 32 }),
    d_z: integer('width of a latent vector, in numbers', { min: 1, max: 16_384, default: 256 }),
  }),
  adapter: group('Maps latents into the embedding space of each frozen model', {
    hidden: integer('width of the hidden layer, in units', {
      flag: 'adapter-hidden',
      min: 1,
      max: 65_536,
      default: 1024,
    }),
    disable_adapter: toggle('ablation: one linear projection in place of the adapter'),
    disable_calibration: toggle('ablation: do not scale the prefix to the RMS of the embedding table'),
  }),
  objective: group('What is minimised: cross-entropy of answer and end token, and of the context itself', {
    max_answer_tokens: integer('longest supervised answer, in tokens; the rest is cut', {
      min: 1,
      default: 32,
    }),
    reconstruction_weight: number(
      'weight of repeating the context from its latents, beside the answer; 0: answers alone',
      { min: 0, default: 0.3 },
    ),
    pretrain_share: number(
      'share of all steps, at the start, for alignment and reconstruction (no answers)',
      {
        min: 0,
        max: 1,
        default: 0.45,
      },
    ),
  }),
  optimizer: group('AdamW', {
    lr: number('peak learning rate of what starts at random, per step', { above: 0, default: 1e-3 }),
    encoder_lr: number('peak learning rate of the pretrained encoder, per step', { above: 0, default: 3e-4 }),
    weight_decay: number('decoupled weight decay, per step and learning rate', { min: 0, default: 0.01 }),
    max_grad_norm: number('clip the gradient to this L2 norm; 0: no clipping', { min: 0, default: 1 }),
  }),
  schedule: group('Linear warm-up, then cosine decay', {
    warmup_ratio: number('share of all steps spent warming up', { min: 0, max: 1, default: 0.05 }),
  }),
  training: group('Length and size of the run', {
    epochs: integer('passes over the training examples', { min: 1, default: 1 }),
    batch_size: integer('examples per micro-batch', { min: 1, default: 32 }),
    grad_accum: integer('micro-batches per optimiser step', { min: 1, default: 1 }),
    max_steps: optionalInteger('stop after this many optimiser steps', { min: 1, default: null }),
    max_minutes: optionalNumber('stop after this many minutes of training', {
      above: 0,
      default: null,
      operational: true,
    }),
  }),
  evaluation: group('Free generation on the evaluation set', {
    eval_samples: optionalInteger('evaluation questions, a seeded subset; none: all of them', {
      min: 1,
      default: 1000,
    }),
    eval_batch_size: integer('questions per generation batch', { min: 1, default: 64 }),
    max_new_tokens: integer('longest generated answer, in tokens', { min: 1, default: 32 }),
  }),
  system: group('Where it runs', {
    device: text('device: auto, cpu, cuda or cuda:N', {
      default: 'auto',
      pattern: /^(?:auto|cpu|cuda(?::\d{1,3})?)$/,
      expectation: 'auto, cpu, cuda or cuda:N',
    }),
  }),
  run: group('Identity of the run', {
    seed: integer('root of all randomness', { min: 0, max: 2 ** 32 - 1, default: 42 }),
    save_dir: text('run directory; its last part is the name the run is found by', {
      default: 'runs/latentwire',
      operational: true,
    }),
    debug: toggle('log more, and show stack traces', { operational: true }),
  }),
});

/** A complete, valid configuration. JSON-serialisable. */
export type RunConfig = DeepReadonly<z.infer<typeof runConfigSchema>>;

/** What a file or program may leave out. */
export type RunConfigInput = z.input<typeof runConfigSchema>;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
