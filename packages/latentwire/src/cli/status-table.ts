/** An experiment's status as people read it. */
import type { CellStatus, ExperimentStatus } from '../experiments/index.js';
import type { QueueStatus } from '../experiments/slurm-plan/index.js';
import { formatHours } from './format.js';
import { stuckLines } from './stuck-jobs.js';

const ORDER = ['running', 'failed', 'preempted', 'queued', 'done'] as const;
const LONGEST = 30;

/** @param options `onlyOpen`: leave out what is done; `limit`: rows at most; `queue`: what Slurm says */
export async function statusTable(
  status: ExperimentStatus,
  options: {
    readonly onlyOpen?: boolean;
    readonly limit?: number;
    readonly queue?: QueueStatus | undefined;
  } = {},
): Promise<string> {
  const { counts, cells, etaSeconds, others } = status;
  const shown = cells
    .filter(({ state }) => options.onlyOpen !== true || state.kind !== 'done')
    .sort((a, b) => ORDER.indexOf(a.state.kind) - ORDER.indexOf(b.state.kind));
  const limit = options.limit ?? shown.length;
  const { queue } = options;
  const jobs = Object.values(queue?.cells ?? {});
  const summary = [
    ORDER.map((kind) => `${counts[kind]} ${kind}`).join(', '),
    ...(etaSeconds === undefined ? [] : [`about ${formatHours(etaSeconds / 3600)} left`]),
    ...(jobs.length === 0 ? [] : [`${jobs.length} in the Slurm queue`]),
    ...(queue?.trouble === undefined ? [] : [`of Slurm nothing is known (${queue.trouble})`]),
  ].join('; ');
  if (shown.length === 0) return summary;
  const { renderTable } = await import('../results/tables/index.js');
  const table = renderTable({
    columns: [
      { title: 'cell' },
      { title: 'seed', align: 'right' },
      { title: 'state' },
      { title: 'step', align: 'right' },
      { title: 'attempts', align: 'right' },
      { title: 'ETA', align: 'right' },
      ...(jobs.length === 0 ? [] : [{ title: 'job' }]),
      { title: 'note' },
    ],
    rows: shown
      .slice(0, limit)
      .map((cell) => [
        cell.label,
        cell.seed,
        cell.state.kind,
        steps(cell),
        cell.attempts === 0 ? null : cell.attempts,
        cell.etaSeconds === undefined ? null : formatHours(cell.etaSeconds / 3600),
        ...(jobs.length === 0 ? [] : [jobOf(queue?.cells[cell.name])]),
        note(cell),
      ]),
  });
  const more = shown.length > limit ? [`… and ${shown.length - limit} more`] : [];
  const foreign =
    others.length === 0
      ? []
      : [
          `${others.length} runs here are not of this plan: ${others.slice(0, 3).join(', ')}${others.length > 3 ? ', …' : ''}`,
        ];
  const stuck = await stuckLines(jobs.map(({ job, state, reason }) => ({ id: job, state, reason })));
  return [table, ...more, '', summary, ...stuck, ...foreign].join('\n');
}

/** `12_3 PENDING (Resources)`. */
function jobOf(task: QueueStatus['cells'][string] | undefined): string | null {
  if (task === undefined) return null;
  const reason = task.state === 'PENDING' && task.reason !== null ? ` (${task.reason})` : '';
  return `${task.job ?? ''} ${task.state}${reason}`.trim();
}

function steps({ state, totalSteps }: CellStatus): string | null {
  if (state.kind === 'queued') return null;
  return totalSteps === undefined || totalSteps === 0 ? String(state.step) : `${state.step}/${totalSteps}`;
}

function note({ state, held, name }: CellStatus): string | null {
  switch (state.kind) {
    case 'running':
      return `${state.phase} on ${state.host}${state.orphan ? ', its runner is gone' : ''}`;
    case 'failed':
      return `${state.why}: ${state.error}`.slice(0, 160);
    case 'preempted':
      return held ?? (state.why.length > LONGEST ? `${state.why.slice(0, 140)}` : state.why);
    case 'queued':
      return held ?? null;
    case 'done':
      return name;
  }
}
