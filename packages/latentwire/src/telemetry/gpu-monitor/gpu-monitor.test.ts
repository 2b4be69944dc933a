import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readJsonLines } from '../json-lines.js';
import { ownGpus } from './own-gpus.js';
import { peakTflops } from './peak.js';
import { parseSample } from './sample.js';
import { summariseStages } from './stages.js';
import { readMonitorRows, summariseGpus } from './summary.js';

// The monitor is a program of its own, so the built one is tested.
const BUILT = fileURLToPath(new URL('../../../dist/telemetry/gpu-monitor/index.js', import.meta.url));
const LINE = '0, GPU-1a, 93, 40, 70123, 143771, 61, 640.25, 1965, 3201, 0x0000000000000004';

let folder: string;
let program: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gpu-monitor-'));
  program = path.join(folder, 'nvidia-smi');
  writeFileSync(program, `#!/bin/sh\nwhile :; do echo "${LINE}"; echo "1, [N/A]"; sleep 0.05; done\n`);
  chmodSync(program, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function eventually(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(condition()).toBe(true);
}
const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const rows = (): number => {
  try {
    return readMonitorRows(folder).length;
  } catch {
    return 0;
  }
};

/** A run in a process of its own; prints the pids of its children. */
function startRun(command: string) {
  const script = `
    import { GpuMonitor } from ${JSON.stringify(BUILT)};
    const monitor = new GpuMonitor({ logs: ${JSON.stringify(folder)}, program: ${JSON.stringify(command)} });
    setInterval(() => {}, 1000);
    process.on('message', () => { monitor.stop(); process.exit(0); });
  `;
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

describe('the GPU monitor', () => {
  it('writes a row per GPU and sample, and ends with its run', async () => {
    const run = startRun(program);
    await eventually(() => rows() >= 3);
    run.send('stop');
    await new Promise((resolve) => run.once('exit', resolve));
    await quiet();
    const row = readMonitorRows(folder)[0]!;
    expect(row).toMatchObject({ gpu: 0, gpu_utilization: 93, memory_used_mib: 70_123, power_w: 640.25 });
    expect(row.throttle_reasons).toBe('0x0000000000000004');
  });

  it('ends when its run is killed', async () => {
    const run = startRun(program);
    await eventually(() => rows() >= 1);
    run.kill('SIGKILL');
    await quiet();
    expect(alive(run.pid!)).toBe(false);
  });

  it('says in its file when there is no nvidia-smi', async () => {
    const run = startRun(path.join(folder, 'absent'));
    await eventually(() => rows() === 1);
    expect(readMonitorRows(folder)[0]!.message).toMatch(/no GPU figures: .*ENOENT/);
    run.kill('SIGKILL');
  });

  /** Waits until the file has stopped growing for a while. */
  async function quiet(): Promise<void> {
    let last = -1;
    await eventually(() => {
      const now = rows();
      const same = now === last;
      last = now;
      return same;
    });
    const settled = rows();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(rows()).toBe(settled);
  }
});

describe('the GPUs of a run', () => {
  const gpus = [0, 1, 2].map((gpu) => ({ gpu }));
  const own = (device: string, visible?: string, processes?: number) =>
    ownGpus(gpus, { device, visible, ...(processes !== undefined && { processes }) }).map(({ gpu }) => gpu);

  it('are those that it was given, not the busiest of the machine', () => {
    expect(own('cuda', '')).toEqual([0]);
    expect(own('cuda:1', '0,2')).toEqual([2]);
    expect(own('auto', '1')).toEqual([1]);
    expect(own('cuda', 'GPU-5f3a')).toEqual([0, 1, 2]);
  });

  it('are one for each of its processes', () => {
    expect(own('auto', '1,2', 2)).toEqual([1, 2]);
    expect(own('auto', undefined, 3)).toEqual([0, 1, 2]);
  });

  it('have the peak of their data sheet, and none where they differ or are not known', () => {
    expect(peakTflops(['NVIDIA H100 80GB HBM3', 'NVIDIA H100 80GB HBM3'])).toBe(989);
    expect(peakTflops(['NVIDIA H200'])).toBe(989);
    expect(peakTflops(['NVIDIA H100 PCIe'])).toBe(756);
    expect(peakTflops(['NVIDIA A100-SXM4-80GB'])).toBe(312);
    expect(peakTflops(['NVIDIA H200', 'NVIDIA A100-SXM4-80GB'])).toBeUndefined();
    expect(peakTflops(['NVIDIA GeForce GT 710'])).toBeUndefined();
    expect(peakTflops([])).toBeUndefined();
  });
});

describe('samples', () => {
  it('leave out what a GPU does not report, and lines that are none', () => {
    const time = new Date(0);
    expect(parseSample('No devices were found', time)).toBeUndefined();
    const row = parseSample('3, GPU-x, [N/A], 1, 2, 3, [N/A], 5.5, 6, 7, 0x0', time)!;
    expect(row.gpu).toBe(3);
    expect('gpu_utilization' in row || 'temperature_c' in row).toBe(false);
    expect(row.time).toBe('1970-01-01T00:00:00.000Z');
  });

  it('are summed up per GPU over the time of training', () => {
    const file = path.join(folder, 'gpu_monitor_20260101_000000.jsonl');
    const at = (second: number, gpu: number, busy: number, mask: string) =>
      JSON.stringify({
        time: new Date(second * 1000).toISOString(),
        gpu,
        gpu_utilization: busy,
        memory_used_mib: busy * 10,
        throttle_reasons: mask,
      });
    const lines = [
      at(0, 0, 0, '0x0'),
      at(1, 0, 90, '0x0'),
      at(2, 0, 100, '0x4'),
      at(2, 1, 50, '0x1'),
      at(9, 0, 0, '0x0'),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const summary = summariseGpus(readJsonLines(file), [{ from: 500, to: 5000 }]);
    expect(summary).toEqual([
      expect.objectContaining({ gpu: 0, samples: 2, utilization: 0.95, peakMemoryMib: 1000, throttled: 0.5 }),
      expect.objectContaining({ gpu: 1, samples: 1, utilization: 0.5, throttled: 0 }),
    ]);
  });

  it('tells how busy a GPU was in each stage, over attempts, and leaves the time between them out', () => {
    const at = (second: number): string => new Date(1_800_000_000_000 + 1000 * second).toISOString();
    const step = (attempt: number, end: number, stage: string, seconds: number) => ({
      ...{ attempt, time: at(end), stage, seconds },
    });
    const steps = [
      step(1, 10, 'descent', 9),
      step(1, 12, 'descent', 2),
      step(1, 14, 'answers', 2),
      // Another process, 100 s later, goes on before the end of the first.
      step(2, 114, 'answers', 4),
      step(2, 115, 'descent', 1),
      step(2, 118, 'answers', 3),
    ];
    const sample = (second: number, busy: number, gpu = 0) => ({
      ...{ time: at(second), gpu, gpu_utilization: busy },
    });
    const samples = [
      // Before the end of the first step, and between the attempts.
      ...[sample(5, 1), sample(60, 1), sample(113, 1)],
      ...[sample(11, 50), sample(12, 70), sample(13, 100), sample(114.5, 30), sample(117, 80)],
      sample(11, 0, 1),
    ];
    expect(summariseStages(samples, steps, [0])).toEqual([
      { stage: 'descent', steps: 3, medianStepMs: 2000, samples: 3, utilization: 0.5 },
      { stage: 'answers', steps: 3, medianStepMs: 3000, samples: 2, utilization: 0.9 },
    ]);
    const [both] = summariseStages(samples, steps, [0, 1]);
    expect(both).toMatchObject({ samples: 4, utilization: 0.375 });
    expect(summariseStages([], steps, [0])[0]).toMatchObject({ samples: 0, utilization: null });
    expect(summariseStages(samples, [{ attempt: 1, time: at(12) }], [0])).toEqual([]);
  });
});
