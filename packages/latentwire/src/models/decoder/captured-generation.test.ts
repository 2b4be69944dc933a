/** Steps that are captured on a GPU, rehearsed here: the tokens of plain steps, and calls that repeat their recording. */
import * as t from '@latentwire/torch';
import { afterAll, describe, expect, it } from 'vitest';
import { CapturedGeneration } from './captured-generation.js';
import { generate, releaseGeneration } from './generate.js';
import { CASES, loadFixture, readGolden } from './golden/fixture.js';
import type { LanguageModel } from './language-model.js';

afterAll(() => releaseGeneration());

/** Embeddings and mask of rows padded on the left. */
function prompts(model: LanguageModel, rows: number[][]): { embeds: t.Tensor; valid: t.Tensor } {
  const { device } = model;
  const length = Math.max(...rows.map((row) => row.length));
  const pads = rows.map((row) => length - row.length);
  const ids = rows.map((row, r) => [...new Array<number>(pads[r]!).fill(5), ...row]);
  return {
    embeds: model.embed(t.tensor(ids, { dtype: 'int64', device })),
    valid: t.tensor(
      pads.map((pad) => Array.from({ length }, (_, i) => i >= pad)),
      { device },
    ),
  };
}

describe.each(CASES)('%s on %s, as it is captured', (family, device) => {
  const golden = readGolden(family);
  const model = loadFixture(family, { device });
  const steps = device === 'cpu' ? 'rehearse' : 'capture';
  afterAll(() => model.dispose());
  const [first, second] = golden.ids as [number[], number[]];
  const newTokens = golden.greedy[0]!.length;

  it('chooses the tokens that transformers chooses, with and without padding', () => {
    t.scope(() => {
      const whole = prompts(model, golden.ids);
      const options = { maxNewTokens: newTokens, stopIds: [], steps } as const;
      expect(generate(model, whole.embeds, options)).toEqual(golden.greedy);
      expect(generate(model, whole.embeds, { ...options, valid: whole.valid })).toEqual(golden.greedy);
      const padded = prompts(model, [first, second.slice(0, golden.short)]);
      expect(generate(model, padded.embeds, { ...options, valid: padded.valid })).toEqual(
        golden.greedyPadded,
      );
    });
  });

  it('keeps buffers over batches of other sizes and lengths, and rows do not see each other', () => {
    t.scope(() => {
      const rows = [first, second.slice(0, 7), second.slice(3, 4), first.slice(2, 11), second];
      const options = { maxNewTokens: newTokens, stopIds: [], steps } as const;
      const alone = rows.map(
        (row) => generate(model, prompts(model, [row]).embeds, { ...options, steps: 'plain' })[0],
      );
      for (const some of [
        [0, 1, 2, 3, 4],
        [2, 1],
        [4, 2, 3],
        [1, 2, 3],
      ]) {
        const { embeds, valid } = prompts(
          model,
          some.map((i) => rows[i]!),
        );
        expect(generate(model, embeds, { ...options, valid })).toEqual(some.map((i) => alone[i]));
      }
    });
  });
});

describe('captured generation', () => {
  const golden = readGolden('mistral');
  const model = loadFixture('mistral');
  afterAll(() => model.dispose());
  const [first, second] = golden.greedy as [number[], number[]];
  const run = (maxNewTokens: number, stopIds: number[]): number[][] =>
    t.scope(() =>
      generate(model, prompts(model, golden.ids).embeds, { maxNewTokens, stopIds, steps: 'rehearse' }),
    );

  it('ends rows before their stop tokens, and all of them when every row has ended', () => {
    const stop = first.find((id) => !second.includes(id))!;
    expect(run(8, [stop])).toEqual([first.slice(0, first.indexOf(stop)), second]);
    expect(run(1000, [first[0]!, second[0]!])).toEqual([[], []]);
    expect(run(3, [])).toEqual([first.slice(0, 3), second.slice(0, 3)]);
    expect(run(1, [])).toEqual([first.slice(0, 1), second.slice(0, 1)]);
    expect(run(0, [])).toEqual([[], []]);
  });

  it('takes plain steps for more stop tokens than it has room for', () => {
    const many = Array.from({ length: 40 }, (_, i) => 10_000 + i);
    expect(run(8, many)).toEqual(golden.greedy);
  });

  it('makes steps that repeat their recording, and leaves no tensor behind', () => {
    releaseGeneration();
    const before = t.liveTensors();
    t.scope(() => {
      using generation = new CapturedGeneration(
        model,
        { rows: 2, positions: 40, newTokens: 20, dtype: model.dtype },
        'rehearse',
      );
      const request = { maxNewTokens: 20, stopIds: [], valid: null };
      const { embeds } = prompts(model, golden.ids);
      generation.generate(embeds, request);
      const alive = t.liveTensors();
      generation.generate(embeds, request);
      expect(t.liveTensors()).toBe(alive);
      expect(generation.counts).toEqual({ plain: 1, recorded: 1, launched: 36, mismatches: 0 });
    });
    expect(t.liveTensors()).toBe(before);
  });
});
