/** What a run leaves behind: directory, status, logs, diagnostics, metrics, predictions, progress. */
export { syncDirectory, writeFileAtomic, writeJsonAtomic } from './atomic-file.js';
export { type Clock, fileTimestamp, systemClock } from './clock.js';
export { type DiagnosticsRow, DiagnosticsWriter, readDiagnostics, type StepRecord } from './diagnostics.js';
export { collectEnvironment, type Environment, type GpuInfo } from './environment.js';
export { type FileSystem, ioError, nodeFileSystem } from './file-system.js';
export {
  GpuMonitor,
  type GpuMonitorOptions,
  type GpuSummary,
  ownGpus,
  peakTflops,
  readMonitorRows,
  type StageSummary,
  summariseGpus,
  summariseStages,
  trainingWindows,
} from './gpu-monitor/index.js';
export { Interrupted, Interruption, type SignalNotice, type SignalSource } from './interruption.js';
export { type JsonRecord, numberOf } from './json.js';
export { JsonLinesWriter, readJsonLines } from './json-lines.js';
export { LogTee, type LogTeeOptions, type OutputCapture } from './log-tee.js';
export { createLogger, type Logger, type LogLevel, silentLogger } from './logger.js';
export {
  type AgreementMetrics,
  ANSWER_MODES,
  type AnswerMetrics,
  type AnswerMode,
  type CompressionRatios,
  type LatencyBlock,
  type LatencyMetrics,
  type MessageBytes,
  type PerModel,
  type RunMetrics,
  readMetrics,
  writeMetrics,
} from './metrics.js';
export { type PredictionRow, PredictionsWriter, readPredictionRows } from './predictions.js';
export { formatDuration, Progress, type ProgressOptions, type ProgressState } from './progress.js';
export { findRun, type OpenRunOptions, openRun, Run, type RunRecord } from './run.js';
export { type LockOwner, lookAtLock, RunLock } from './run-lock.js';
export { type RunId, type RunPaths, runIdOf, runLocation, runPaths } from './run-paths.js';
export { type RunState, type RunStatus, readStatus, type StatusUpdate, writeStatus } from './status.js';
export { type StepSummary, summariseSteps, type TimeLedger, timeLedger } from './time-ledger.js';
