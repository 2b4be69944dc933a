/** A tokenizer that remembers whole datasets on disk: the same ids as without, from the second time on without work. */
import { createHash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import type { RunConfig } from '../config/index.js';
import { TokenCache } from '../data/token-cache/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import type { Logger } from '../telemetry/index.js';

/** Fewer texts than this are tokenised sooner than they are looked up. */
const FEWEST_TEXTS = 256;

/** The tokenizer over the cache that the configuration names; itself when there is to be none. */
export function cachedTokenizer(tokenizer: Tokenizer, config: RunConfig['data'], logger: Logger): Tokenizer {
  if (config.token_cache_mb === 0) return tokenizer;
  const cache = new TokenCache({
    folder: config.token_cache ?? defaultFolder(),
    limitBytes: config.token_cache_mb * 2 ** 20,
    onWarning: (message) => logger.warn(message),
  });
  return withCache(tokenizer, cache);
}

/** @param fewest calls with fewer texts go past the cache */
export function withCache(tokenizer: Tokenizer, cache: TokenCache, fewest = FEWEST_TEXTS): Tokenizer {
  return {
    vocabSize: tokenizer.vocabSize,
    special: tokenizer.special,
    digest: tokenizer.digest,
    encodeBatch: (texts, options) => {
      const encode = () => tokenizer.encodeBatch(texts, options);
      if (texts.length < fewest) return encode();
      return cache.get(keyOf(tokenizer.digest, texts, options?.addSpecialTokens ?? true), encode);
    },
    decode: (ids, options) => tokenizer.decode(ids, options),
    tokenId: (token) => tokenizer.tokenId(token),
  };
}

/** Digest of all that the ids depend on: the tokenizer, its settings and the texts in order. */
function keyOf(tokenizer: string, texts: readonly string[], special: boolean): string {
  const hash = createHash('sha256').update(JSON.stringify([tokenizer, special, texts.length]));
  for (const text of texts) {
    // With its length, so that no two lists of texts look the same when joined.
    const bytes = Buffer.from(text, 'utf8');
    hash.update(`\n${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}

function defaultFolder(): string {
  return path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'latentwire', 'tokens');
}
