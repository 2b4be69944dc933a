/**
 * What a run is a function of, besides its seed and step: settings, frozen models, tokenizers, data files, and the
 * machine as far as it changes bits. Stored in every checkpoint; a resumed run must have the same.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as t from '@latentwire/torch';
import { changedSettings, type RunConfig } from '../../config/index.js';
import { loadFacts } from '../../data/facts/index.js';
import { digestExamples, locateDataset, type Split } from '../../data/index.js';
import { LatentWireError } from '../../errors.js';
import { fetchDatasetFiles, resolveModel } from '../../models/hub/index.js';
import { modelDigest } from '../../models/index.js';
import type { Run } from '../../telemetry/index.js';
import type { Session } from '../session.js';
import { namedCheckpoint } from './load.js';

/** Settings, and one text per thing that a run depends on: `data train`, `model 0 weights`, `device`, … */
export interface RunIdentity {
  readonly config: RunConfig;
  readonly facts: Readonly<Record<string, string>>;
}

/**
 * Reads weights and data files once.
 * @param processes that train together: each adds its part of a batch up by itself
 */
export async function runIdentity(
  session: Session,
  run: Pick<Run, 'environment'>,
  processes = 1,
): Promise<RunIdentity> {
  const { config, device, readers, encoderTokenizer } = session;
  const facts: Record<string, string> = {};
  for (const [i, reader] of readers.entries()) {
    facts[`weights of model ${i} (${reader.name})`] = modelDigest(reader.model);
    facts[`tokenizer of model ${i} (${reader.name})`] = reader.tokenizer.digest;
  }
  facts['tokenizer of the encoder'] = encoderTokenizer.digest;
  if (config.encoder.type !== 'byte') facts['files of the encoder'] = await encoderFiles(config.encoder.id);
  for (const split of ['train', 'dev'] as const) facts[`data (${split})`] = await dataDigest(config, split);
  if (config.run.init_from !== null) facts['starting weights'] = startingDigest(config.run.init_from);
  facts.device = deviceKind(device, run);
  facts['deterministic kernels'] = String(device === 'cpu' || config.system.deterministic);
  // The order in which a sum is split over threads changes its last bits.
  if (device === 'cpu') facts['CPU threads'] = String(t.getNumThreads());
  facts['torch version'] = t.torchVersion();
  // Left out for one, so that checkpoints from before there were several stay what they are.
  if (processes > 1) facts[PROCESSES] = String(processes);
  return { config, facts };
}

const PROCESSES = 'number of processes';
const factOf = ({ facts }: RunIdentity, name: string): string =>
  facts[name] ?? (name === PROCESSES ? '1' : 'absent');

/** In words, what differs; empty when nothing does. */
export function identityDifferences(before: RunIdentity, now: RunIdentity): string[] {
  const settings = changedSettings(before.config, now.config).map(
    ({ path: name, before: was, after }) =>
      `${name} was ${JSON.stringify(was)}, is now ${JSON.stringify(after)}`,
  );
  const names = new Set([...Object.keys(before.facts), ...Object.keys(now.facts)]);
  const things = [...names]
    .filter((name) => factOf(before, name) !== factOf(now, name))
    .map((name) => `${name} was ${factOf(before, name)}, is now ${factOf(now, name)}`);
  return [...settings, ...things];
}

/** @throws LatentWireError `state` naming each difference, unless they are allowed; then they are warned of */
export function requireSameIdentity(
  before: RunIdentity,
  now: RunIdentity,
  options: { readonly allowDrift: boolean; readonly warn: (message: string) => void; readonly file: string },
): void {
  const differences = identityDifferences(before, now);
  if (differences.length === 0) return;
  const list = differences.map((line) => `\n  ${line}`).join('');
  if (options.allowDrift) {
    options.warn(`going on although this differs from the checkpoint (results are not bit-exact):${list}`);
    return;
  }
  throw new LatentWireError(`the checkpoint ${options.file} belongs to something else:${list}`, {
    code: 'state',
    hint: differences.some((line) => line.startsWith('CPU threads'))
      ? 'set OMP_NUM_THREADS to the number it had; or --allow-drift'
      : 'restore what changed; or go on all the same with --allow-drift; or begin again with --restart',
  });
}

function startingDigest(reference: string): string {
  using opened = namedCheckpoint(reference);
  return t.fileDigest(opened.file.path);
}

async function encoderFiles(reference: string): Promise<string> {
  const { kind, path: place } = await resolveModel(reference, { parts: 'all' });
  if (kind === 'gguf') return t.fileDigest(place);
  const names = fs
    .readdirSync(place)
    .filter((name) => name.endsWith('.safetensors') || name === 'config.json')
    .sort();
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\0${t.fileDigest(path.join(place, name))}\0`);
  return hash.digest('hex').slice(0, 16);
}

/** Of the files as they are; generated data is known by its first examples. */
async function dataDigest(config: RunConfig, split: Split): Promise<string> {
  const { dataset } = config.data;
  if (dataset === 'facts') {
    const shape = { people: config.facts.people, facts: config.facts.each, style: config.facts.style };
    return digestExamples(loadFacts({ split, samples: 64, seed: config.facts.seed, shape }).examples).slice(
      0,
      16,
    );
  }
  const file = split === 'train' ? config.data.train_file : config.data.dev_file;
  const files = await locateDataset({ dataset, split, file, fetch: fetchDatasetFiles });
  return files.map((name) => fileDigest(name, split)).join(' ');
}

/** @throws LatentWireError `input` for a file that cannot be read: before the first step, not after the last */
function fileDigest(file: string, split: Split): string {
  try {
    fs.accessSync(file, fs.constants.R_OK);
  } catch (cause) {
    throw new LatentWireError(`cannot read dataset file ${file} (${(cause as NodeJS.ErrnoException).code})`, {
      code: 'input',
      hint: `check the path and its permissions, or name another with --${split}-file`,
      cause,
    });
  }
  return t.fileDigest(file);
}

/** `cpu` with its instruction set's owner, or the GPU's name. */
function deviceKind(device: t.Device, { environment }: Pick<Run, 'environment'>): string {
  if (device === 'cpu') return `cpu (${environment.host.cpu ?? 'unknown'})`;
  const index = Number(/:(\d+)$/.exec(device)?.[1] ?? 0);
  return `cuda (${(environment.gpus?.[index] ?? environment.gpus?.[0])?.name ?? 'unknown'})`;
}
