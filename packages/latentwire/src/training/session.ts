/**
 * Everything a run needs in memory: devices, frozen readers, encoder and wire. Training and evaluation of a finished
 * run open the same session, so that both see the same parameters (the original trained one set and scored another).
 */
import * as t from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { releaseGeneration, setCapturedGeneration } from '../models/decoder/index.js';
import { resolveDevice, resolveDtype } from '../models/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import type { Logger } from '../telemetry/index.js';
import { buildWire, type LatentWire, loadEncoderSource, type Reader } from '../wire/index.js';
import { cachedTokenizer } from './cached-tokenizer.js';
import { loadReader, readerNames } from './readers.js';

export interface Session {
  readonly config: RunConfig;
  readonly device: t.Device;
  readonly root: t.random.RandomRoot;
  readonly readers: readonly Reader[];
  readonly encoderTokenizer: Tokenizer;
  readonly wire: LatentWire;
  /** Trainable numbers. */
  readonly parameters: number;
}

/**
 * Loads models and makes the wire with its starting values. Deterministic in `config.run.seed`.
 * @param between called between two models; what it throws ends the loading
 */
export async function openSession(
  config: RunConfig,
  logger: Logger,
  between: () => void = () => {},
): Promise<Session> {
  const device = resolveDevice(config.system.device);
  const frozenDtype = resolveDtype(config.model.dtype, device);
  const root = new t.random.RandomRoot(config.run.seed);
  setCapturedGeneration(!config.system.disable_graphs);
  // Dropout and other torch-side randomness; initial values have their own stream below.
  t.manualSeed(root.stream('torch').uint32At(0));

  const readers: Reader[] = [];
  const names = readerNames(config.model.ids);
  for (const [i, id] of config.model.ids.entries()) {
    between();
    const reader = await loadReader(names[i]!, id, config, { device, dtype: frozenDtype, logger });
    readers.push({ ...reader, tokenizer: cachedTokenizer(reader.tokenizer, config.data, logger) });
  }
  between();
  const source = await loadEncoderSource(config.encoder, { device, computeDtype: frozenDtype, logger });
  const generator = new t.Generator('cpu', root.stream('init').uint32At(0));
  const models = readers.map((reader) => reader.model);
  for (const model of [...models, source.model]) {
    if (model !== null) model.recomputeLayers = config.training.gradient_checkpointing;
  }
  t.setPinnedUploads(config.training.pin_memory);
  const wire = buildWire(config, models, source, generator);
  const parameters = wire.parameters().reduce((n, p) => n + p.numel, 0);
  // Bytes are their own tokens: looking them up would take longer.
  const encoderTokenizer =
    config.encoder.type === 'byte'
      ? source.tokenizer
      : cachedTokenizer(source.tokenizer, config.data, logger);
  return { config, device, root, readers, encoderTokenizer, wire, parameters };
}

export function closeSession(session: Session): void {
  releaseGeneration();
  session.wire.dispose();
  for (const { model } of session.readers) model.dispose();
}
