/** A batch of the evaluation with the longest texts: better now than after the training that it does not fit. */
import * as t from '@latentwire/torch';
import { LatentWireError } from '../../errors.js';
import { answerBatch } from '../../evaluation/index.js';
import { releaseGeneration } from '../../models/decoder/index.js';
import { taskOfRun } from '../datasets.js';
import { answerSource, evaluationModes } from '../evaluate-run.js';
import type { PreparedData } from '../prepare.js';
import type { Session } from '../session.js';
import type { TrialOptions } from './trial.js';
import { longestExamples } from './worst-case.js';

/** Ways of answering that read most: the text itself, and latents, which are encoded first. */
const HEAVIEST = new Set(['text', 'latent']);

/** @returns most bytes in use @throws LatentWireError `oom` */
export async function tryEvaluation(
  session: Session,
  data: PreparedData,
  { gauge, check }: TrialOptions,
): Promise<number> {
  const { eval_batch_size, max_new_tokens, eval_modes } = session.config.evaluation;
  const chosen = longestExamples(data, eval_batch_size);
  const some = only(data, chosen);
  gauge.begin();
  try {
    for (const mode of evaluationModes(eval_modes)) {
      if (mode === 'joint' || !HEAVIEST.has(mode)) continue;
      for (const [index, prepared] of some.readers.entries()) {
        check();
        const source = await answerSource(mode, session, some, prepared, index);
        await answerBatch(source, {
          indices: chosen.map((_, i) => i),
          maxNewTokens: max_new_tokens,
          multiline: taskOfRun(session.config).multiline,
          targets: prepared.targets,
        });
      }
    }
    return gauge.peak();
  } catch (cause) {
    if (!(cause instanceof t.TorchError && cause.outOfMemory)) throw cause;
    throw new LatentWireError(
      `expected a batch of ${chosen.length} questions of the evaluation to fit into memory: ${cause.message}`,
      { code: 'oom', hint: 'lower --eval_batch_size', cause },
    );
  } finally {
    // All recordings share a pool of memory: while those of a generation live, that of launched steps would not be given back.
    releaseGeneration();
  }
}

/** The examples with these indices, as far as evaluation reads them. */
function only(data: PreparedData, indices: readonly number[]): PreparedData {
  const of = <T>(list: readonly T[]): T[] => indices.map((i) => list[i]!);
  return {
    ...data,
    examples: of(data.examples),
    contexts: of(data.contexts),
    readers: data.readers.map((reader) => ({
      ...reader,
      tails: of(reader.tails),
      targets: of(reader.targets),
    })),
  };
}
