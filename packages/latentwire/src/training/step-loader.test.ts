import * as t from '@latentwire/torch';
import { describe, expect, it, vi } from 'vitest';
import { applyAssignments } from '../config/index.js';
import type * as LoaderModule from '../data/loader/index.js';
import type { BatchLoaderOptions } from '../data/loader/index.js';
import {
  type ComposedStep,
  type ComposeRequest,
  type ComposerData,
  createComposer,
} from './batch-composer.js';
import { stepDraws } from './draws.js';
import type { Stage } from './stages.js';
import { requireSameLead, StepLoader } from './step-loader.js';
import { everyTerm, tinySession } from './tiny-session.fixture.js';

// Threads cannot run TypeScript: the same requests at the same times, composed in this thread.
vi.mock('../data/loader/index.js', async (original) => ({
  ...(await original<typeof LoaderModule>()),
  BatchLoader: class {
    readonly #asked: ComposeRequest[] = [];
    readonly #compose: ReturnType<typeof createComposer>;
    constructor(private readonly options: BatchLoaderOptions<ComposerData, ComposeRequest>) {
      this.#compose = createComposer(options.data);
      this.#askAhead(0);
    }
    #taken = 0;
    #askAhead(taken: number): void {
      const { start, end, workers, prefetch, request } = this.options;
      const window = Math.min(end, start + taken + workers * prefetch);
      while (start + this.#asked.length < window) this.#asked.push(request(start + this.#asked.length));
    }
    async next(): Promise<ComposedStep> {
      const composed = this.#compose(this.#asked[this.#taken++]!);
      this.#askAhead(this.#taken);
      return composed;
    }
    async close(): Promise<void> {}
  },
}));

const config = applyAssignments(
  Object.entries({ 'training.num_workers': 2, 'training.prefetch_factor': 2 }).map(([path, value]) => ({
    path,
    value,
    origin: 'test',
  })),
);
const stageOf = (expansion: number): Stage => ({
  name: 'descent',
  weights: { ...everyTerm, kd: 0 },
  expansion,
  latents: expansion,
  rounded: true,
});

describe('the loader of steps', () => {
  it('gives each step the stage of the moment its batches were asked for, and batches of that stage', async () => {
    const { data, wire } = tinySession(5, 12);
    const root = new t.random.RandomRoot(1);
    let expansion = 3;
    const asked: number[] = [];
    const loader = new StepLoader({
      ...{ config, data, root, layout: wire.layout, multiples: {}, start: 4, end: 14 },
      draws: stepDraws(config, root, 1),
      microBatches: (step) => [[step % 12, (step + 1) % 12]],
      stage: (step) => {
        asked.push(step);
        return stageOf(expansion);
      },
    });
    const seen: number[] = [];
    for (let step = 4; step < 14; step++) {
      // A clock that moves on with each step.
      expansion = step < 6 ? 3 : 1;
      const { stage, composed } = await loader.take(step);
      expect(composed.step.stage).toBe(stage);
      expect(Math.max(...composed.batches[0]!.shared)).toBe(wire.layout.slots * stage.expansion);
      seen.push(stage.expansion);
    }
    await loader.close();
    // Four ahead: what was asked for at steps 4 and 5 keeps its stage.
    expect(seen).toEqual([3, 3, 3, 3, 3, 3, 1, 1, 1, 1]);
    expect(asked).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });
});

describe('ranks under a time limit', () => {
  it('must ask for batches at the same steps', async () => {
    const saying = (...leads: number[]) => ({ meet: async () => leads as never });
    await requireSameLead(saying(4, 4), config);
    await expect(requireSameLead(saying(4, 0), config)).rejects.toThrow(
      /as many batches ahead as rank 0: 4, but rank 1 has 0/,
    );
  });
});
