/** What every executor promises. An implementation calls `executorSuite` in its test. */
import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadPlan } from '../plan/expand.js';
import { cellFiles } from '../state/experiment-folder.js';
import { hostIdentity } from '../state/process-identity.js';
import type { Attempt, Executor } from './executor.js';

/** What the work of an attempt does. */
export type Work = 'ends well' | 'fails' | 'runs until stopped';

export interface ExecutorUnderTest {
  readonly executor: Executor;
  /** Places that it has. */
  readonly places: number;
}

/**
 * @param make an executor whose attempts do `work`, in an empty `folder`
 * @param planFile a plan with at least two cells that need no GPU
 */
export function executorSuite(
  name: string,
  planFile: () => string,
  make: (work: Work, folder: string) => ExecutorUnderTest,
  folder: (name: string) => string,
): void {
  const setUp = (work: Work) => {
    const directory = folder(`${name}-${work.replaceAll(' ', '-')}-${Math.random().toString(36).slice(2)}`);
    mkdirSync(directory, { recursive: true });
    const plan = loadPlan(planFile(), { directory });
    const announced: unknown[] = [];
    const attempt = (index: number): Attempt => ({
      cell: plan.cells[index]!,
      files: cellFiles(directory, plan.cells[index]!.name),
      announce: (worker) => announced.push(worker),
    });
    return { ...make(work, directory), attempt, announced };
  };
  const none = { gpus: 0, cpus: 1 };

  describe(`the ${name} executor`, () => {
    it('announces an attempt before it is over, and tells its end', async () => {
      const { executor, attempt, announced } = setUp('ends well');
      const running = executor.start(attempt(0))!;
      expect(announced).toHaveLength(1);
      expect(await running.ended).toMatchObject({ code: 0, signal: null });
    });

    it('tells failure and the last words', async () => {
      const { executor, attempt } = setUp('fails');
      const { code, lastLine } = await executor.start(attempt(0))!.ended;
      expect(code).not.toBe(0);
      expect(lastLine).toMatch(/^(?:error: )?it broke$/);
    });

    it('has room until its places are taken, and again when one is free', async () => {
      const { executor, places, attempt } = setUp('runs until stopped');
      expect(executor.hasRoom(none)).toBe(true);
      const running = Array.from({ length: places }, (_, i) => executor.start(attempt(i))!);
      expect(executor.hasRoom(none)).toBe(false);
      for (const one of running) one.stop();
      await Promise.all(running.map(({ ended }) => ended));
      expect(executor.hasRoom(none)).toBe(true);
    });

    it('adopts nothing of a worker that is gone or cannot be known', () => {
      const { executor, attempt } = setUp('ends well');
      const record = { owner: 'x', claimed_at: '', released: false, detail: null };
      const holder = { host: hostIdentity(), pid: 2 ** 22 - 1, started: '1' };
      expect(executor.adopt({ ...record, holder, worker: holder }, attempt(0))).toBeUndefined();
      expect(executor.adopt({ ...record, holder, worker: null }, attempt(0))).toBeUndefined();
    });
  });
}
