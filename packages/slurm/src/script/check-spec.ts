/** Refuses job descriptions that Slurm would misread, with the field's name. */
import { SlurmError } from '../errors.js';
import { type JobSpec, tasksPerNode } from './job-spec.js';

const MEMORY = /^\d+(?:[KMGT]B?)?$/i;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const JOB_ID = /^\d+(?:_\d+)?$/;
/** Longest array index Slurm can be built for (MaxArraySize is at most 4,000,001). */
const MAX_ARRAY_INDEX = 4_000_000;

/** @throws SlurmError `invalid-spec` naming the first field at fault */
export function checkJobSpec(spec: JobSpec): void {
  if (spec.name.trim() === '') throw invalid('name', 'a job name', spec.name);
  if (spec.command.length === 0 || spec.command[0] === '')
    throw invalid('command', 'a program', spec.command);
  for (const field of ['nodes', 'cpusPerTask', 'timeLimitSeconds'] as const) {
    const value = spec[field];
    if (value !== undefined && !isCount(value, 1)) throw invalid(field, 'a whole number, at least 1', value);
  }
  if (spec.gpusPerNode !== undefined && !isCount(spec.gpusPerNode, 0)) {
    throw invalid('gpusPerNode', 'a whole number, at least 0', spec.gpusPerNode);
  }
  if (!isCount(tasksPerNode(spec), 1))
    throw invalid('tasksPerNode', 'a whole number, at least 1', spec.tasksPerNode);
  if (spec.memory !== undefined && !MEMORY.test(spec.memory)) {
    throw invalid('memory', 'an amount per node such as 256GB or 4000M', spec.memory);
  }
  if (spec.signal !== undefined && !isCount(spec.signal.secondsBefore, 1, 65_535)) {
    throw invalid('signal.secondsBefore', 'seconds from 1 to 65535', spec.signal.secondsBefore);
  }
  checkArray(spec);
  for (const { jobs } of spec.dependencies ?? []) {
    if (jobs.length === 0) throw invalid('dependencies', 'at least one job id', jobs);
    for (const id of jobs)
      if (!JOB_ID.test(id)) throw invalid('dependencies', 'a job id such as 12 or 12_3', id);
  }
  for (const [name, value] of Object.entries(spec.environment ?? {})) {
    if (!VARIABLE.test(name)) throw invalid('environment', 'a variable name', name);
    if (value.includes('\0')) throw invalid(`environment.${name}`, 'text without a NUL byte', value);
  }
  for (const line of [...(spec.setup ?? []), ...(spec.notes ?? [])]) {
    if (/[\n\r\0]/.test(line)) throw invalid('setup', 'single lines', line);
  }
}

function checkArray({ array }: JobSpec): void {
  if (array === undefined) return;
  if (array.indices.length === 0) throw invalid('array.indices', 'at least one index', array.indices);
  for (const index of array.indices) {
    if (!isCount(index, 0, MAX_ARRAY_INDEX))
      throw invalid('array.indices', `whole numbers from 0 to ${MAX_ARRAY_INDEX}`, index);
  }
  if (new Set(array.indices).size !== array.indices.length)
    throw invalid('array.indices', 'each index once', array.indices);
  if (array.atOnce !== undefined && !isCount(array.atOnce, 1)) {
    throw invalid('array.atOnce', 'a whole number, at least 1', array.atOnce);
  }
}

function isCount(value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function invalid(field: string, expected: string, got: unknown): SlurmError {
  return new SlurmError(`job description, ${field}: expected ${expected}, got ${JSON.stringify(got)}`, {
    kind: 'invalid-spec',
  });
}
