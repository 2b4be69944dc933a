/**
 * How long one batch takes, in its parts: text to soft prefix (encoder and adapter), prompt to first token (prefill), and
 * each further token (decode). Warm-up runs come first; the median of the runs is told, and every clock is read only when
 * the device has finished its work. Generation is not stopped at stop tokens, so that all ways of answering decode
 * equally many.
 */
import * as t from '@latentwire/torch';
import type { AnswerMode, LatencyBlock, LatencyMetrics } from '../telemetry/index.js';
import { type AnswerSource, pick, sourceBatches } from './answer-source.js';
import { generateTokens } from './generate-answers.js';

export interface LatencyOptions {
  readonly batchSize: number;
  /** Runs that are not counted. Default 2. */
  readonly warmup?: number;
  /** Default 7. */
  readonly runs?: number;
  /** Tokens decoded after the first. Default 16. */
  readonly newTokens?: number;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** Measures every source on its median batch. */
export function measureLatency(sources: readonly AnswerSource[], options: LatencyOptions): LatencyBlock {
  const { batchSize, warmup = 2, runs = 7, newTokens = 16 } = options;
  const modes: Partial<Record<AnswerMode, Record<string, LatencyMetrics>>> = {};
  for (const source of sources) {
    const times: LatencyMetrics[] = [];
    for (let run = 0; run < warmup + runs; run++) {
      const time = timeBatch(source, batchSize, newTokens, options.now ?? (() => performance.now()));
      if (run >= warmup) times.push(time);
    }
    const encoder = times.flatMap((time) => time.encoder_ms ?? []);
    modes[source.mode] = {
      ...modes[source.mode],
      [source.reader.name]: {
        ...(encoder.length > 0 && { encoder_ms: median(encoder) }),
        prefill_ms: median(times.map((time) => time.prefill_ms)),
        decode_ms_per_token: median(times.map((time) => time.decode_ms_per_token)),
      },
    };
  }
  const device = sources[0]?.reader.model.device ?? 'cpu';
  return { device, batch_size: batchSize, warmup, runs, new_tokens: newTokens, modes };
}

function timeBatch(
  source: AnswerSource,
  batchSize: number,
  newTokens: number,
  now: () => number,
): LatencyMetrics {
  const { reader } = source;
  const batches = sourceBatches(source, batchSize);
  const indices = batches[batches.length >> 1]!;
  const rows = indices.map((i) => source.rows[i]!);
  const latents = pick(source.latents, indices);
  const timed = <T>(action: () => T): [T, number] => {
    t.synchronize(reader.model.device);
    const start = now();
    const result = action();
    t.synchronize(reader.model.device);
    return [result, now() - start];
  };
  return t.scope(() =>
    t.noGrad(() => {
      const [prefix, encoder] = timed(() => source.prefix?.(indices) ?? null);
      const request = { rows, latents, prefix, stopIds: [] };
      const [, first] = timed(() => generateTokens(reader, { ...request, maxNewTokens: 1 }));
      const [, all] = timed(() => generateTokens(reader, { ...request, maxNewTokens: 1 + newTokens }));
      return {
        ...(prefix !== null && { encoder_ms: encoder }),
        prefill_ms: first,
        decode_ms_per_token: (all - first) / newTokens,
      };
    }),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
