export { arrayValue, directives, signalValue, timeLimit } from './directives.js';
export type {
  ArraySpec,
  ContainerHook,
  Dependency,
  DependencyKind,
  JobSpec,
  SignalName,
  SignalRequest,
} from './job-spec.js';
export { tasksPerNode } from './job-spec.js';
export { parseArray, parseDependencies } from './parse-request.js';
export { REQUEUE_EXIT_CODE, renderScript } from './render.js';
