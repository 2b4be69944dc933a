/**
 * What a plan file may say. A plan is YAML that people write and comment; this schema gives it names, types,
 * defaults and checks. Settings of runs are those of the run configuration and are checked by it.
 */
import { z } from 'zod';

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._+=×-]{0,79}$/, 'expected a short name');
/** `group: {key: value}` as in a configuration file, or `group.key: value`. */
const settings = z.record(z.string(), z.unknown());
const seeds = z.array(z.int().min(0)).min(1);
const count = z.int().min(0);

const resources = z.strictObject({
  /** GPUs that one run needs; 0: processor only. */
  gpus: z.int().min(0).optional(),
  /** Processor threads of one run (OMP_NUM_THREADS). */
  cpus: z.int().min(1).optional(),
  /** Main memory of one run, GB. */
  memory_gb: z.number().positive().optional(),
  /** Longest time of one attempt, minutes; a batch system asks for it. */
  minutes: z.number().positive().optional(),
});

const retries = z.strictObject({
  /** Starts again after a crash (killed, exit code, exception). Preemption and time limits do not count. */
  crash: count.optional(),
  /** Starts again after running out of memory. */
  oom: count.optional(),
  /** Attempts in a row, of any ending, that may pass without one more step. */
  no_progress: z.int().min(1).optional(),
});

/** Assumed until earlier runs have measured it; the dry run says which it used. */
const estimate = z.strictObject({
  /** Training examples per second. */
  examples_per_second: z.number().positive().optional(),
  /** Evaluation questions per second, of one model and one way of answering. */
  questions_per_second: z.number().positive().optional(),
  /** From start to the first step, seconds: loading, tokenising, teacher cache. */
  start_seconds: z.number().min(0).optional(),
  /** Weights that train; the checkpoint holds each with two moments, 4 bytes each. */
  trainable_parameters: z.number().positive().optional(),
});

const gate = z.strictObject({
  /** The phase that is looked at; it must be done. */
  phase: name,
  /** `mode.metric` of its runs, averaged over models, e.g. `latent.f1`. */
  metric: z.string().regex(/^[\w-]+\.[\w.-]+$/, 'expected mode.metric, for example latent.f1'),
  /** Passes above this number, or above this metric of the same run. */
  above: z.union([z.number(), z.string().regex(/^[\w-]+\.[\w.-]+$/)]),
  /** Which cells must pass, each by its mean over seeds. */
  in: z.enum(['any', 'all']).default('any'),
});

const phase = z.strictObject({
  name,
  /** What the phase is in tables and figures. */
  kind: z.enum(['baselines', 'grid', 'ablation', 'samples', 'models', 'other']).default('other'),
  /** Phases that must be done before. */
  after: z.array(name).default([]),
  gate: gate.optional(),
  settings: settings.default({}),
  /** Named variants. */
  cells: z.array(z.strictObject({ name, settings: settings.default({}) })).optional(),
  /** Every combination of these values, for each of `cells` where both are given. */
  grid: z.record(z.string(), z.array(z.unknown()).min(1)).optional(),
  seeds: seeds.optional(),
  resources: resources.optional(),
  /** Higher starts first among what may start. */
  priority: z.int().default(0),
});

export const planFileSchema = z.strictObject({
  version: z.literal(1),
  name,
  description: z.string().optional(),
  /** Plans whose phases come first; paths are relative to this file. */
  include: z.array(z.string()).default([]),
  /** Folder of the run directories, relative to where the command is started. */
  runs: z.string().min(1).optional(),
  seeds: seeds.optional(),
  settings: settings.default({}),
  resources: resources.optional(),
  retries: retries.optional(),
  estimate: estimate.optional(),
  phases: z.array(phase).default([]),
  /** When phases, included ones too, may begin: added to what they say themselves. */
  start: z
    .array(
      z.strictObject({
        phases: z.array(name).min(1),
        after: z.array(name).default([]),
        gate: gate.optional(),
      }),
    )
    .default([]),
});

export type PlanFile = z.infer<typeof planFileSchema>;
export type PhaseFile = PlanFile['phases'][number];
export type PhaseKind = PhaseFile['kind'];
export type Gate = Readonly<z.infer<typeof gate>>;

type Complete<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };
export type Resources = Pick<Complete<z.infer<typeof resources>>, 'gpus' | 'cpus'> &
  Readonly<Pick<z.infer<typeof resources>, 'memory_gb' | 'minutes'>>;
export type Retries = Complete<z.infer<typeof retries>>;
export type Assumptions = Complete<z.infer<typeof estimate>>;

export const DEFAULT_SEEDS: readonly number[] = [42];
export const DEFAULT_RESOURCES: Resources = { gpus: 0, cpus: 1 };
export const DEFAULT_RETRIES: Retries = { crash: 2, oom: 0, no_progress: 3 };
/**
 * 300 examples/s: SmolLM2-135M both as encoder and as reader on one H200 at batch 96 trains 510 (docs/LOG.md);
 * larger readers are slower. Plans state their own.
 */
export const DEFAULT_ASSUMPTIONS: Assumptions = {
  examples_per_second: 300,
  questions_per_second: 100,
  start_seconds: 120,
  trainable_parameters: 137e6,
};
