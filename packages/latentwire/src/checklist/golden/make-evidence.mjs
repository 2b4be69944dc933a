/**
 * evidence.json from the folder of a checklist that ran with Slurm (docs/CHECKLIST.md). Where its machine had no GPU, the
 * GPU's part stays as it is: that of a run on an H100.
 *
 *   node packages/latentwire/src/checklist/golden/make-evidence.mjs FOLDER
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const folder = path.resolve(process.argv[2] ?? 'runs/checklist');
const file = new URL('./evidence.json', import.meta.url);
const { '4-utilisation': utilisation } = JSON.parse(readFileSync(file, 'utf8'));

const evidence = { '4-utilisation': utilisation };
for (const name of readdirSync(folder)) {
  const found = path.join(folder, name, 'evidence.json');
  if (!existsSync(found)) continue;
  const text = readFileSync(found, 'utf8').replaceAll(folder, 'runs/checklist').replaceAll(process.cwd(), '.');
  evidence[name] = JSON.parse(text, (key, value) =>
    // A report of statistics is long, and two lines of it are enough.
    key === 'report' && Array.isArray(value) ? value.slice(0, 8) : value,
  );
}
const sorted = Object.fromEntries(Object.entries(evidence).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(sorted)}\n`);
