/** `latentwire plan`: what a plan would run, and what it would cost. */
import path from 'node:path';
import type { CliCommand } from './command.js';
import { formatBytes, formatHours } from './format.js';
import { planOf } from './plan-arguments.js';

export const plan: CliCommand = {
  name: 'plan',
  summary: 'check an experiment plan; list its cells with estimated time and disk',
  settings: [],
  declare: (command) =>
    command
      .argument('<plan>', 'YAML file, e.g. experiments/main.yaml')
      .option('--dry-run', 'only show (this command never starts anything; the flag says so)')
      .option('--experiment-dir <folder>', 'folder of the run directories, in place of the one in the plan')
      .option('--runs-root <folder>', 'also take speeds from runs under this folder', 'runs'),
  async run(call) {
    const { estimatePlan, planStatus, readMeasurements } = await import('../experiments/index.js');
    const { renderTable } = await import('../results/tables/index.js');
    const { runsRoot } = call.options as { runsRoot: string };
    const loaded = await planOf(call);
    const earlier = readMeasurements([loaded.directory, runsRoot]);
    const estimate = estimatePlan(loaded, earlier);
    const states = new Map(planStatus(loaded).cells.map(({ name, state }) => [name, state.kind]));
    const rows = estimate.cells.map(({ cell, steps, seconds, diskBytes, basis }) => [
      cell.places[0]!.phase,
      cell.places[0]!.label + (cell.places.length > 1 ? ' *' : ''),
      cell.seed,
      cell.id.slice(0, 8),
      steps,
      formatHours(seconds / 3600),
      formatBytes(diskBytes),
      basis,
      states.get(cell.name),
    ]);
    const table = renderTable({
      columns: ['phase', 'cell', 'seed', 'id', 'steps', 'time', 'disk', 'estimate from', 'state'].map(
        (title) => ({
          title,
          align: ['seed', 'steps', 'time', 'disk'].includes(title) ? 'right' : 'left',
        }),
      ),
      rows,
    });
    const todo = estimate.cells.filter(({ cell }) => states.get(cell.name) !== 'done');
    const gpuHours = todo.reduce(
      (sum, { cell, seconds }) => sum + (seconds / 3600) * Math.max(1, cell.resources.gpus),
      0,
    );
    const bases = new Set(estimate.cells.map(({ basis }) => basis));
    const named = loaded.phases.reduce((sum, phase) => sum + phase.cells.length, 0);
    const text = [
      table,
      '',
      `${loaded.name}: ${named} cells × seeds asked for, ${loaded.cells.length} different runs, ${todo.length} to do`,
      ...loaded.notes.map((note) => `* ${note}`),
      `all: ${formatHours(estimate.hours)}, ${formatBytes(estimate.diskBytes)}; to do: ${formatHours(gpuHours)} on one GPU (or processor)`,
      ...(bases.has('assumed') ? [assumptionLine(loaded.assumptions)] : []),
      `runs: ${path.relative('.', loaded.directory) || '.'}`,
    ].join('\n');
    return {
      json: {
        plan: loaded.name,
        directory: loaded.directory,
        cells: estimate.cells.map(({ cell, ...rest }) => ({
          name: cell.name,
          id: cell.id,
          seed: cell.seed,
          places: cell.places,
          state: states.get(cell.name),
          ...rest,
        })),
        notes: loaded.notes,
        hours: estimate.hours,
        disk_bytes: estimate.diskBytes,
        assumptions: loaded.assumptions,
      },
      text,
    };
  },
};

function assumptionLine(assumed: {
  readonly examples_per_second: number;
  readonly questions_per_second: number;
  readonly start_seconds: number;
  readonly trainable_parameters: number;
}): string {
  return (
    `assumed until measured: ${assumed.examples_per_second} training examples/s, ${assumed.questions_per_second} questions/s per model and way of answering, ` +
    `${assumed.start_seconds} s to start, ${(assumed.trainable_parameters / 1e6).toFixed(1)} M trainable weights`
  );
}
