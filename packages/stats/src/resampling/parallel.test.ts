/**
 * Protects "the same result for any number of threads" on real workers: the package is compiled to a scratch folder,
 * because workers cannot load TypeScript.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Purpose } from '../random/index.js';
import type { bootstrapCI as BootstrapCI } from './bootstrap.js';
import { runTask, type Task } from './tasks.js';

const repository = fileURLToPath(new URL('../../../../', import.meta.url));
const sources = fileURLToPath(new URL('../', import.meta.url));
let scratch = '';
let bootstrapCI: typeof BootstrapCI;

beforeAll(async () => {
  const cache = join(repository, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  scratch = mkdtempSync(join(cache, 'latentwire-stats-test-'));
  writeFileSync(join(scratch, 'package.json'), '{"type":"module"}');
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  const target = ['--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', '--types', 'node'];
  const flags = ['--outDir', scratch, '--rootDir', sources, '--noCheck', '--ignoreConfig', ...target];
  const entries = ['bootstrap.ts', 'worker.ts'].map((file) => join(sources, 'resampling', file));
  execFileSync(process.execPath, [tsc, ...flags, ...entries]);
  ({ bootstrapCI } = (await import(/* @vite-ignore */ join(scratch, 'resampling', 'bootstrap.js'))) as {
    bootstrapCI: typeof BootstrapCI;
  });
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('threads', () => {
  const data = Array.from({ length: 3000 }, (_, i) => Math.sin(i) + (i % 7));

  it.each(['mean', 'median', 'std'] as const)(
    '1, 2 and 3 threads give equal results for the %s',
    (statistic) => {
      const run = (threads: number): unknown =>
        bootstrapCI(data, { statistic, resamples: 1500, threads, seed: 5 });
      const single = run(1);
      expect(run(2)).toEqual(single);
      expect(run(3)).toEqual(single);
    },
  );
});

describe('tasks', () => {
  const n = 700;
  const values = Float64Array.from({ length: n }, (_, i) => Math.cos(i));
  const shared = { seed: 4, purpose: Purpose.bootstrap };
  const tasks: Task[] = [
    { ...shared, kind: 'sums', width: 1, strata: Int32Array.of(n), columns: values },
    { ...shared, kind: 'sums', width: 2, strata: Int32Array.of(n / 2), columns: values },
    { ...shared, kind: 'signs', width: 1, patternSums: values.subarray(0, 16 * 43) },
    { ...shared, kind: 'shuffle', width: 2, totals: values, sizes: values.map(() => 1), chosen: 300 },
    {
      ...shared,
      kind: 'order',
      width: 1,
      strata: Int32Array.of(n),
      cut: 0.5,
      groups: [{ sorted: values.slice().sort(), unitOf: Int32Array.from(values, (_, i) => i) }],
    },
  ];

  it.each(tasks.map((task) => [`${task.kind} of width ${task.width}`, task] as const))(
    '%s: a resample depends on its index alone',
    (_, task) => {
      const whole = new Float64Array(50 * task.width);
      runTask(task, 0, 50, whole);
      const pieces = new Float64Array(50 * task.width);
      for (const [from, to] of [
        [33, 50],
        [0, 1],
        [17, 33],
        [1, 17],
      ] as const) {
        runTask(task, from, to, pieces);
      }
      expect(pieces).toEqual(whole);
    },
  );
});
