/** From a configuration and loaded models to a wire with its starting values: the one place that knows every setting. */
import type * as t from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import type { LanguageModel } from '../models/decoder/index.js';
import { type LoadLogger, loadModel } from '../models/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import { Adapter } from './adapter.js';
import { Quantiser, quantisation } from './codec/index.js';
import {
  ByteTokenEncoder,
  ByteTokenizer,
  Encoder,
  type LatentHead,
  LmTokenEncoder,
  QueryHead,
  type TokenEncoder,
  WindowHead,
} from './encoders/index.js';
import { LatentWire } from './latent-wire.js';
import { LatentLayout } from './layout.js';

/** The settings that shape a wire. */
export type WireConfig = Pick<RunConfig, 'encoder' | 'wire' | 'adapter'>;

/** What an encoder is made from. */
export interface EncoderSource {
  readonly tokenizer: Tokenizer;
  /** The pretrained language model; null for the byte encoder. The wire owns it from `buildWire` on. */
  readonly model: LanguageModel | null;
  readonly device: t.Device;
  /** The format that pretrained weights are computed with; everything else is fp32. */
  readonly computeDtype: t.FloatDType;
}

export interface EncoderSourceOptions {
  readonly device: t.Device;
  readonly computeDtype: t.FloatDType;
  readonly logger: LoadLogger;
}

/** Loads what the configured encoder needs: fp32 master weights when they train, else the compute dtype. */
export async function loadEncoderSource(
  config: RunConfig['encoder'],
  options: EncoderSourceOptions,
): Promise<EncoderSource> {
  const { device, computeDtype, logger } = options;
  if (config.type === 'byte') return { tokenizer: new ByteTokenizer(), model: null, device, computeDtype };
  const dtype = trainsWeights(config) ? 'float32' : computeDtype;
  const { model, tokenizer } = await loadModel(config.id, { device, dtype, logger });
  return { tokenizer, model, device, computeDtype };
}

/** Longest text that the encoder reads, in its tokens. */
export function encoderLimit(config: RunConfig['encoder']): number {
  return config.type === 'byte' ? config.max_bytes : config.max_tokens;
}

/** Who gets how many latents, for a number of readers. */
export function latentLayout(config: RunConfig['wire'], readers: number): LatentLayout {
  const privateLen = config.latent_private_len;
  return new LatentLayout({
    slots: config.latent_shared_len ?? config.latent_len - privateLen * readers,
    ratio: config.latent_ratio,
    privateLen,
    readers,
  });
}

/**
 * A wire for frozen models, in their order. The same configuration, models and generator state give the same bytes.
 * @param generator CPU generator of all starting values
 */
export function buildWire(
  config: WireConfig,
  models: readonly LanguageModel[],
  source: EncoderSource,
  generator: t.Generator,
): LatentWire {
  const layout = latentLayout(config.wire, models.length);
  const encoder = buildEncoder(config, layout, source, generator);
  const adapters = models.map((model) => buildAdapter(config, layout, model, generator));
  const { bits, group } = config.wire;
  const quantiser = new Quantiser(quantisation(bits, group));
  return new LatentWire({ encoder, adapters, layout, transmit: (z) => quantiser.forward(z) });
}

/** The adapter of one frozen model, alone: what the receiving end of a wire needs. */
export function buildAdapter(
  config: WireConfig,
  layout: LatentLayout,
  model: LanguageModel,
  generator: t.Generator,
): Adapter {
  return new Adapter({
    latentWidth: config.wire.d_z,
    hidden: config.adapter.hidden,
    modelWidth: model.config.hiddenSize,
    embeddingRms: model.embeddingRms,
    slots: layout.slots,
    privateLen: layout.privateLen,
    linearOnly: config.adapter.disable_adapter,
    calibrate: !config.adapter.disable_calibration,
    generator,
    device: model.device,
  });
}

/** The encoder alone: what the sending end of a wire needs. */
export function buildEncoder(
  config: WireConfig,
  layout: LatentLayout,
  source: EncoderSource,
  generator: t.Generator,
): Encoder {
  const tokens = tokenEncoder(config.encoder, source, generator);
  const head = (slots: number): LatentHead => {
    const made = {
      inputWidth: tokens.width,
      latentWidth: config.wire.d_z,
      generator,
      device: source.device,
    };
    if (config.encoder.type === 'lm') return new WindowHead(made);
    const { width, heads } = config.encoder;
    return new QueryHead({ ...made, slots, width, heads });
  };
  const shared = head(layout.slots);
  const privates =
    layout.privateLen > 0 ? Array.from({ length: layout.readers }, () => head(layout.privateLen)) : [];
  return new Encoder({ tokens, shared, privates, privateLen: layout.privateLen });
}

function tokenEncoder(
  config: RunConfig['encoder'],
  source: EncoderSource,
  generator: t.Generator,
): TokenEncoder {
  const { device, computeDtype, model } = source;
  if (config.type === 'byte') {
    const { width, layers, heads } = config;
    return new ByteTokenEncoder({ width, layers, heads, generator, device });
  }
  if (model === null) {
    throw new LatentWireError(`expected a language model for the encoder '${config.type}', got none`, {
      code: 'internal',
    });
  }
  const { lora_rank: loraRank } = config;
  const train = config.type === 'stq' ? 'nothing' : loraRank === null ? 'full' : { loraRank };
  return new LmTokenEncoder(model, { train, causal: !config.non_causal, computeDtype, generator });
}

function trainsWeights(config: RunConfig['encoder']): boolean {
  return config.type === 'lm' && config.lora_rank === null;
}
