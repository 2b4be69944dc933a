/**
 * A frozen reader of the size of a small language model, with random weights: how busy a GPU is does not depend on what
 * the numbers are, and the bundled models are too small to keep one busy. A model folder like any other.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import { resolveModel } from '../../models/hub/index.js';

export interface ModelShape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly inner: number;
}

/** 309 million parameters. */
export const LARGE: ModelShape = { width: 1024, layers: 24, heads: 16, inner: 2816 };

/** Writes the model, with the tokenizer of the bundled one. */
export async function writeRandomModel(folder: string, shape: ModelShape): Promise<void> {
  const { path: bundled } = await resolveModel('bundled:tiny-llama', { parts: 'all' });
  fs.mkdirSync(folder, { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    fs.copyFileSync(path.join(bundled, name), path.join(folder, name));
  const config = JSON.parse(fs.readFileSync(path.join(bundled, 'config.json'), 'utf8')) as {
    vocab_size: number;
  };
  const { width, layers, heads, inner } = shape;
  fs.writeFileSync(
    path.join(folder, 'config.json'),
    JSON.stringify({
      ...config,
      ...{ hidden_size: width, num_hidden_layers: layers, intermediate_size: inner },
      ...{ num_attention_heads: heads, num_key_value_heads: heads, head_dim: width / heads },
    }),
  );
  t.scope(() => {
    const random = (...size: number[]): t.Tensor => t.mul(t.randn(size), 0.02).to({ dtype: 'bfloat16' });
    const ones = t.ones([width]).to({ dtype: 'bfloat16' });
    const [square, up, down] = [random(width, width), random(inner, width), random(width, inner)];
    const tensors = new Map([
      ['model.embed_tokens.weight', random(config.vocab_size, width)],
      ['model.norm.weight', ones],
    ]);
    for (let i = 0; i < layers; i++) {
      const layer = `model.layers.${i}`;
      for (const name of ['q', 'k', 'v', 'o']) tensors.set(`${layer}.self_attn.${name}_proj.weight`, square);
      for (const name of ['gate', 'up']) tensors.set(`${layer}.mlp.${name}_proj.weight`, up);
      tensors.set(`${layer}.mlp.down_proj.weight`, down);
      for (const name of ['input', 'post_attention']) tensors.set(`${layer}.${name}_layernorm.weight`, ones);
    }
    t.writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
  });
}
