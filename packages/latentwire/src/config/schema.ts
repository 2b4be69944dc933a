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
  integerOrAuto,
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
      ['squad', 'squad_v2', 'hotpot', 'gsm8k', 'sst2', 'agnews', 'trec', 'boolq', 'facts'],
      { default: 'squad' },
    ),
    train_file: optionalText(
      'training file (as published, .gz of it, or Parquet) in place of the one found for the dataset',
    ),
    dev_file: optionalText(
      'evaluation file (as published, .gz of it, or Parquet) in place of the one found for the dataset',
    ),
    samples: optionalInteger('training examples, a seeded subset; none: all of them', {
      min: 1,
      default: 10_000,
    }),
    questions_together: toggle(
      'keep questions on one text in one batch, where it is encoded, and repeated, once for them',
    ),
    token_cache: optionalText('folder of tokenised datasets; none: ~/.cache/latentwire/tokens', {
      operational: true,
    }),
    token_cache_mb: integer('most that tokenised datasets may take on disk, in MiB; 0: keep none', {
      min: 0,
      default: 2048,
      operational: true,
    }),
  }),
  facts: group('Contexts of the generated dataset `facts`', {
    people: integer('people told of in one context', { flag: 'facts-people', min: 1, max: 4, default: 2 }),
    each: integer('facts about each of them', { flag: 'facts-each', min: 1, max: 5, default: 3 }),
    style: choice(
      'how facts are worded; plain: short sentences; prose: longer ones among them, with more words that are no facts',
      ['plain', 'prose'],
      { flag: 'facts-style', default: 'plain' },
    ),
    questions: choice(
      'kinds of question; attribute: what is said of a named person; all: also who it is said of, and two hops',
      ['all', 'attribute'],
      { flag: 'facts-questions', default: 'all' },
    ),
    seed: integer('which facts are told, of the same world; people of the evaluation are met nowhere else', {
      flag: 'facts-seed',
      min: 0,
      max: 2 ** 32 - 1,
      default: 0,
    }),
  }),
  encoder: group('What turns text into latents', {
    type: choice(
      'kind of encoder; lm: a small language model, mean-pooled; byte: a transformer over UTF-8 bytes; stq: learned queries over the states of a frozen small language model',
      ['lm', 'byte', 'stq'],
      { flag: 'encoder-type', default: 'lm' },
    ),
    encode: choice(
      'what it reads; context: latents serve any question, the question is text; prompt: the question travels in the latents',
      ['context', 'prompt'],
      { default: 'context' },
    ),
    id: text('encoder model: hub id, directory or .gguf file', {
      flag: 'encoder-id',
      default: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    }),
    max_tokens: integer('longest context, in encoder tokens; the end beyond is cut and counted', {
      flag: 'encoder-max-tokens',
      min: 1,
      default: 512,
    }),
    max_bytes: integer('longest context of the byte encoder, in UTF-8 bytes', {
      flag: 'encoder-max-bytes',
      min: 1,
      default: 2048,
    }),
    non_causal: toggle('let every encoder position see the whole text, not only what comes before it', {
      flag: 'encoder-non-causal',
    }),
    lora_rank: optionalInteger('rank of the trained change of an lm encoder; none: all its weights train', {
      flag: 'encoder-lora-rank',
      min: 1,
      max: 4096,
      default: null,
    }),
    width: integer('width of the byte transformer and of learned queries, in units', {
      flag: 'encoder-width',
      min: 1,
      max: 16_384,
      default: 256,
    }),
    heads: integer('attention heads of the byte transformer and of learned queries', {
      flag: 'encoder-heads',
      min: 1,
      max: 256,
      default: 8,
    }),
    layers: integer('layers of the byte transformer', {
      flag: 'encoder-layers',
      min: 1,
      max: 128,
      default: 6,
    }),
  }),
  wire: group('The latent message', {
    latent_len: integer('M, latent vectors per message', { min: 1, max: 4096, default: 32 }),
    latent_ratio: optionalNumber(
      'encoder tokens per shared latent, so that longer texts get more; none: the same M for every text',
      { min: 1, default: null },
    ),
    latent_shared_len: optionalInteger(
      'latents that every model reads; none: M less the private ones. Given, M is this plus the private ones',
      { min: 1, max: 4096, default: null },
    ),
    latent_private_len: integer('latents for each model alone', { min: 0, max: 1024, default: 0 }),
    d_z: integer('width of a latent vector, in numbers', { min: 1, max: 16_384, default: 256 }),
    bits: integer('bits per number of a message: 1 to 8, 16 (half) or 32 (float), in training as well', {
      flag: 'wire-bits',
      min: 1,
      max: 32,
      default: 32,
    }),
    group: integer('numbers of a vector that share a step; 0: fixed steps, no scales in the message', {
      flag: 'wire-group',
      min: 0,
      max: 65_535,
      default: 32,
    }),
    bits_start: number('share of the run before numbers are rounded in training', {
      flag: 'wire-bits-start',
      min: 0,
      max: 1,
      default: 0,
    }),
  }),
  adapter: group('Maps latents into the embedding space of each frozen model', {
    hidden: integer('width of the hidden layer, in units', {
      flag: 'adapter-hidden',
      min: 1,
      max: 65_536,
      default: 1024,
    }),
    disable_adapter: toggle('ablation: one linear projection in place of the adapter'),
    disable_calibration: toggle(
      'ablation: the prefix starts at RMS 1, not at the RMS of the embedding table',
    ),
  }),
  objective: group('What is minimised. Losses are in nats per token; a term of weight 0 is not computed', {
    max_answer_tokens: integer('longest supervised answer, in tokens; the rest is cut', {
      min: 1,
      default: 32,
    }),
    first_token_weight: number('weight of the cross-entropy of the first answer token', {
      aliases: ['first-token-ce-weight'],
      min: 0,
      default: 0,
    }),
    first_token_warmup: number('share of the answer stage over which that weight rises from 0', {
      min: 0,
      max: 1,
      default: 0,
    }),
    k: integer('K, first answer tokens with a term and with distillation of their own', {
      aliases: ['K'],
      min: 1,
      max: 64,
      default: 4,
    }),
    k_token_weight: number('weight of the cross-entropy of the first K answer tokens', {
      aliases: ['k-ce-weight', 'k-token-ce-weight'],
      min: 0,
      default: 0,
    }),
    k_token_warmup: number('share of the answer stage over which that weight rises from 0', {
      min: 0,
      max: 1,
      default: 0,
    }),
    kd_weight: number('weight of distillation from the same model reading the text, at the first K places', {
      aliases: ['kd-first-k-weight'],
      min: 0,
      default: 1,
    }),
    kd_warmup: number('share of the answer stage over which that weight rises from 0', {
      min: 0,
      max: 1,
      default: 0,
    }),
    disable_kd: toggle('ablation: no distillation, whatever its weight'),
    kd_positions: choice(
      'positions that are distilled; right: those at which the teacher would have said the gold token',
      ['right', 'all'],
      { default: 'right' },
    ),
    kd_tau: number('temperature of distillation', { above: 0, default: 2 }),
    kd_top_k: integer('most likely tokens of the teacher that are kept; the others are one bucket', {
      min: 1,
      max: 1024,
      default: 32,
    }),
    teacher_cache: optionalText(
      "folder of the teacher's stored distributions; none: ~/.cache/latentwire/teacher",
      { operational: true },
    ),
    manifold_weight: number('weight of matching mean and variance of the embedding table', {
      aliases: ['manifold-stat-weight'],
      min: 0,
      default: 0,
    }),
    manifold_warmup: number('share of the answer stage over which that weight rises from 0', {
      min: 0,
      max: 1,
      default: 0,
    }),
    alignment_weight: number('weight of alignment with pooled token embeddings, beside the answer', {
      aliases: ['latent-align-weight'],
      min: 0,
      default: 0,
    }),
    reconstruction_weight: number(
      'weight of reading the context from its latents, beside the answer; 0: answers alone, no pretraining',
      { min: 0, default: 0.3 },
    ),
    reading_share: number(
      'share of the steps with answers that also read the text, drawn step by step; fewer leave time for more answers',
      { min: 0, max: 1, default: 1 },
    ),
    reading_tokens: optionalInteger(
      'supervised tokens of a text that is repeated or continued, a window drawn anew in each step; none: all of them',
      { min: 1, default: null },
    ),
    reconstruction_share: number(
      'share of texts that are repeated from their latents; the others are continued from those of their first part',
      { min: 0, max: 1, default: 1 },
    ),
    pretrain_share: number(
      'share of all steps, at the start, for alignment and reconstruction (no answers)',
      {
        min: 0,
        max: 1,
        default: 0.45,
      },
    ),
    descent_levels: integer('numbers of latents on the way down from one per token to M', {
      min: 1,
      max: 1024,
      default: 16,
    }),
    descent_answer_weight: number('weight of the answer while latents descend to M, beside reconstruction', {
      min: 0,
      default: 0,
    }),
    handover_share: number('share of all steps, after that, over which answers take over', {
      min: 0,
      max: 1,
      default: 0,
    }),
  }),
  baseline: group('Something simple in place of the wire, through the same evaluation', {
    kind: choice(
      'run this alone and train nothing',
      [
        'none',
        'text_only',
        'no_context',
        'token_budget',
        'pooled_embeddings',
        'random_projection',
        'linear_probe',
      ],
      { flag: 'baseline', default: 'none' },
    ),
    budget_mode: choice('tokens of the context that token_budget keeps', ['first', 'last', 'random'], {
      flag: 'token-budget-mode',
      default: 'first',
    }),
    probe_layer: optionalInteger(
      'layer whose states linear_probe reads, 0: embeddings; none: two thirds up',
      {
        min: 0,
        max: 1024,
        default: null,
      },
    ),
    probe_pooling: choice('how linear_probe makes one vector of a text', ['last', 'mean'], {
      default: 'last',
    }),
    probe_folds: integer('folds of the cross-validation of linear_probe', { min: 2, max: 100, default: 5 }),
    probe_c: number('inverse strength of the L2 penalty of linear_probe', { above: 0, default: 1 }),
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
    batch_size: integerOrAuto(
      'examples per micro-batch; auto: as many as --target-memory allows, found before the first step',
      { min: 1, default: 32 },
    ),
    grad_accum: integer('micro-batches per optimiser step', { min: 1, default: 1 }),
    effective_batch: optionalInteger(
      'examples per optimiser step, in as many micro-batches as it takes; none: batch size × --grad-accum',
      { min: 1, default: null },
    ),
    target_memory: number('share of the memory of the device that --batch-size auto aims at', {
      above: 0,
      max: 1,
      default: 0.8,
    }),
    gradient_checkpointing: toggle(
      'keep only the input of each layer of the language models and compute the rest again for the gradient: less memory, more work',
      { aliases: ['use-gradient-checkpointing'] },
    ),
    pin_memory: toggle('copy batches to the GPU out of pinned memory, without waiting for the copy', {
      operational: true,
    }),
    decoders_per_step: choice(
      'frozen models that read the latents of one optimiser step; one: drawn anew for each step',
      ['all', 'one'],
      { default: 'all' },
    ),
    train_expansions: text(
      'times as many latents as the wire has, drawn anew for each step once they have come down to it: 1,2,4 makes one wire that can be sent at three lengths',
      {
        default: '1',
        pattern: /^\d+(?:\.\d+)?(?:,\d+(?:\.\d+)?)*$/,
        expectation: 'numbers with commas between them',
      },
    ),
    num_workers: integer('threads that compose batches ahead of the step; 0: the main thread does', {
      min: 0,
      max: 64,
      default: 0,
      operational: true,
    }),
    prefetch_factor: integer('batches that each of those threads composes ahead', {
      min: 1,
      max: 64,
      default: 2,
      operational: true,
    }),
    max_steps: optionalInteger('stop after this many optimiser steps', { min: 1, default: null }),
    max_minutes: optionalNumber('stop after this many minutes of training', {
      above: 0,
      default: null,
      operational: true,
    }),
  }),
  checkpoint: group('Saving, and going on after an interruption', {
    interval: number('seconds between checkpoints; 0: only at the end and on a signal', {
      flag: 'checkpoint-interval',
      min: 0,
      default: 300,
      operational: true,
    }),
    grace: number('seconds that are left after a signal, before the process is killed', {
      min: 1,
      default: 120,
      operational: true,
    }),
    auto_resume: toggle('go on with the run of this name where it stopped; start it if there is none', {
      operational: true,
    }),
    resume_from: optionalText('checkpoint file or run directory to go on from', { operational: true }),
    restart: toggle('start anew, although a run of this name has a checkpoint', { operational: true }),
    allow_drift: toggle('go on although models, data or machine differ from those of the checkpoint', {
      operational: true,
    }),
    digest_every: integer('steps between digests of weights and optimiser in diagnostics.jsonl; 0: none', {
      min: 0,
      default: 100,
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
    expansion: number(
      'times as many latents per text as the wire has; for wires trained with --train-expansions',
      { flag: 'eval-expansion', above: 0, default: 1 },
    ),
    bits: optionalInteger('bits per number of the messages that are scored; none: those of the wire', {
      flag: 'eval-bits',
      min: 1,
      max: 32,
      default: null,
    }),
    eval_modes: list(
      'ways of answering to score, with commas or repeated; none given: text,token_budget,no_context,latent,shuffled,joint',
    ),
    measure_latency: toggle('also time encoder, prefill and decoding of every way of answering', {
      operational: true,
    }),
  }),
  system: group('Where it runs', {
    device: text('device: auto, cpu, cuda or cuda:N', {
      default: 'auto',
      pattern: /^(?:auto|cpu|cuda(?::\d{1,3})?)$/,
      expectation: 'auto, cpu, cuda or cuda:N',
    }),
    monitor_gpu: toggle(
      'record what the GPUs do, once a second, while the run works; on unless --no-monitor-gpu is given',
      { default: true, operational: true },
    ),
    disable_graphs: toggle('issue every CUDA kernel on its own instead of launching captured steps'),
    rank_timeout: number(
      'seconds that the processes of one training wait for each other within a step, before that counts as a failure',
      { above: 0, default: 600, operational: true },
    ),
    deterministic: toggle('bit-reproducible CUDA kernels only; exact resume on a GPU needs them', {
      operational: true,
    }),
  }),
  run: group('Identity of the run', {
    seed: integer('root of all randomness', { min: 0, max: 2 ** 32 - 1, default: 42 }),
    init_from: optionalText(
      'checkpoint file or run directory whose weights the wire starts from; optimiser, schedule and steps begin anew',
    ),
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
