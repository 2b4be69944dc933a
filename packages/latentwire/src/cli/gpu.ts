/** `latentwire gpu`: how busy the GPUs of a run were while it trained, and whether that is enough. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

export const gpu: CliCommand = {
  name: 'gpu',
  summary: 'GPU utilisation of a run while it trained; --min-utilization fails when it was lower',
  declare: (command) =>
    command
      .argument('<run>', 'run directory')
      .option('--min-utilization <share>', 'least mean utilisation, 0 to 1', Number),
  async run({ args, options }) {
    const { readDiagnostics, readMonitorRows, runPaths, runLocation, summariseGpus, trainingWindows } =
      await import('../telemetry/index.js');
    const { renderTable } = await import('../results/index.js');
    const { root, name } = runLocation(args[0] ?? '');
    const paths = runPaths(root, name);
    if (!existsSync(paths.logs)) {
      throw new LatentWireError(`expected a run directory, got ${path.join(root, name)}`, { code: 'input' });
    }
    const steps = existsSync(paths.diagnostics) ? readDiagnostics(paths.diagnostics) : [];
    const gpus = summariseGpus(readMonitorRows(paths.logs), trainingWindows(steps));
    const least = (options as { minUtilization?: number }).minUtilization;
    const low = least === undefined ? [] : gpus.filter(({ utilization }) => utilization < least);
    if (low.length > 0) {
      throw new LatentWireError(
        `expected a mean utilisation of at least ${least}, got ${low.map((g) => `${g.utilization.toFixed(3)} on GPU ${g.gpu}`).join(', ')}`,
        { code: 'state', hint: 'raise --batch-size or --num-workers' },
      );
    }
    const table = renderTable({
      columns: [
        { title: 'GPU' },
        { title: 'seconds' },
        { title: 'utilisation %', digits: 1 },
        { title: 'peak memory GiB', digits: 1 },
        { title: 'power W', digits: 0 },
        { title: 'peak °C' },
        { title: 'throttled %', digits: 1 },
      ],
      rows: gpus.map((g) => [
        g.gpu,
        g.samples,
        100 * g.utilization,
        g.peakMemoryMib === null ? null : g.peakMemoryMib / 1024,
        g.meanPowerW,
        g.peakTemperatureC,
        100 * g.throttled,
      ]),
    });
    return {
      json: { run: name, gpus },
      text: gpus.length === 0 ? 'no GPU was watched during this run (it trained on the CPU?)' : table,
    };
  },
};
