/** The tables of a report: the checklist's own, one row per component; all lines; all claims of the original. */
import path from 'node:path';
import { renderTable } from '../results/tables/index.js';
import { type ChecklistReport, type LineReport, MARKS, type SectionReport } from './run-checklist.js';

/** Component | Status | Evidence | Verification Command */
export function checklistTable(report: ChecklistReport, format: 'terminal' | 'markdown'): string {
  return renderTable(
    {
      columns: [
        { title: 'Component' },
        { title: 'Status' },
        { title: 'Evidence' },
        { title: 'Verification Command' },
      ],
      rows: report.sections.map((section) => [
        section.component,
        MARKS[section.status],
        evidenceOf(section, report.folder),
        `latentwire checklist --section ${section.number}, or ${section.command}`,
      ]),
    },
    format,
  );
}

/** How many lines are true; the figure that says most, or the first failure; where it was seen. */
function evidenceOf({ lines, status, headline }: SectionReport, folder: string): string {
  const of = (id: string): LineReport | undefined => lines.find((line) => line.id === id);
  const line =
    status === 'pass' && of(headline)?.status === 'pass'
      ? of(headline)
      : lines.find((each) => each.status === status);
  if (line === undefined) return '';
  const passed = lines.filter((each) => each.status === 'pass').length;
  const other = lines.filter((each) => each.status === 'not-applicable').length;
  const count = `${passed}/${lines.length - other}${other > 0 ? ` (+${other} ➖)` : ''}`;
  return `${count}: ${line.found}${line.evidence === null ? '' : ` [${place(line, folder)}]`}`;
}

/** Every line with what was found and where it was seen. */
export function linesText({ sections, folder }: ChecklistReport): string {
  return sections
    .map(({ number, component, lines, seconds }) => {
      const blocks = lines.map(
        (line) =>
          `${MARKS[line.status]} ${line.id} ${line.says}\n       ${line.found}${line.evidence === null ? '' : `\n       ${place(line, folder)}`}`,
      );
      return [`${number}. ${component} (${seconds.toFixed(0)} s)`, ...blocks].join('\n');
    })
    .join('\n\n');
}

/** What the original claimed, and the lines that make it true here. */
export function claimsTable({ claims }: ChecklistReport, format: 'terminal' | 'markdown'): string {
  return renderTable(
    {
      columns: [
        { title: 'claim', align: 'right' },
        { title: '' },
        { title: 'the original said' },
        { title: 'what its code did' },
        { title: 'lines here' },
      ],
      rows: claims.map(({ number, status, claim, original, lines }) => [
        number,
        status === undefined ? null : MARKS[status],
        ...[claim, original, lines.join(', ') || null],
      ]),
    },
    format,
  );
}

/** Relative where that is shorter. */
function place({ evidence }: LineReport, folder: string): string {
  const absolute = path.join(folder, evidence ?? '');
  const relative = path.relative(process.cwd(), absolute);
  return relative.startsWith('..') ? absolute : relative;
}
