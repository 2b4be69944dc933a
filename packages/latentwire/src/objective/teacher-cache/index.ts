/** What the frozen model thinks when it reads the text: computed once per example, kept on disk. */
export type { TeacherRow } from './read-teacher.js';
export { SHARD_ROWS, type TeacherOptions, teacherTargets } from './teacher-cache.js';
export {
  type TeacherArrays,
  type TeacherBatch,
  type TeacherPlan,
  TeacherTargets,
} from './teacher-targets.js';
