/**
 * `latentwire drill`: rehearses preemption, kill, a full disk and a damaged checkpoint on a real training, on this
 * machine, before anything is trusted to it.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LatentWireError, nearestName } from '../errors.js';
import type { CliCommand } from './command.js';

interface DrillFlags {
  readonly hits: string;
  readonly folder: string;
}

/** A training of seconds, for when no other is given. */
const SMALL = {
  'model.ids': ['bundled:tiny-llama'],
  'encoder.id': 'bundled:tiny-llama',
  'data.dataset': 'facts',
  'data.samples': 64,
  'wire.latent_len': 4,
  'wire.d_z': 16,
  'adapter.hidden': 32,
  'training.batch_size': 4,
  'training.grad_accum': 2,
  'training.max_steps': 12,
  'training.epochs': 4,
  'evaluation.eval_samples': 6,
  'evaluation.eval_batch_size': 3,
  'evaluation.max_new_tokens': 4,
  'evaluation.eval_modes': ['latent'],
} as const;

export const drill: CliCommand = {
  name: 'drill',
  summary:
    'hit a real training (preemption, kill, disk-full, corrupt), let it go on, compare with one left alone',
  settings: 'all',
  declare: (command) =>
    command
      .argument('<drills...>', 'preemption, kill, disk-full, corrupt, or all')
      .option('--run', 'takes nothing: the settings that follow describe the training (default: a small one)')
      .option('--folder <dir>', 'where the runs of the drill go', 'runs/drill')
      .option('--hits <n>', 'how often preemption and kill hit', '3'),
  async run({ args, options, assignments, logger, debug }) {
    const { hits, folder } = options as unknown as DrillFlags;
    const { DRILLS, runDrill } = await import('../training/index.js');
    const { resolveConfig } = await import('../config/index.js');
    const { renderTable } = await import('../results/index.js');
    const { mkdirSync, rmSync, writeFileSync, existsSync, readdirSync } = await import('node:fs');
    const wanted = args.includes('all') ? DRILLS : args.map((name) => drillOf(name, DRILLS));
    if (existsSync(folder) && readdirSync(folder).length > 0) {
      throw new LatentWireError(`expected ${folder} to be empty or absent, found files in it`, {
        code: 'input',
        hint: 'name another with --folder',
      });
    }
    const fixed = Object.entries(SMALL).map(([place, value]) => ({ path: place, value, origin: 'drill' }));
    const config = resolveConfig({ assignments: [...fixed, ...assignments] });
    mkdirSync(folder, { recursive: true });
    const program = fileURLToPath(new URL('../../bin/latentwire.js', import.meta.url));
    const results = [];
    for (const name of wanted) {
      const place = path.resolve(folder, name);
      mkdirSync(place);
      const file = path.join(place, 'settings.yaml');
      writeFileSync(file, JSON.stringify(config));
      logger.info('drill', { name, folder: place });
      const command = [process.execPath, program, 'train', '--config', file] as const;
      results.push(
        await runDrill(name, {
          ...{ command: [...command], folder: place, hits: Number(hits) },
          onLine: (line) => (debug ? logger.debug(line) : undefined),
        }),
      );
    }
    const ok = results.every((result) => result.ok);
    const table = renderTable({
      columns: [{ title: 'drill' }, { title: 'check' }, { title: 'verdict' }, { title: 'found' }],
      rows: results.flatMap((result) =>
        result.checks.map((c) => [result.drill, c.name, c.ok ? 'ok' : 'FAILED', c.found]),
      ),
    });
    if (ok) rmSync(folder, { recursive: true, force: true });
    const verdict = ok ? 'all drills passed' : `failed; the runs are kept in ${folder}`;
    return { json: { ok, results }, text: `${table}\n${verdict}`, exitCode: ok ? 0 : 1 };
  },
};

function drillOf<T extends string>(name: string, known: readonly T[]): T {
  const found = known.find((each) => each === name);
  if (found !== undefined) return found;
  const near = nearestName(name, known);
  throw new LatentWireError(`expected a drill (${known.join(', ')}, all), got ${JSON.stringify(name)}`, {
    code: 'input',
    ...(near !== undefined && { hint: `did you mean ${near}?` }),
  });
}
