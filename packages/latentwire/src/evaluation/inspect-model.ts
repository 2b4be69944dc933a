/** One forward pass of a frozen model over given tokens, reported so that another program can be compared with it. */
import { createHash } from 'node:crypto';
import * as t from '@latentwire/torch';
import { LatentWireError } from '../errors.js';
import { generate, loadModel, parameterCount } from '../models/index.js';
import type { Logger } from '../telemetry/index.js';

export interface InspectRequest {
  readonly model: string;
  readonly input: { readonly tokens: readonly number[] } | { readonly text: string };
  /** How many of the largest logits to list. */
  readonly top: number;
  /** Tokens to generate greedily; 0 = none. */
  readonly generate: number;
  readonly device: t.Device;
  readonly dtype: t.FloatDType;
}

export interface InspectReport {
  readonly model: string;
  readonly family: string;
  readonly parameters: number;
  readonly dtype: t.FloatDType;
  readonly device: t.Device;
  readonly tokens: readonly number[];
  /** Largest logits of the last position, descending. */
  readonly top: readonly { id: number; token: string; logit: number; probability: number }[];
  /** sha256 of the fp32 logits [T, V] of all positions, little-endian, hex. */
  readonly digest: string;
  /** 2-norm of the same logits: comparable across machines, where the digest is not. */
  readonly norm: number;
  readonly generated: { readonly ids: readonly number[]; readonly text: string } | null;
}

export async function inspectModel(request: InspectRequest, logger: Logger): Promise<InspectReport> {
  const loaded = await loadModel(request.model, { ...request, logger });
  const { model, tokenizer } = loaded;
  const tokens =
    'tokens' in request.input
      ? [...request.input.tokens]
      : Array.from((await tokenizer.encodeBatch([request.input.text], { addSpecialTokens: false }))[0]!);
  if (tokens.length === 0)
    throw new LatentWireError('expected at least one token, got none', { code: 'input' });
  const wrong = tokens.find((id) => id >= model.config.vocabSize);
  if (wrong !== undefined) {
    throw new LatentWireError(`token ${wrong} is outside the vocabulary of ${model.config.vocabSize}`, {
      code: 'input',
    });
  }
  const raw = t.scope(() =>
    t.noGrad(() => {
      const embeds = model.embed(t.tensor([tokens], { dtype: 'int64', device: model.device }));
      const logits = t.squeeze(model.logits(model.hidden(embeds)).to({ dtype: 'float32' }), 0); // [T, V]
      const last = t.select(logits, 0, -1);
      const { values, indices } = t.topk(last, Math.min(request.top, model.config.vocabSize));
      const probabilities = t.gather(t.softmax(last), 0, indices).toArray();
      const generated =
        request.generate > 0
          ? generate(model, embeds, { maxNewTokens: request.generate, stopIds: loaded.stopIds })[0]!
          : null;
      return {
        ids: indices.toArray(),
        logits: values.toArray(),
        probabilities,
        digest: createHash('sha256').update(logits.toBytes()).digest('hex'),
        norm: t.vectorNorm(logits).item(),
        generated,
      };
    }),
  );
  const spelling = (id: number): Promise<string> => tokenizer.decode([id], { skipSpecialTokens: false });
  return {
    model: request.model,
    family: model.config.family,
    parameters: parameterCount(model.config),
    dtype: request.dtype,
    device: request.device,
    tokens,
    top: await Promise.all(
      raw.ids.map(async (id, i) => ({
        id,
        token: await spelling(id),
        logit: raw.logits[i]!,
        probability: raw.probabilities[i]!,
      })),
    ),
    digest: raw.digest,
    norm: raw.norm,
    generated: raw.generated && { ids: raw.generated, text: await tokenizer.decode(raw.generated) },
  };
}
