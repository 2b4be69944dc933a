import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyAssignments } from '../config/index.js';
import { LatentLayout } from '../wire/index.js';
import { type StagePlan, stageAt, stagePlan } from './stages.js';

const off = { weight: 0, warmup: 0 };
const plan: StagePlan = {
  latents: 32,
  startExpansion: 150 / 32,
  pretrainShare: 0.4,
  descentLevels: 16,
  handoverShare: 0.1,
  descentAnswerWeight: 0,
  reconstructionWeight: 0.3,
  alignmentWeight: 0,
  firstToken: { weight: 0.5, warmup: 0 },
  kToken: off,
  kd: { weight: 2, warmup: 0.5 },
  manifold: off,
  roundedFrom: 0,
};

const share = fc.double({ min: 0, max: 0.999, noNaN: true });

describe('stageAt', () => {
  it('lets answers take part in the descent where they are given a weight', () => {
    const withAnswers = { ...plan, descentAnswerWeight: 0.5 };
    for (const progress of [0.2, 0.4]) {
      const { weights } = stageAt(withAnswers, progress * plan.pretrainShare + 0.05);
      expect([weights.answer, weights.reconstruction]).toEqual([0.5, 1]);
    }
    expect(stageAt(withAnswers, 0).weights.answer).toBe(0);
  });

  it('goes through alignment, descent, reconstruction, hand-over and answers, in this order', () => {
    const names = Array.from({ length: 1000 }, (_, i) => stageAt(plan, i / 1000).name);
    const order = ['alignment', 'descent', 'reconstruction', 'handover', 'answers'];
    expect([...new Set(names)]).toEqual(order);
    expect(names.map((name) => order.indexOf(name))).toEqual(
      names.map((name) => order.indexOf(name)).toSorted(),
    );
    expect(names.filter((name) => name === 'handover')).toHaveLength(100);
    expect(names.filter((name) => name === 'answers')).toHaveLength(500);
  });

  it('descends from one latent per token to M and never goes up (property)', () => {
    fc.assert(
      fc.property(share, share, (a, b) => {
        const [early, late] = [stageAt(plan, Math.min(a, b)), stageAt(plan, Math.max(a, b))];
        expect(late.expansion).toBeLessThanOrEqual(early.expansion);
        expect(late.expansion).toBeGreaterThanOrEqual(1);
      }),
    );
    expect(stageAt(plan, 0).latents).toBe(150);
    expect(stageAt(plan, 0.39).latents).toBe(32);
  });

  it('hands over without a jump: answers rise from little, reconstruction falls from its full weight', () => {
    const [before, first, half, last] = [0.39999, 0.4, 0.45, 0.5].map((at) => stageAt(plan, at).weights);
    expect(before).toMatchObject({ answer: 0, reconstruction: 1 });
    expect(first).toMatchObject({ answer: 0.05, reconstruction: 1 });
    expect(half!.answer).toBeCloseTo(0.525, 10);
    expect(half!.reconstruction).toBeCloseTo(0.65, 10);
    expect(last).toMatchObject({ answer: 1, reconstruction: 0.3, firstToken: 0.5 });
  });

  it('raises a weight from 0 over its warm-up and then keeps it', () => {
    const kd = (at: number): number => stageAt({ ...plan, handoverShare: 0 }, at).weights.kd;
    expect([kd(0.4), kd(0.55), kd(0.7), kd(0.99)].map((x) => Number(x.toFixed(6)))).toEqual([0, 1, 2, 2]);
  });

  it('gives every step something to learn (property)', () => {
    fc.assert(
      fc.property(share, share, share, (progress, pretrainShare, handoverShare) => {
        const { weights } = stageAt({ ...plan, pretrainShare, handoverShare }, progress);
        expect(Object.values(weights).some((weight) => weight > 0)).toBe(true);
        expect(Object.values(weights).every((weight) => weight >= 0)).toBe(true);
      }),
    );
  });

  it('trains answers from the first step when the reconstruction is turned off', () => {
    const stage = stageAt({ ...plan, reconstructionWeight: 0 }, 0);
    expect(stage).toMatchObject({ name: 'answers', latents: 32, expansion: 1 });
    expect(stage.weights).toMatchObject({ alignment: 0, reconstruction: 0, answer: 1 });
  });

  it('needs no descent when texts are shorter than M', () => {
    expect(stageAt({ ...plan, startExpansion: 10 / 32 }, 0.1).expansion).toBe(1);
  });

  it('rounds from the asked share of the run on, in whatever stage that is', () => {
    for (const roundedFrom of [0, 0.2, 0.45, 0.7, 1]) {
      const rounded = Array.from(
        { length: 100 },
        (_, i) => stageAt({ ...plan, roundedFrom }, i / 100).rounded,
      );
      expect(rounded.indexOf(true)).toBe(roundedFrom === 1 ? -1 : Math.round(roundedFrom * 100));
      expect(rounded.filter((r) => r)).toHaveLength(Math.round((1 - roundedFrom) * 100));
    }
  });
});

describe('stagePlan', () => {
  const layout = new LatentLayout({ slots: 8, ratio: null, privateLen: 0, readers: 1 });
  const config = (values: Record<string, unknown>) =>
    applyAssignments(Object.entries(values).map(([path, value]) => ({ path, value, origin: 'test' })));

  it('turns distillation off by its flag or by its weight', () => {
    const kd = (values: Record<string, unknown>): number =>
      stagePlan(config(values), layout, 40, Number.POSITIVE_INFINITY).kd.weight;
    expect(kd({ 'objective.kd_weight': 1.5 })).toBe(1.5);
    expect(kd({ 'objective.kd_weight': 1.5, 'objective.disable_kd': true })).toBe(0);
    expect(kd({ 'objective.kd_weight': 0 })).toBe(0);
  });

  it('starts with about one latent per token, and with no more than an encoder can tell apart', () => {
    expect(stagePlan(config({}), layout, 40, Number.POSITIVE_INFINITY).startExpansion).toBe(5);
    expect(stagePlan(config({}), layout, 40, 16).startExpansion).toBe(2);
  });
});
