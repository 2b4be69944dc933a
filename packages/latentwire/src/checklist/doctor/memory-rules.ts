/** "Out of memory": what to lower, and whether the allocator or the batch is to blame. */
import { summariseGpus } from '../../telemetry/index.js';
import { type Finding, finding, type Rule } from './finding.js';
import { linesWith, type RunFiles, settingOf } from './run-files.js';

const NEARLY_FULL = 0.95;
/** Reserved but unused memory, as a share of what the allocator holds, from which it is the allocator's fault. */
const FRAGMENTED = 0.25;

export const memoryEnough: Rule = (run) => {
  const { status, logs } = run;
  const line = linesWith(logs, /out of memory/i).at(-1);
  const message = status?.state === 'oom' ? status.error.message : undefined;
  if (message === undefined && (line === undefined || status?.state === 'completed')) return nearlyFull(run);
  const evidence: (readonly [string, string])[] = [
    ...(message === undefined ? [] : ([['status.json', `oom: ${message.slice(0, 200)}`]] as const)),
    ...(line === undefined ? [] : ([[line.file, line.line.slice(0, 200)]] as const)),
    ['config.json', sizesOf(run)],
  ];
  const findings = [
    finding('out-of-memory', 'problem', 'the device ran out of memory', evidence, remedies(run).join('; ')),
  ];
  const unused = fragmentation(message ?? line?.line ?? '');
  if (unused !== undefined && unused > FRAGMENTED) {
    findings.push(
      finding(
        'memory-fragmented',
        'problem',
        `${percent(unused)} of what the allocator holds is reserved and unused: it is in pieces that are too small`,
        [[message === undefined ? line!.file : 'status.json', 'reserved but unallocated']],
        'PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True (or max_split_size_mb:256) in the environment of the run',
      ),
    );
  }
  return findings;
};

function sizesOf(run: RunFiles): string {
  const keys = ['batch_size', 'grad_accum', 'effective_batch', 'gradient_checkpointing', 'target_memory'];
  return keys.map((key) => `training.${key} ${settingOf(run, 'training', key)}`).join(', ');
}

/** What is left to do, the mildest first. */
function remedies(run: RunFiles): string[] {
  const batch = settingOf(run, 'training', 'batch_size');
  const accumulation = Number(settingOf(run, 'training', 'grad_accum') ?? 1);
  const checkpointing = settingOf(run, 'training', 'gradient_checkpointing') === true;
  const half = typeof batch === 'number' ? Math.max(1, Math.floor(batch / 2)) : null;
  return [
    ...(batch === 'auto' ? ['lower --target-memory and begin again with --restart'] : []),
    ...(half !== null && batch !== 1
      ? [`--batch-size ${half} --grad-accum ${2 * accumulation} takes the same steps; or --batch-size auto`]
      : []),
    ...(checkpointing ? [] : ['--gradient-checkpointing takes less memory for more work']),
    'a longer text needs more: --encoder-max-tokens; evaluation: --eval-batch-size',
  ];
}

function nearlyFull({ monitor }: RunFiles): Finding[] {
  const [gpu] = summariseGpus(monitor, []).sort((a, b) => (b.peakMemoryMib ?? 0) - (a.peakMemoryMib ?? 0));
  const total = monitor.map((row) => Number(row.memory_total_mib)).find(Number.isFinite);
  if (gpu === undefined || gpu.peakMemoryMib === null || total === undefined) return [];
  const share = gpu.peakMemoryMib / total;
  if (share < NEARLY_FULL) return [];
  return [
    finding(
      'memory-nearly-full',
      'note',
      `GPU ${gpu.gpu} had ${percent(share)} of its memory in use: a longer batch may not fit`,
      [['logs/gpu_monitor_*.jsonl', `${gpu.peakMemoryMib} of ${total} MiB`]],
      '--batch-size auto leaves a fifth free',
    ),
  ];
}

/** From torch's message: "… 30.00 GiB is allocated by PyTorch, and 12.00 GiB is reserved by PyTorch but unallocated". */
function fragmentation(message: string): number | undefined {
  const bytes = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(message);
    return found === null
      ? undefined
      : Number(found[1]) * ({ GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10 }[found[2]!] ?? 1);
  };
  const allocated = bytes(/([\d.]+) ([GMK]iB) is allocated by PyTorch/);
  const unused = bytes(/([\d.]+) ([GMK]iB) is reserved by PyTorch but unallocated/);
  return allocated === undefined || unused === undefined ? undefined : unused / (allocated + unused);
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
