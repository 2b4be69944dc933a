/**
 * Writes a model as an ordinary Hugging Face directory: config.json, model.safetensors (bf16), tokenizer.json,
 * tokenizer_config.json. Every loader of Llama and Qwen2 checkpoints reads it.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import type { DecoderWeights, ModelConfig } from '../models/index.js';
import { type JsonRecord, writeFileAtomic, writeJsonAtomic } from '../telemetry/index.js';
import type { ModelDesign } from './model-designs.js';
import { type TrainedTokenizer, tokenizerConfigJson, tokenizerJson } from './tokenizer-files.js';

export const WEIGHTS_FILE = 'model.safetensors';

const TOKENIZER_FILE = 'tokenizer.json';
const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';

/** Makes the folder and writes what the tokenizer needs. */
export function writeTokenizerFiles(folder: string, tokenizer: TrainedTokenizer, maxPositions: number): void {
  mkdirSync(folder, { recursive: true });
  writeFileAtomic(path.join(folder, TOKENIZER_FILE), `${JSON.stringify(tokenizerJson(tokenizer))}\n`);
  writeJsonAtomic(path.join(folder, TOKENIZER_CONFIG_FILE), tokenizerConfigJson(tokenizer, maxPositions));
}

/** Makes the folder and puts the tokenizer of another model in it. */
export function copyTokenizerFiles(from: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of [TOKENIZER_FILE, TOKENIZER_CONFIG_FILE]) {
    copyFileSync(path.join(from, file), path.join(folder, file));
  }
}

/** Writes config.json and the weights, rounded to bf16. */
export function writeModelFiles(folder: string, design: ModelDesign, weights: DecoderWeights): void {
  writeJsonAtomic(path.join(folder, 'config.json'), configJson(design));
  t.scope(() =>
    t.noGrad(() => {
      const rounded = huggingFaceWeights(design.config, weights).map(
        ([name, tensor]) => [name, tensor.to({ dtype: 'bfloat16', device: 'cpu' })] as const,
      );
      t.writeSafetensors(path.join(folder, WEIGHTS_FILE), rounded, {
        metadata: { format: 'pt' },
      });
    }),
  );
}

function configJson({ architecture, config }: ModelDesign): JsonRecord {
  const [eosId] = config.eosIds;
  return {
    architectures: [architecture],
    model_type: config.family,
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    hidden_act: config.activation,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.rope.theta,
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: config.bosId,
    eos_token_id: eosId,
    pad_token_id: eosId,
    torch_dtype: 'bfloat16',
    use_cache: true,
  };
}

/** The joined tensors of the forward pass, taken apart again under their published names. */
function huggingFaceWeights(config: ModelConfig, weights: DecoderWeights): [string, t.Tensor][] {
  const { heads, kvHeads, headDim, intermediateSize } = config;
  const qkvSizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const named: [string, t.Tensor][] = [
    ['model.embed_tokens.weight', weights.embed],
    ['model.norm.weight', weights.norm],
  ];
  if (!config.tiedEmbeddings) named.push(['lm_head.weight', weights.head]);
  weights.layers.forEach((layer, i) => {
    const add = (name: string, tensor: t.Tensor): void => {
      named.push([`model.layers.${i}.${name}`, t.contiguous(tensor)]);
    };
    const projections = ['q_proj', 'k_proj', 'v_proj'].map((name) => `self_attn.${name}`);
    t.split(layer.qkv, qkvSizes).forEach((part, j) => {
      add(`${projections[j]}.weight`, part);
    });
    if (layer.qkvBias !== null) {
      t.split(layer.qkvBias, qkvSizes).forEach((part, j) => {
        add(`${projections[j]}.bias`, part);
      });
    }
    const [gate, up] = t.split(layer.gateUp, intermediateSize);
    add('input_layernorm.weight', layer.attnNorm);
    add('self_attn.o_proj.weight', layer.output);
    add('post_attention_layernorm.weight', layer.ffnNorm);
    add('mlp.gate_proj.weight', gate!);
    add('mlp.up_proj.weight', up!);
    add('mlp.down_proj.weight', layer.down);
  });
  return named;
}
