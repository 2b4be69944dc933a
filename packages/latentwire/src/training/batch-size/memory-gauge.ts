/**
 * How much memory a device has, and the most that was in use over a stretch of work. On a GPU by torch's allocator plus what
 * it does not know of (the CUDA context, other processes), so that the share is that of the whole device; on the CPU by
 * the kernel's high-water mark of this process.
 */
import fs from 'node:fs';
import os from 'node:os';
import * as t from '@latentwire/torch';

export interface MemoryGauge {
  /** Bytes that this process may use at most. */
  readonly capacity: number;
  /** Begins a stretch. @param keep memory that torch's allocator holds for later stays with it; else it is given back */
  begin(keep?: boolean): void;
  /** Most bytes in use since then. */
  peak(): number;
}

export function memoryGauge(device: t.Device): MemoryGauge {
  return device === 'cpu' ? hostGauge() : deviceGauge(device);
}

function deviceGauge(device: t.Device): MemoryGauge {
  return {
    capacity: t.memoryStatistics(device)!.total,
    begin(keep = false) {
      t.synchronize(device);
      if (!keep) t.emptyCache(device);
      t.resetPeakMemory(device);
    },
    peak() {
      t.synchronize(device);
      const { total, free, reserved, peakReserved } = t.memoryStatistics(device)!;
      return total - free - reserved + peakReserved;
    },
  };
}

function hostGauge(): MemoryGauge {
  const allowed = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const { MemAvailable = os.freemem() } = sizesIn('/proc/meminfo');
  return {
    capacity: Math.min(allowed, os.totalmem(), process.memoryUsage.rss() + MemAvailable),
    begin() {
      try {
        // 5: resets the mark to what is resident now; refused in some containers, where it then only rises.
        fs.writeFileSync('/proc/self/clear_refs', '5');
      } catch {}
    },
    peak: () => sizesIn('/proc/self/status').VmHWM ?? process.resourceUsage().maxRSS * 1024,
  };
}

/** Lines like `VmHWM:   1234 kB` of a file of the kernel, in bytes; empty where there is none. */
function sizesIn(file: string): Partial<Record<string, number>> {
  try {
    const lines = fs.readFileSync(file, 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm);
    return Object.fromEntries([...lines].map(([, name, kib]) => [name!, Number(kib) * 1024]));
  } catch {
    return {};
  }
}
