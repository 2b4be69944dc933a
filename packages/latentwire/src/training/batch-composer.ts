/**
 * What the worker threads of a training run do: compose the batches of a step from token ids in shared memory. Knows no
 * models; whatever of libtorch its imports bring is never called here.
 */
import { random } from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { type Composer, type SharedLists, sharedViews, shareLists } from '../data/loader/index.js';
import { type TeacherArrays, type TeacherPlan, TeacherTargets } from '../objective/index.js';
import { LatentLayout, type LatentLayoutOptions, type ShapeMultiples } from '../wire/index.js';
import { stepDraws } from './draws.js';
import type { MicroBatch, ReaderCounts } from './micro-batch.js';
import type { ComposableData, ComposableReader } from './prepare.js';
import type { Stage } from './stages.js';
import { composeStep } from './step-batches.js';
import type { Shard } from './team/shard.js';

interface SharedReader {
  readonly head: Int32Array;
  readonly tails: SharedLists;
  readonly targets: SharedLists;
  readonly texts: SharedLists | null;
  readonly repeat: { readonly tail: Int32Array; readonly targets: SharedLists } | null;
  readonly continuation: SharedLists | null;
  readonly teacher: { readonly plan: TeacherPlan; readonly arrays: TeacherArrays } | null;
}

/** Everything that does not change from step to step; given to each thread once. */
export interface ComposerData {
  readonly contexts: SharedLists;
  readonly firstParts: SharedLists | null;
  readonly readers: readonly SharedReader[];
  readonly layout: LatentLayoutOptions;
  readonly settings: Pick<RunConfig, 'training' | 'objective' | 'data'>;
  /** Seed of the run. */
  readonly seed: string;
  readonly multiples: ShapeMultiples;
  readonly shard?: Shard | undefined;
}

export interface ComposeRequest {
  readonly step: number;
  /** Example indices. */
  readonly microBatches: readonly (readonly number[])[];
  readonly stage: Stage;
}

/** A step's batches without what the main thread knows: functions and weights do not travel between threads. */
export interface ComposedStep {
  readonly stage: Stage;
  readonly counts: readonly (readonly [reader: number, counts: ReaderCounts])[];
  readonly examples: number;
  readonly batches: readonly Omit<MicroBatch, 'step'>[];
}

/** Token ids into shared memory. */
export function shareData(
  data: ComposableData,
  rest: Pick<ComposerData, 'layout' | 'settings' | 'seed' | 'multiples' | 'shard'>,
): ComposerData {
  const share = (lists: readonly (Int32Array | null)[] | null) => (lists === null ? null : shareLists(lists));
  return {
    contexts: shareLists(data.contexts),
    firstParts: share(data.firstParts),
    readers: data.readers.map((reader) => ({
      head: reader.head,
      tails: shareLists(reader.tails),
      targets: shareLists(reader.targets),
      texts: share(reader.texts),
      repeat:
        reader.repeat === null
          ? null
          : { tail: reader.repeat.tail, targets: shareLists(reader.repeat.targets) },
      continuation: share(reader.continuation),
      teacher: reader.teacher && {
        plan: reader.teacher.plan,
        arrays: {
          counts: shared(reader.teacher.arrays.counts, Int32Array),
          places: shared(reader.teacher.arrays.places, Int32Array),
          ids: shared(reader.teacher.arrays.ids, Int32Array),
          logProbs: shared(reader.teacher.arrays.logProbs, Float32Array),
        },
      },
    })),
    ...rest,
  };
}

/** See `ComposingModule`. */
export function createComposer(shared: ComposerData): Composer<ComposeRequest, ComposedStep> {
  const data: ComposableData = {
    contexts: present(shared.contexts),
    firstParts: shared.firstParts && sharedViews(shared.firstParts),
    readers: shared.readers.map(readerOf),
  };
  const layout = new LatentLayout(shared.layout);
  const root = new random.RandomRoot(BigInt(shared.seed));
  const draws = stepDraws(shared.settings, root, data.readers.length);
  return ({ step: at, microBatches, stage }) => {
    const { step, batches } = composeStep(data, layout, microBatches, {
      stage,
      k: shared.settings.objective.k,
      active: draws.readers(at),
      continues: (example) => draws.continues(at, example),
      readOnce: shared.settings.data.questions_together,
      readingWindow: (example, length) => draws.readingWindow(at, example, length),
      multiples: shared.multiples,
      shard: shared.shard,
    });
    return {
      stage,
      counts: [...step.counts],
      examples: step.examples,
      batches: batches.map(({ step: _, ...batch }) => batch),
    };
  };
}

function readerOf(reader: SharedReader): ComposableReader {
  const { head, texts, repeat, continuation, teacher } = reader;
  return {
    head,
    tails: present(reader.tails),
    targets: present(reader.targets),
    texts: texts && present(texts),
    repeat: repeat && { tail: repeat.tail, targets: present(repeat.targets) },
    continuation: continuation && sharedViews(continuation),
    teacher: teacher && new TeacherTargets(teacher.plan, teacher.arrays),
  };
}

/** Lists without gaps. */
function present(lists: SharedLists): Int32Array[] {
  return sharedViews(lists).map((list) => list!);
}

function shared<T extends Int32Array | Float32Array>(
  values: T,
  kind: { new (buffer: SharedArrayBuffer): T },
): T {
  const copy = new kind(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}
