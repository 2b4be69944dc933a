/**
 * Settings that scripts give through the environment, with the names of the original checklist: defaults below files and
 * flags. A variable that is set and not used is told of, and a value that cannot be meant is refused by the variable's name.
 */
import { LatentWireError, nearestName } from '../errors.js';
import type { Assignment } from './assignment.js';

export interface EnvironmentDefaults {
  readonly assignments: readonly Assignment[];
  /** Per variable that is set: what it came to. */
  readonly notes: readonly { readonly variable: string; readonly effect: string }[];
}

/** @param written what files and flags say, in order */
export function environmentDefaults(
  env: NodeJS.ProcessEnv,
  written: readonly Pick<Assignment, 'path' | 'value'>[],
): EnvironmentDefaults {
  const said = new Map(written.map(({ path, value }) => [path, value]));
  const assignments: Assignment[] = [];
  const notes: { variable: string; effect: string }[] = [];
  const use = (variable: string, path: string, value: unknown): void => {
    const free = !said.has(path);
    if (free) assignments.push({ path, value, origin: variable });
    notes.push({
      variable,
      effect: `${path} = ${free ? value : `${said.get(path)}, as a file or flag says`}`,
    });
  };

  const base = count(env, 'BASE_BATCH_SIZE', 1);
  const accumulation = count(env, 'GRADIENT_ACCUMULATION_STEPS', 1);
  const workers = count(env, 'NUM_WORKERS', 0);
  const step = ['training.effective_batch', 'training.grad_accum'].find((path) => said.has(path));
  const found = said.get('training.batch_size') === 'auto';
  // Where the size is found, the base says how large a whole step is to be.
  const makesStep = found && base !== undefined && step === undefined;
  if (makesStep) use('BASE_BATCH_SIZE', 'training.effective_batch', base * (accumulation ?? 1));
  else if (base !== undefined) use('BASE_BATCH_SIZE', found ? step! : 'training.batch_size', base);
  if (accumulation !== undefined) {
    if (makesStep) notes.push({ variable: 'GRADIENT_ACCUMULATION_STEPS', effect: 'times BASE_BATCH_SIZE' });
    else use('GRADIENT_ACCUMULATION_STEPS', step ?? 'training.grad_accum', accumulation);
  }
  if (workers !== undefined) use('NUM_WORKERS', 'training.num_workers', workers);
  const checkpointing = toggle(env, 'USE_GRADIENT_CHECKPOINTING');
  if (checkpointing !== undefined)
    use('USE_GRADIENT_CHECKPOINTING', 'training.gradient_checkpointing', checkpointing);
  const allocator = allocatorSettings(env);
  if (allocator !== undefined)
    notes.push({ variable: ALLOCATOR, effect: `read by torch's allocator: ${allocator}` });
  return { assignments, notes };
}

function count(env: NodeJS.ProcessEnv, variable: string, least: number): number | undefined {
  const text = env[variable]?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  throw invalid(variable, `an integer ≥ ${least}`, text);
}

const ON = new Set(['1', 'true', 'yes', 'on']);
const OFF = new Set(['0', 'false', 'no', 'off']);

function toggle(env: NodeJS.ProcessEnv, variable: string): boolean | undefined {
  const text = env[variable]?.trim();
  if (text === undefined || text === '') return undefined;
  if (ON.has(text.toLowerCase())) return true;
  if (OFF.has(text.toLowerCase())) return false;
  throw invalid(variable, '1 or 0', text);
}

const ALLOCATOR = 'PYTORCH_CUDA_ALLOC_CONF';
/** Keys of torch 2.6 to 2.11, for hints: torch itself has the last word on what it knows. */
const ALLOCATOR_KEYS = [
  ...['max_split_size_mb', 'garbage_collection_threshold', 'expandable_segments', 'backend'],
  ...['roundup_power2_divisions', 'max_non_split_rounding_mb', 'release_lock_on_cudamalloc'],
  ...['pinned_use_cuda_host_register', 'pinned_num_register_threads', 'pinned_use_background_threads'],
];

/** libtorch reads the variable by itself, at the first use of the device: a typing error is better told at the start. */
function allocatorSettings(env: NodeJS.ProcessEnv): string | undefined {
  const text = env[ALLOCATOR]?.trim();
  if (text === undefined || text === '') return undefined;
  for (const part of text.split(/,(?![^[]*\])/)) {
    const match = /^\s*(\w+)\s*:\s*\S/.exec(part);
    if (match === null) throw invalid(ALLOCATOR, 'key:value pairs with commas between them', text);
    const key = match[1]!;
    const near = nearestName(key, ALLOCATOR_KEYS);
    if (near !== undefined && near !== key)
      throw invalid(ALLOCATOR, `a key like ${near}`, key, `did you mean ${near}?`);
  }
  return text;
}

function invalid(variable: string, expected: string, got: string, hint?: string): LatentWireError {
  return new LatentWireError(
    `expected the environment variable ${variable} to be ${expected}, got ${JSON.stringify(got)}`,
    { code: 'input', hint: hint ?? `correct it, or remove it: unset ${variable}` },
  );
}
