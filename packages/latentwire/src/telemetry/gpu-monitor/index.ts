/** Watching GPUs from a process of its own, and what was seen. */
export { GpuMonitor, type GpuMonitorOptions } from './monitor.js';
export { ownGpus, type Placement } from './own-gpus.js';
export { peakTflops } from './peak.js';
export { parseSample } from './sample.js';
export { type StageSummary, summariseStages } from './stages.js';
export {
  type GpuSummary,
  readMonitorRows,
  summariseGpus,
  type TimeWindow,
  trainingWindows,
} from './summary.js';
