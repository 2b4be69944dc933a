/**
 * One HTML file that needs nothing else: figures are inline SVG, the figure font is embedded, no script, no
 * request. Readable on screen in light and dark, and on paper.
 */
import { readFileSync } from 'node:fs';
import { FONT_FAMILY, fontFiles } from '../figures/theme.js';
import { html } from './report-table.js';

export interface PageFigure {
  readonly id: string;
  readonly caption: string;
  readonly svg: string;
}

export interface PageSection {
  readonly title: string;
  /** HTML already. */
  readonly body: string;
}

export function renderPage(title: string, lead: readonly string[], sections: readonly PageSection[]): string {
  const nav = sections
    .map((section) => `<a href="#${idOf(section.title)}">${html(section.title)}</a>`)
    .join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>
${fontFaces()}
${STYLE}
</style>
</head>
<body>
<header>
<h1>${html(title)}</h1>
${lead.map((line) => `<p>${html(line)}</p>`).join('\n')}
<nav>${nav}</nav>
</header>
<main>
${sections.map((section) => `<section id="${idOf(section.title)}">\n<h2>${html(section.title)}</h2>\n${section.body}\n</section>`).join('\n')}
</main>
</body>
</html>
`;
}

/** Figures side by side where there is room. */
export function figureGrid(figures: readonly PageFigure[]): string {
  const items = figures.map(
    ({ id, caption, svg }) =>
      `<figure class="plot" id="figure-${html(id)}">\n${scoped(svg, id)}\n<figcaption>${html(caption)}</figcaption>\n</figure>`,
  );
  return `<div class="plots">\n${items.join('\n')}\n</div>`;
}

/** Ids inside an SVG are global to a page: each figure gets its own. */
function scoped(svg: string, id: string): string {
  return svg
    .trim()
    .replaceAll(/id="([^"]+)"/g, `id="${id}-$1"`)
    .replaceAll(/url\(#([^)]+)\)/g, `url(#${id}-$1)`);
}

function idOf(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}

function fontFaces(): string {
  return fontFiles()
    .map((file, i) => {
      const data = readFileSync(file).toString('base64');
      return `@font-face{font-family:"${FONT_FAMILY}";font-weight:${i === 0 ? 400 : 600};src:url(data:font/ttf;base64,${data}) format("truetype")}`;
    })
    .join('\n');
}

const STYLE = `
:root{--ink:#1c1c1c;--soft:#5a5a5a;--line:#d9d9d9;--paper:#fff;--tint:#f5f6f7;--accent:#0072B2}
@media (prefers-color-scheme:dark){:root{--ink:#ececec;--soft:#a9a9a9;--line:#3a3d40;--paper:#17191b;--tint:#212427;--accent:#56B4E9}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 "${FONT_FAMILY}",system-ui,sans-serif}
header,main{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
h1{font-size:28px;line-height:1.2;margin:0 0 8px;font-weight:600}
h2{font-size:20px;margin:44px 0 12px;font-weight:600}
header p{margin:0 0 6px;color:var(--soft);max-width:75ch}
nav{display:flex;flex-wrap:wrap;gap:6px 18px;margin-top:16px;padding-bottom:12px;border-bottom:1px solid var(--line)}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:24px;align-items:start}
figure{margin:0}
figure.plot svg{display:block;width:100%;height:auto;max-width:420px;background:#fff;border:1px solid var(--line);border-radius:4px}
figcaption{color:var(--soft);font-size:14px;margin:8px 0}
figure.table{margin-bottom:24px}figure.table figcaption{color:var(--ink);font-weight:600;font-size:15px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px;border-top:2px solid var(--ink);border-bottom:2px solid var(--ink)}
th,td{padding:4px 12px;text-align:right;white-space:nowrap}
th:first-child,td:first-child{padding-left:4px}
th.left,td.left{text-align:left}
thead th{border-bottom:1px solid var(--ink);font-weight:600}
tr.part th{text-align:left;font-weight:400;font-style:italic;color:var(--soft);padding-top:10px}
tbody tr:hover td{background:var(--tint)}
.note{color:var(--soft);font-size:13px;margin:4px 0;max-width:90ch}
ul{padding-left:20px}li{margin:2px 0}
details summary{cursor:pointer;color:var(--accent)}
code{font:13px ui-monospace,monospace}
@media print{nav{display:none}body{font-size:11px}header,main{max-width:none}.plots{grid-template-columns:1fr 1fr}section{break-inside:avoid-page}}
`;
