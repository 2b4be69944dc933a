/**
 * The stages of one run, as a function of how far it is. Nothing here has state, so a resumed run is in the same
 * stage as the one it continues.
 *
 *   1 alignment       prefix vectors ≈ pooled token embeddings, one latent per token
 *   2 reconstruction  the reader repeats the text; latents shrink from one per token to M
 *   3 reconstruction  at M
 *   4 answers         with some reconstruction beside them
 *
 * The descent is what makes it work: at one latent per token a frozen reader can copy from embeddings alone, and each
 * small step down keeps a gradient; started at M, it learns to ignore the latents (docs/LOG.md).
 */
export interface StageWeights {
  readonly alignment: number;
  readonly reconstruction: number;
  readonly answer: number;
}

export interface Stage {
  readonly name: 'alignment' | 'descent' | 'reconstruction' | 'answers';
  readonly weights: StageWeights;
  /** Latent vectors per text in this step. */
  readonly latents: number;
}

export interface StagePlan {
  /** M of the finished wire. */
  readonly latents: number;
  /** Latents of stage 1: about one per token. At most M turns the descent off. */
  readonly startLatents: number;
  /** Share of the run for stages 1 to 3; 0 = answers from the first step. */
  readonly pretrainShare: number;
  /** Weight of reconstruction in stage 4; 0 also turns stages 1 to 3 off. */
  readonly reconstructionWeight: number;
}

// Shares of the pretraining part.
const ALIGNMENT = 0.15;
const DESCENT = 0.65;

/** @param progress share of the run that is done, in [0, 1) */
export function stageAt(plan: StagePlan, progress: number): Stage {
  const { latents, reconstructionWeight } = plan;
  const startLatents = Math.max(latents, plan.startLatents);
  const pretrain = reconstructionWeight > 0 ? plan.pretrainShare : 0;
  if (progress >= pretrain) {
    const weights = { alignment: 0, reconstruction: reconstructionWeight, answer: 1 };
    return { name: 'answers', weights, latents };
  }
  const within = progress / pretrain;
  if (within < ALIGNMENT) {
    const weights = { alignment: 1, reconstruction: 0, answer: 0 };
    return { name: 'alignment', weights, latents: startLatents };
  }
  const weights = { alignment: 0, reconstruction: 1, answer: 0 };
  const descent = (within - ALIGNMENT) / (DESCENT - ALIGNMENT);
  if (descent >= 1) return { name: 'reconstruction', weights, latents };
  // Geometric: each step down asks for the same share of more packing.
  const now = Math.round(startLatents * (latents / startLatents) ** descent);
  return { name: 'descent', weights, latents: now };
}
