/** Protects `latentwire gpu`: whose GPUs count, what steps came to, and that the gate is closed where nothing was measured. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { runCli } from './program.js';

const within = temporaryFolder();

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const seen = { stdout: '', stderr: '' };
  const code = await runCli(['gpu', ...argv], {
    stdout: (text) => {
      seen.stdout += text;
    },
    stderr: (text) => {
      seen.stderr += text;
    },
  });
  return { code, ...seen };
}

/** A run on GPU 1 at `busy` %, beside a GPU 0 of somebody else. */
function leave(name: string, busy: number | null): string {
  mkdirSync(within(name, 'logs'), { recursive: true });
  const at = (second: number): string => new Date(1_800_000_000_000 + 1000 * second).toISOString();
  const steps = [0, 10].map((second, i) => ({
    ...{
      step: i + 1,
      attempt: 1,
      time: at(second),
      seconds: 5,
      samples: 10,
      tokens: 1000,
      data_seconds: 0.5,
    },
    ...{ save_seconds: 0, tflop_per_second: 400, mfu: 0.4, stage: 'answers' },
  }));
  const lines = (values: readonly object[]): string =>
    values.map((each) => `${JSON.stringify(each)}\n`).join('');
  writeFileSync(within(name, 'logs', 'diagnostics.jsonl'), lines(steps));
  writeFileSync(within(name, 'config.json'), '{"system": {"device": "cuda"}}');
  writeFileSync(within(name, 'environment.json'), '{"variables": {"CUDA_VISIBLE_DEVICES": "1"}}');
  const samples = [1, 2].flatMap((second) => [
    { time: at(second), gpu: 0, gpu_utilization: 3 },
    { time: at(second), gpu: 1, gpu_utilization: busy },
  ]);
  if (busy !== null) writeFileSync(within(name, 'logs', 'gpu_monitor_20260101_000000.jsonl'), lines(samples));
  return within(name);
}

describe('latentwire gpu', () => {
  it('shows the GPU of the run and what its steps came to', async () => {
    const folder = leave('busy', 96);
    const { code, stdout } = await run(folder, '--min-utilization', '0.9');
    expect(code).toBe(0);
    expect(stdout).toContain(
      '2 steps, 10.0 s: 2.0 samples/s, 200 tokens/s, 400 TFLOP/s, MFU 40.0 %, data wait 10.0 %, saves 0.0 %',
    );
    expect(stdout).toMatch(/answers +2 +5000.0 +2 +96.0/);
    const { gpus, steps, stages } = JSON.parse((await run(folder, '--json')).stdout);
    expect(stages).toMatchObject([{ stage: 'answers', steps: 2, samples: 2, utilization: 0.96 }]);
    expect(gpus).toMatchObject([{ gpu: 1, utilization: 0.96 }]);
    expect(steps).toMatchObject({ mfu: 0.4, data_wait: 0.1 });
  });

  it('fails a gate that the utilisation does not reach, or that nothing was measured for', async () => {
    const low = await run(leave('low', 80), '--min_utilization', '0.9');
    expect(low).toMatchObject({ code: 1, stdout: '' });
    expect(low.stderr).toContain('at least 0.9, got 0.800 on GPU 1');
    const folder = leave('unwatched', null);
    const unknown = await run(folder, '--min-utilization', '0.9');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('got no figures of a GPU');
    const without = await run(folder);
    expect(without.code).toBe(0);
    expect(without.stdout).toContain('no GPU was watched');
  });

  it('refuses a gate that is no share, which nothing could fail', async () => {
    for (const gate of ['90', 'high', '-1', '']) {
      const { code, stderr } = await run(leave('gate', 20), '--min-utilization', gate);
      expect([gate, code]).toEqual([gate, 2]);
      expect(stderr).toContain('a share between 0 and 1');
    }
  });
});
