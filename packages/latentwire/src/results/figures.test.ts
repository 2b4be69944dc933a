import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { drawRunFigures } from './draw-run-figures.js';
import { f1Bars } from './figures/f1-bars.js';
import { type LossPoint, lossCurve, neighbourMean } from './figures/loss-curve.js';
import { renderFigure, renderPng, renderSvg } from './figures/render.js';
import { textWidth } from './figures/text-width.js';
import type { FigureSpec } from './figures/theme.js';

const within = temporaryFolder();

const points: LossPoint[] = Array.from({ length: 3000 }, (_, i) => ({
  step: i + 1,
  loss: 2 + 8 * Math.exp(-i / 200) + 0.5 * Math.sin(i * 12.9898) + (i === 1234 ? 30 : 0),
}));
const bars = [
  { model: 'hub/tiny-llama', text: 0.95, token_budget: 0.2, no_context: 0.1, latent: 1 },
  { model: '/models/tiny-qwen2.gguf', text: 0.93, latent: 0 },
];

function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1]!);
}

/** Values of the main line as drawn. */
function valuesOf(spec: FigureSpec): { step: number; loss: number; series: string }[] {
  return (spec as unknown as { data: { values: { step: number; loss: number; series: string }[] } }).data
    .values;
}

describe('figures', () => {
  it('have identical bytes on every rendering, also after other figures', async () => {
    const specs = [
      lossCurve(points, { run: 'r' }),
      f1Bars(bars),
      f1Bars(bars.slice(0, 1), { subtitle: 's' }),
    ];
    const first = await Promise.all(specs.map(renderSvg));
    const again: string[] = [];
    for (const spec of [...specs].reverse()) again.unshift(await renderSvg(spec));
    expect(again).toEqual(first);
    const png = await renderPng(first[0]!);
    expect(Buffer.compare(png, await renderPng(first[0]!))).toBe(0);
  });

  it('are one paper column wide, in the font that comes with the package', async () => {
    for (const spec of [
      lossCurve(points, { run: 'x'.repeat(128) }),
      f1Bars(bars),
      f1Bars(bars.slice(0, 1)),
    ]) {
      const svg = await renderSvg(spec);
      expect(Number(/width="(\d+)"/.exec(svg)?.[1])).toBeLessThanOrEqual(345);
      expect(svg).toContain('font-family="IBM Plex Sans"');
      for (const [, size] of svg.matchAll(/font-size="(\d+)px"/g))
        expect(Number(size)).toBeGreaterThanOrEqual(10);
    }
  });

  it('draw text with that font: without it the picture would differ', async () => {
    const letters =
      '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><text y="15">Wire τ ≥ 4×</text></svg>';
    const blank = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"></svg>';
    expect(Buffer.compare(await renderPng(letters), await renderPng(blank))).not.toBe(0);
    expect(textWidth('iii', 10, false)).toBeLessThan(textWidth('WWW', 10, false));
    expect(textWidth('A', 1000, true)).toBe(672);
  });

  it('write both formats under one stem', async () => {
    await renderFigure(f1Bars(bars), within('f1'));
    expect(readFileSync(within('f1.svg'), 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(readFileSync(within('f1.png')).subarray(1, 4).toString()).toBe('PNG');
  });

  it('report a specification that does not compile as ours to fix', async () => {
    await expect(renderSvg({ mark: 'nonsense' } as unknown as FigureSpec)).rejects.toMatchObject({
      code: 'internal',
    });
  });
});

describe('loss curve', () => {
  it('thins long runs but keeps every spike', () => {
    const drawn = valuesOf(lossCurve(points)).filter(({ series }) => series === 'each step');
    expect(drawn.length).toBeLessThanOrEqual(1202);
    expect(Math.max(...drawn.map(({ loss }) => loss))).toBe(Math.max(...points.map(({ loss }) => loss)));
    const steps = drawn.map(({ step }) => step);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
  });

  it('smooths with the mean of neighbours', () => {
    expect(neighbourMean([0, 3, 6, 9, 12, 0], 2)).toEqual([0, 3, 6, 6, 27 / 4, 7]);
    expect(neighbourMean([5], 2)).toEqual([5]);
    const [, label] = new Set(valuesOf(lossCurve(points)).map(({ series }) => series));
    expect(label).toBe('mean of 101 steps');
  });

  it('is drawn for one step, for equal losses and around losses that are not finite', async () => {
    for (const losses of [[3], [3, 3, 3], [Number.NaN, 2, Number.POSITIVE_INFINITY, 1]]) {
      const svg = await renderSvg(lossCurve(losses.map((loss, i) => ({ step: i + 1, loss }))));
      expect(svg).not.toMatch(/NaN|Infinity/);
      expect(texts(svg)).toContain('Training loss');
    }
  });
});

describe('F1 bars', () => {
  it('label every bar with its value, and what was not measured as such', async () => {
    const all = texts(await renderSvg(f1Bars(bars)));
    for (const text of ['95.0', '20.0', '10.0', '100.0', '93.0', '0.0', 'tiny-llama', 'tiny-qwen2']) {
      expect(all).toContain(text);
    }
    expect(all.filter((text) => text === 'not measured')).toHaveLength(2);
  });

  it('leave out ways of answering that no model was measured with', async () => {
    const all = texts(await renderSvg(f1Bars([{ model: 'm', text: 0.5 }])));
    expect(all).toContain('full text');
    expect(all).not.toContain('no context');
  });
});

describe('figures of a run', () => {
  const run = within('runs', 'exp');
  const file = (...parts: string[]) => within('runs', 'exp', ...parts);

  it('are drawn from its diagnostics and metrics, and only where there are data', async () => {
    mkdirSync(file('logs'), { recursive: true });
    await drawRunFigures(run);
    expect(existsSync(file('figures', 'loss.png'))).toBe(false);

    writeFileSync(
      file('logs', 'diagnostics.jsonl'),
      '{"step":1,"loss":3}\n{"step":2,"loss":"NaN"}\n{"step":3}\n',
    );
    await drawRunFigures(run);
    expect(existsSync(file('figures', 'loss.png'))).toBe(true);
    expect(existsSync(file('figures', 'f1.png'))).toBe(false);

    const metrics = {
      dataset: 'squad',
      samples: 10,
      latent: { m: { em: 0.1, f1: 0.25 } },
      text: { m: { em: 0.5, f1: 0.75 } },
    };
    writeFileSync(file('logs', 'metrics.json'), JSON.stringify(metrics));
    await drawRunFigures(run);
    const all = texts(readFileSync(file('figures', 'f1.svg'), 'utf8'));
    expect(all).toEqual(expect.arrayContaining(['25.0', '75.0', 'm · squad, 10 questions']));
  });
});
