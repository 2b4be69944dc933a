/**
 * Specification → SVG (Vega-Lite, without a browser or canvas) → PNG (resvg). Equal specifications give equal
 * bytes. The renderers are loaded on first use: they are large, and most commands draw nothing.
 */
import { LatentWireError } from '../../errors.js';
import { writeFileAtomic } from '../../telemetry/index.js';
import { textWidth } from './text-width.js';
import { type FigureSpec, FONT_FAMILY, fontFiles, PNG_SCALE, theme } from './theme.js';

/**
 * Writes `<stem>.svg` and `<stem>.png`, each atomically.
 * @param stem path without extension
 * @throws LatentWireError `internal` (a specification that does not compile) or `io`.
 */
export async function renderFigure(spec: FigureSpec, stem: string): Promise<void> {
  const svg = await renderSvg(spec);
  const png = await renderPng(svg);
  writeFileAtomic(`${stem}.svg`, svg);
  writeFileAtomic(`${stem}.png`, png);
}

/** The figure as an SVG document. @throws LatentWireError `internal` when the specification does not compile. */
export async function renderSvg(spec: FigureSpec): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  try {
    measureWithFigureFont(vega);
    vega.resetSVGDefIds();
    const compiled = compile({ ...spec, config: { ...theme, ...spec.config } }, { logger: silent });
    const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logLevel: vega.Error });
    const svg = await view.toSVG();
    view.finalize();
    return `${svg}\n`;
  } catch (error) {
    throw new LatentWireError(`cannot draw a figure: ${(error as Error).message}`, {
      code: 'internal',
      cause: error,
    });
  }
}

/** The SVG as PNG pixels, with the package's font only. */
export async function renderPng(svg: string, scale: number = PNG_SCALE): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js');
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: scale },
    font: { fontFiles: fontFiles(), loadSystemFonts: false, defaultFontFamily: FONT_FAMILY },
  });
  return image.render().asPng();
}

/** A text mark, as far as its width depends on it. */
interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: number | string;
  /** Longest width; longer text is cut. */
  readonly limit?: number;
}

/** Vega's hook for hosts without a canvas; its types do not list it. */
function measureWithFigureFont(vega: object): void {
  const { textMetrics } = vega as { textMetrics: { width: (item: TextItem, text: unknown) => number } };
  textMetrics.width = ({ fontSize = 11, fontWeight = 400, limit = 0 }, text) => {
    const bold = fontWeight === 'bold' || Number(fontWeight) >= 600;
    const width = textWidth(String(text ?? '').trim(), fontSize, bold);
    return limit > 0 ? Math.min(limit, width) : width;
  };
}

const silent = {
  level() {
    return silent;
  },
  error: () => silent,
  warn: () => silent,
  info: () => silent,
  debug: () => silent,
};
