/**
 * SVG, as Vega writes it, to one PDF page with embedded fonts, by PDFKit. Vega uses a small part of SVG (groups,
 * paths, rectangles, lines, text, clip rectangles), so this walks it directly. Why not a converter:
 * svg-to-pdfkit leaves standard fonts un-embedded, which paper checkers refuse; rsvg-convert is a system
 * program that is often not there. Equal SVG gives equal bytes: the document carries no date.
 */
import type PDFDocument from 'pdfkit';
import { LatentWireError } from '../../errors.js';
import { fontFiles } from './theme.js';

type Document = InstanceType<typeof PDFDocument>;

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (Element | string)[];
}

/** CSS pixels are 1/96 in, PDF points 1/72 in. */
const POINTS_PER_PIXEL = 72 / 96;
const FONTS = { regular: 'figure', semibold: 'figure-semibold' } as const;

/** @throws LatentWireError `internal` for SVG that Vega does not write */
export async function renderPdf(svg: string): Promise<Uint8Array> {
  const { default: Pdf } = await import('pdfkit');
  const root = parseSvg(svg);
  const width = Number.parseFloat(root.attributes.width ?? '0');
  const height = Number.parseFloat(root.attributes.height ?? '0');
  const document = new Pdf({
    size: [width * POINTS_PER_PIXEL, height * POINTS_PER_PIXEL],
    margin: 0,
    info: { Producer: 'LatentWire', Creator: 'LatentWire', CreationDate: new Date(0) },
  });
  const [regular, semibold] = fontFiles();
  document.registerFont(FONTS.regular, regular!);
  document.registerFont(FONTS.semibold, semibold!);
  const chunks: Buffer[] = [];
  const finished = new Promise<void>((resolve, reject) => {
    document.on('data', (chunk: Buffer) => chunks.push(chunk));
    document.on('end', resolve);
    document.on('error', reject);
  });
  document.scale(POINTS_PER_PIXEL);
  const clips = new Map<string, Element>();
  collectClips(root, clips);
  for (const child of root.children) if (typeof child !== 'string') draw(document, child, {}, clips);
  document.end();
  await finished;
  return Buffer.concat(chunks);
}

/** Attributes that children inherit. */
type Style = Readonly<Record<string, string>>;

const INHERITED = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-miterlimit',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
];

function draw(document: Document, element: Element, style: Style, clips: ReadonlyMap<string, Element>): void {
  const { name, attributes, children } = element;
  if (name === 'defs' || name === 'title' || name === 'style') return;
  const own: Record<string, string> = { ...style };
  for (const key of INHERITED) if (attributes[key] !== undefined) own[key] = attributes[key];
  if (attributes.display === 'none' || attributes.visibility === 'hidden') return;
  document.save();
  transform(document, attributes.transform);
  const clip = /url\(#([^)]+)\)/.exec(attributes['clip-path'] ?? '')?.[1];
  const area =
    clip === undefined ? undefined : clips.get(clip)?.children.find((child) => typeof child !== 'string');
  if (area !== undefined && typeof area !== 'string' && outline(document, area)) document.clip();
  if (name === 'text') drawText(document, element, own);
  else if (outline(document, element)) paint(document, attributes, own);
  for (const child of children)
    if (typeof child !== 'string' && name !== 'text') draw(document, child, own, clips);
  document.restore();
}

/** Traces the shape; false when the element has none. */
function outline(document: Document, { name, attributes }: Element): boolean {
  const number = (key: string): number => Number.parseFloat(attributes[key] ?? '0');
  switch (name) {
    case 'path':
      if (!attributes.d) return false;
      document.path(attributes.d);
      return true;
    case 'rect':
      if (number('width') === 0 || number('height') === 0) return false;
      document.rect(number('x'), number('y'), number('width'), number('height'));
      return true;
    case 'line':
      document.moveTo(number('x1'), number('y1')).lineTo(number('x2'), number('y2'));
      return true;
    case 'circle':
      document.circle(number('cx'), number('cy'), number('r'));
      return true;
    case 'g':
    case 'svg':
      return false;
    default:
      throw new LatentWireError(`expected SVG as Vega writes it, got <${name}>`, { code: 'internal' });
  }
}

function paint(document: Document, attributes: Readonly<Record<string, string>>, style: Style): void {
  const opacity = Number(attributes.opacity ?? 1);
  const fill = visible(style.fill ?? 'black');
  const stroke = visible(style.stroke ?? 'none');
  const fillOpacity = opacity * Number(attributes['fill-opacity'] ?? 1);
  const strokeOpacity = opacity * Number(attributes['stroke-opacity'] ?? 1);
  if (stroke !== undefined) {
    document.lineWidth(Number(style['stroke-width'] ?? 1));
    const dash = (attributes['stroke-dasharray'] ?? '')
      .split(/[\s,]+/)
      .flatMap((part) => (part === '' ? [] : [Number(part)]));
    // A dash of [1, 0] is a whole line; PDF forbids only all zeros, but some readers draw gaps.
    if (dash.length > 0 && dash.some((length, i) => i % 2 === 1 && length > 0))
      document.dash(dash[0]!, { space: dash[1]! });
    if (dash.length > 2) (document.dash as unknown as (lengths: number[], options: object) => void)(dash, {});
    document.lineCap((attributes['stroke-linecap'] ?? 'butt') as 'butt');
    document.lineJoin((attributes['stroke-linejoin'] ?? 'miter') as 'miter');
  }
  document.fillOpacity(fillOpacity).strokeOpacity(strokeOpacity);
  if (fill !== undefined && stroke !== undefined) document.fillAndStroke(fill, stroke);
  else if (fill !== undefined) document.fill(fill);
  else if (stroke !== undefined) document.stroke(stroke);
  else (document as unknown as { addContent(text: string): void }).addContent('n'); // Ends the path unpainted.
}

function drawText(document: Document, element: Element, style: Style): void {
  const { attributes, children } = element;
  const size = Number.parseFloat(style['font-size'] ?? '11');
  const bold = style['font-weight'] === 'bold' || Number(style['font-weight']) >= 600;
  document.font(bold ? FONTS.semibold : FONTS.regular).fontSize(size);
  document.fillOpacity(Number(attributes.opacity ?? 1) * Number(attributes['fill-opacity'] ?? 1));
  document.fillColor(visible(style.fill ?? 'black') ?? 'black');
  const lines = children.map((child) =>
    typeof child === 'string'
      ? { text: child, x: 0, dy: 0 }
      : {
          text: child.children.join(''),
          x: Number(child.attributes.x ?? 0),
          dy: Number.parseFloat(child.attributes.dy ?? '0'),
        },
  );
  let y = Number.parseFloat(attributes.y ?? '0');
  for (const { text, x, dy } of lines) {
    y += dy;
    const content = decode(text).trim();
    if (content === '') continue;
    const width = document.widthOfString(content);
    const anchor = style['text-anchor'] ?? 'start';
    const shift = anchor === 'middle' ? width / 2 : anchor === 'end' ? width : 0;
    // `baseline: alphabetic` puts y on the baseline, as SVG does.
    document.text(content, x + Number.parseFloat(attributes.x ?? '0') - shift, y, {
      lineBreak: false,
      baseline: 'alphabetic',
    });
  }
}

function transform(document: Document, text: string | undefined): void {
  for (const [, kind, list] of (text ?? '').matchAll(/(\w+)\(([^)]*)\)/g)) {
    const numbers = list!.split(/[\s,]+/).map(Number);
    if (kind === 'translate') document.translate(numbers[0] ?? 0, numbers[1] ?? 0);
    else if (kind === 'rotate') document.rotate(numbers[0] ?? 0);
    else if (kind === 'scale') document.scale(numbers[0] ?? 1, numbers[1] ?? numbers[0] ?? 1);
  }
}

function visible(colour: string): string | undefined {
  if (colour === 'none' || colour === 'transparent') return undefined;
  return colour;
}

function collectClips(element: Element, clips: Map<string, Element>): void {
  for (const child of element.children) {
    if (typeof child === 'string') continue;
    if (child.name === 'clipPath' && child.attributes.id !== undefined) clips.set(child.attributes.id, child);
    collectClips(child, clips);
  }
}

/** Well-formed XML without comments, CDATA or processing instructions, as Vega's renderer writes. */
function parseSvg(svg: string): Element {
  interface Open {
    readonly name: string;
    readonly attributes: Record<string, string>;
    readonly children: (Element | string)[];
  }
  const stack: Open[] = [{ name: '', attributes: {}, children: [] }];
  for (const [, text, closing, name, attributeText, empty] of svg.matchAll(
    /([^<]+)|<(\/?)([\w:-]+)((?:"[^"]*"|[^>"])*?)(\/?)>/g,
  )) {
    if (text !== undefined) {
      if (text.trim() !== '') stack.at(-1)!.children.push(text);
      continue;
    }
    if (closing === '/') {
      stack.pop();
      continue;
    }
    const attributes: Record<string, string> = {};
    for (const [, key, value] of (attributeText ?? '').matchAll(/([\w:-]+)="([^"]*)"/g))
      attributes[key!] = decode(value!);
    const element: Open = { name: name!, attributes, children: [] };
    stack.at(-1)!.children.push(element);
    if (empty !== '/') stack.push(element);
  }
  const root = stack[0]!.children.find((child) => typeof child !== 'string');
  if (root === undefined || typeof root === 'string' || root.name !== 'svg') {
    throw new LatentWireError('expected an SVG document', { code: 'internal' });
  }
  return root;
}

function decode(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
