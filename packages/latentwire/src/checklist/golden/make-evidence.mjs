/**
 * evidence.json from the folder of a checklist that ran with Slurm (docs/CHECKLIST.md); the GPU's part, where the
 * machine had none, is made up.
 *
 *   node packages/latentwire/src/checklist/golden/make-evidence.mjs FOLDER
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const folder = path.resolve(process.argv[2] ?? 'runs/checklist');
const GPU = {
  gpus: [
    {
      ...{ gpu: 0, samples: 44, utilization: 0.97, peakMemoryMib: 65_000, meanPowerW: 610, peakTemperatureC: 58 },
      throttled: 0,
    },
  ],
  fields: ['time', 'gpu', 'gpu_utilization', 'memory_used_mib', 'temperature_c', 'power_w', 'sm_clock_mhz'],
  ...{ steps: 60, step_seconds: 0.7, samples_per_second: 3000, data_wait: '1%' },
  batch: {
    ...{ batch_size: 2048, limited_by: 'target', capacity_bytes: 85e9, target_memory: 0.8 },
    ...{ predicted_bytes: 66e9, measured_bytes: 65e9, training_bytes: 65.5e9 },
  },
};

const evidence = { '4-utilisation': GPU };
for (const name of readdirSync(folder)) {
  const file = path.join(folder, name, 'evidence.json');
  if (!existsSync(file)) continue;
  const text = readFileSync(file, 'utf8').replaceAll(folder, 'runs/checklist').replaceAll(process.cwd(), '.');
  evidence[name] = JSON.parse(text, (key, value) =>
    // A report of statistics is long, and two lines of it are enough.
    key === 'report' && Array.isArray(value) ? value.slice(0, 8) : value,
  );
}
const sorted = Object.fromEntries(Object.entries(evidence).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(new URL('./evidence.json', import.meta.url), `${JSON.stringify(sorted)}\n`);
