/**
 * Settings of the model hub, from the environment variables that Python's huggingface_hub reads, so that both share
 * one cache, one token and one mirror.
 *
 * Source: huggingface_hub `constants.py`.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

export interface HubEnvironment {
  /** Base URL without a trailing slash. */
  readonly endpoint: string;
  readonly cacheFolder: string;
  readonly token: string | undefined;
  readonly offline: boolean;
}

const TRUE = /^(1|on|yes|true)$/i;

export function hubEnvironment(env: NodeJS.ProcessEnv = process.env): HubEnvironment {
  const userCache = stated(env.XDG_CACHE_HOME) ?? path.join(os.homedir(), '.cache');
  const home = expand(stated(env.HF_HOME) ?? path.join(userCache, 'huggingface'));
  const cache = stated(env.HF_HUB_CACHE) ?? stated(env.HUGGINGFACE_HUB_CACHE);
  return {
    endpoint: (stated(env.HF_ENDPOINT) ?? 'https://huggingface.co').replace(/\/+$/, ''),
    cacheFolder: expand(cache ?? path.join(home, 'hub')),
    token: stated(env.HF_TOKEN) ?? readToken(stated(env.HF_TOKEN_PATH) ?? path.join(home, 'token')),
    offline: TRUE.test(env.HF_HUB_OFFLINE ?? '') || TRUE.test(env.TRANSFORMERS_OFFLINE ?? ''),
  };
}

function stated(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === undefined || text === '' ? undefined : text;
}

function expand(folder: string): string {
  return folder.startsWith('~') ? path.join(os.homedir(), folder.slice(1)) : path.resolve(folder);
}

function readToken(file: string): string | undefined {
  try {
    return stated(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
