/**
 * Greedy generation whose every step is one launch: keys, values, tokens and ends of rows stay on the device at fixed
 * addresses, a step has the same shapes whatever the lengths of the rows, and the host looks only every few steps whether
 * all rows have ended. Buffers and graphs are kept from batch to batch. A batch is computed at the next of few numbers of
 * rows, which depends on its own size alone: what came before never changes how an answer is rounded.
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from './language-model.js';
import { StaticCache } from './static-cache.js';

/** Steps between two looks at whether all rows have ended. */
const LOOK_EVERY = 8;
const MOST_STOPS = 32;
const CAPACITY_MULTIPLE = 64;
const TOKENS_MULTIPLE = 32;

export interface CapturedRequest {
  readonly maxNewTokens: number;
  readonly stopIds: readonly number[];
  /** bool [B, T], padding on the left; null = none. */
  readonly valid: t.Tensor | null;
}

/** What buffers must hold. */
export interface GenerationSize {
  readonly rows: number;
  /** Of prompt and answer together. */
  readonly positions: number;
  readonly newTokens: number;
  readonly dtype: t.DType;
}

/** State of the first `rows` rows, at fixed addresses. */
interface Lane {
  readonly rows: number;
  readonly cache: StaticCache;
  /** int64 [rows]: the newest token of each row. */
  readonly tokens: t.Tensor;
  /** int64 [most tokens, rows] */
  readonly outputs: t.Tensor;
}

export class CapturedGeneration implements Disposable {
  readonly #model: LanguageModel;
  readonly #rows: number;
  readonly #all: Lane;
  readonly #lanes = new Map<number, Lane>();
  readonly #steps: t.cuda.RecordedSteps;
  /** int64 [1]: row of `outputs` that comes next. */
  readonly #next: t.Tensor;
  /** int64 [most tokens, 1]: 0, 1, 2, … */
  readonly #places: t.Tensor;
  /** int64 [1, MOST_STOPS], filled up with −1. */
  readonly #stops: t.Tensor;

  /** Whether a request can be served at all. */
  static takes(request: CapturedRequest): boolean {
    return request.stopIds.length <= MOST_STOPS;
  }

  /** @param size rounded up */
  constructor(model: LanguageModel, size: GenerationSize, mode: 'capture' | 'rehearse') {
    const { device } = model;
    const integers = { dtype: 'int64', device } as const;
    this.#model = model;
    this.#rows = rowsFor(size.rows);
    const capacity = roundUp(size.positions, CAPACITY_MULTIPLE);
    const newTokens = roundUp(size.newTokens, TOKENS_MULTIPLE);
    this.#all = {
      rows: this.#rows,
      cache: StaticCache.allocate(model.config, { rows: this.#rows, capacity, dtype: size.dtype, device }),
      tokens: t.keep(t.zeros([this.#rows], integers)),
      outputs: t.keep(t.zeros([newTokens, this.#rows], integers)),
    };
    this.#next = t.keep(t.zeros([1], integers));
    this.#places = t.keep(t.scope(() => t.unsqueeze(t.arange(0, newTokens, 1, { device }), 1)));
    this.#stops = t.keep(t.zeros([1, MOST_STOPS], integers));
    this.#steps = new t.cuda.RecordedSteps({ mode, device });
  }

  get counts(): t.cuda.RecordedStepCounts {
    return this.#steps.counts;
  }

  /** Whether a batch fits the buffers. */
  fits({ rows, positions, newTokens, dtype }: GenerationSize): boolean {
    return (
      rows <= this.#rows &&
      positions <= this.#all.cache.capacity &&
      newTokens <= this.#places.size(0) &&
      dtype === this.#all.cache.dtype
    );
  }

  /** Prompt embeddings [B, T, D] -> new token ids per row, without the stop token. */
  generate(embeds: t.Tensor, request: CapturedRequest): number[][] {
    const { maxNewTokens, stopIds } = request;
    const batch = embeds.size(0);
    return t.noGrad(() =>
      t.scope(() => {
        const lane = this.#lane(rowsFor(batch));
        this.#begin(lane, stopIds);
        this.#readPrompts(lane, embeds, request.valid);
        const key = `${lane.rows} ${this.#model.tablePositions}`;
        let done = 1;
        while (done < maxNewTokens) {
          const more = Math.min(LOOK_EVERY, maxNewTokens - done);
          this.#steps.repeat(key, () => this.#step(lane), more);
          done += more;
          if (done < maxNewTokens && t.all(lane.cache.ended).item() !== 0) break;
        }
        return answers(lane.outputs, done, batch, new Set(stopIds));
      }),
    );
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  dispose(): void {
    this.#steps.dispose();
    for (const lane of [...this.#lanes.values(), this.#all]) {
      lane.cache.dispose();
      lane.tokens.dispose();
      lane.outputs.dispose();
    }
    for (const tensor of [this.#next, this.#places, this.#stops]) tensor.dispose();
  }

  #lane(rows: number): Lane {
    let lane = this.#lanes.get(rows);
    if (lane === undefined) {
      const { cache, tokens, outputs } = this.#all;
      lane = {
        rows,
        cache: cache.firstRows(rows),
        tokens: t.keep(t.narrow(tokens, 0, 0, rows)),
        outputs: t.keep(t.narrow(outputs, 1, 0, rows)),
      };
      this.#lanes.set(rows, lane);
    }
    return lane;
  }

  #begin(lane: Lane, stopIds: readonly number[]): void {
    const { device } = this.#model;
    const stops = new BigInt64Array(MOST_STOPS).fill(-1n);
    for (const [i, id] of stopIds.entries()) stops[i] = BigInt(id);
    t.copy_(this.#stops, t.fromTypedArray(stops, [1, MOST_STOPS], { device }));
    t.zero_(this.#next);
    t.zero_(lane.tokens);
    t.zero_(lane.cache.positions);
    t.fill_(lane.cache.ended, 1);
  }

  /** Reads the prompts and takes the first token of each row. */
  #readPrompts(lane: Lane, embeds: t.Tensor, valid: t.Tensor | null): void {
    const [batch, length] = [embeds.size(0), embeds.size(1)];
    const { device } = embeds;
    const starts = t.mul(t.arange(0, batch, 1, { device }), length);
    const lengths = valid === null ? t.full([batch], length, { dtype: 'int64', device }) : t.sum(valid, 1);
    const prompts = valid === null ? embeds : movedToFront(embeds, lengths, starts);
    const hidden = this.#model.hidden(prompts, {
      cache: lane.cache.filling(),
      places: t.add(starts, t.sub(lengths, 1)),
    });
    const first = t.argmax(this.#model.logits(hidden), -1);
    t.copy_(t.narrow(lane.cache.positions, 0, 0, batch), lengths);
    t.zero_(t.narrow(lane.cache.ended, 0, 0, batch));
    const all = t.zeros([lane.rows], { dtype: 'int64', device });
    t.copy_(t.narrow(all, 0, 0, batch), first);
    this.#accept(lane, all);
  }

  /** One more token for every row. */
  #step(lane: Lane): void {
    t.scope(() => {
      const input = this.#model.embed(t.unsqueeze(lane.tokens, 1));
      const hidden = this.#model.hidden(input, { decoding: lane.cache });
      const next = t.argmax(this.#model.logits(t.select(hidden, 1, 0)), -1);
      t.add_(lane.cache.positions, 1);
      this.#accept(lane, next);
    });
  }

  #accept({ cache, tokens, outputs }: Lane, next: t.Tensor): void {
    const stopped = t.any(t.eq(t.unsqueeze(next, 1), this.#stops), 1);
    t.copy_(cache.ended, t.logicalOr(cache.ended, stopped));
    t.copy_(outputs, t.where(t.eq(this.#places, this.#next), t.unsqueeze(next, 0), outputs));
    t.copy_(tokens, next);
    t.add_(this.#next, 1);
  }
}

/** Numbers of rows that batches are computed at: powers of two, then multiples of 16. */
function rowsFor(batch: number): number {
  return batch <= 16 ? 2 ** Math.ceil(Math.log2(Math.max(1, batch))) : roundUp(batch, 16);
}

const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/** Rows padded on the left -> the same rows from place 0 on, with anything after their end. */
function movedToFront(embeds: t.Tensor, lengths: t.Tensor, starts: t.Tensor): t.Tensor {
  const [batch, length, width] = [embeds.size(0), embeds.size(1), embeds.size(2)];
  const pads = t.unsqueeze(t.add(t.mul(lengths, -1), length), 1);
  const places = t.clamp(
    t.add(t.arange(0, length, 1, { device: embeds.device }), pads),
    undefined,
    length - 1,
  );
  const flat = t.reshape(t.add(places, t.unsqueeze(starts, 1)), [-1]);
  return t.view(t.indexSelect(t.reshape(embeds, [batch * length, width]), 0, flat), [batch, length, width]);
}

/** The first `count` tokens of each row, up to its first stop token. */
function answers(outputs: t.Tensor, count: number, batch: number, stops: ReadonlySet<number>): number[][] {
  const flat = t.narrow(outputs, 0, 0, count).toArray();
  const rows = outputs.size(1);
  return Array.from({ length: batch }, (_, row) => {
    const ids = Array.from({ length: count }, (_, step) => flat[step * rows + row]!);
    const end = ids.findIndex((id) => stops.has(id));
    return end < 0 ? ids : ids.slice(0, end);
  });
}
