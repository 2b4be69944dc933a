/**
 * The stages of one run, as a function of how far it is. Nothing here has state, so a resumed run is in the same
 * stage as the one it continues.
 *
 *   1 alignment       prefix vectors ≈ pooled token embeddings, one latent per token
 *   2 descent         the reader repeats (or continues) the text; latents shrink from one per token to M; answers
 *                     may have a weight beside it
 *   3 reconstruction  the same at M
 *   4 handover        answers take over, step by step
 *   5 answers         with some reconstruction beside them
 *
 * The descent is what makes it work: at one latent per token a frozen reader can copy from embeddings alone, and each
 * small step down keeps a gradient; started at M, it learns to ignore the latents (docs/LOG.md).
 */
import type { RunConfig } from '../config/index.js';
import type { AnswerWeights } from '../objective/index.js';
import type { LatentLayout } from '../wire/index.js';

export interface StageWeights extends AnswerWeights {
  readonly alignment: number;
  readonly reconstruction: number;
}

export interface Stage {
  readonly name: 'alignment' | 'descent' | 'reconstruction' | 'handover' | 'answers';
  readonly weights: StageWeights;
  /** Times as many latent vectors as the finished wire has. */
  readonly expansion: number;
  /** The same as a number of vectors, for a wire that has M for every text. */
  readonly latents: number;
  /** Whether the numbers of a message are rounded to the bits it will have. */
  readonly rounded: boolean;
}

/** A weight that rises linearly from 0 over the first `warmup` (a share) of the stages with answers. */
export interface ScheduledWeight {
  readonly weight: number;
  readonly warmup: number;
}

export interface StagePlan {
  /** Shared vectors of the finished wire. */
  readonly latents: number;
  /** Expansion of stage 1: about one latent per token. At most 1 turns the descent off. */
  readonly startExpansion: number;
  /** Share of the run for stages 1 to 3; 0 = answers from the first step. */
  readonly pretrainShare: number;
  /** Numbers of latents on the way down, stage 1's included. */
  readonly descentLevels: number;
  /** Share of the run for stage 4. */
  readonly handoverShare: number;
  /** Weight of answers in stages 2 and 3, beside the text that is repeated. */
  readonly descentAnswerWeight: number;
  /** Weight of reconstruction in stage 5; 0 also turns stages 1 to 4 off. */
  readonly reconstructionWeight: number;
  /** Weight of alignment in stages 4 and 5. */
  readonly alignmentWeight: number;
  readonly firstToken: ScheduledWeight;
  readonly kToken: ScheduledWeight;
  readonly kd: ScheduledWeight;
  readonly manifold: ScheduledWeight;
  /** Share of the run before numbers are rounded. */
  readonly roundedFrom: number;
}

// Shares of the pretraining part.
const ALIGNMENT = 0.15;
const DESCENT = 0.65;
/** Answers begin the hand-over with this weight: at 0 the first step would have nothing to do. */
const FIRST_ANSWERS = 0.05;

const NO_ANSWERS: AnswerWeights = { answer: 0, firstToken: 0, kToken: 0, kd: 0, manifold: 0 };

/** @param progress share of the run that is done, in [0, 1) */
export function stageAt(plan: StagePlan, progress: number): Stage {
  const { latents, reconstructionWeight } = plan;
  const pretrain = reconstructionWeight > 0 ? plan.pretrainShare : 0;
  if (progress >= pretrain) return answerStage(plan, progress, pretrain);
  const start = Math.max(1, plan.startExpansion);
  const stage = (name: Stage['name'], expansion: number, weights: Partial<StageWeights>): Stage => ({
    name,
    weights: { ...NO_ANSWERS, alignment: 0, reconstruction: 0, ...weights },
    expansion,
    latents: Math.round(latents * expansion),
    rounded: progress >= plan.roundedFrom,
  });
  const within = progress / pretrain;
  if (within < ALIGNMENT) return stage('alignment', start, { alignment: 1 });
  const descent = (within - ALIGNMENT) / (DESCENT - ALIGNMENT);
  const reading = { reconstruction: 1, answer: plan.descentAnswerWeight };
  if (descent >= 1) return stage('reconstruction', 1, reading);
  // Geometric: each step down asks for the same share of more packing. Few steps, so that captured ones are used again.
  const level = Math.floor(descent * plan.descentLevels) / plan.descentLevels;
  return stage('descent', start ** (1 - level), reading);
}

/** The stage with `factor` times as many latents, where the wire has as many as it will have. */
export function expanded(stage: Stage, factor: number): Stage {
  if (factor === 1 || stage.name === 'alignment' || stage.name === 'descent') return stage;
  return { ...stage, expansion: stage.expansion * factor, latents: Math.round(stage.latents * factor) };
}

/** The stage without the text that is repeated beside answers; pretraining and hand-over are left as they are. */
export function answersAlone(stage: Stage): Stage {
  return stage.name === 'answers' ? { ...stage, weights: { ...stage.weights, reconstruction: 0 } } : stage;
}

function answerStage(plan: StagePlan, progress: number, pretrain: number): Stage {
  const handover = pretrain > 0 ? plan.handoverShare : 0;
  const taken = progress < pretrain + handover ? (progress - pretrain) / handover : 1;
  const share = FIRST_ANSWERS + (1 - FIRST_ANSWERS) * taken;
  const done = (progress - pretrain) / Math.max(Number.EPSILON, 1 - pretrain);
  const scheduled = ({ weight, warmup }: ScheduledWeight): number =>
    share * weight * (warmup > 0 ? Math.min(1, done / warmup) : 1);
  return {
    name: taken < 1 ? 'handover' : 'answers',
    weights: {
      answer: share,
      firstToken: scheduled(plan.firstToken),
      kToken: scheduled(plan.kToken),
      kd: scheduled(plan.kd),
      manifold: scheduled(plan.manifold),
      alignment: plan.alignmentWeight,
      reconstruction: 1 - taken + plan.reconstructionWeight * taken,
    },
    expansion: 1,
    latents: plan.latents,
    rounded: progress >= plan.roundedFrom,
  };
}

/** What a configuration asks for. @param tokens mean tokens of a text: its encoder's or its readers', the fewer */
export function stagePlan(
  { objective, wire }: Pick<RunConfig, 'objective' | 'wire'>,
  layout: LatentLayout,
  tokens: number,
  finest: number,
): StagePlan {
  return {
    latents: layout.slots,
    startExpansion: Math.min(layout.fullExpansion(tokens), finest / layout.slots),
    pretrainShare: objective.pretrain_share,
    descentLevels: objective.descent_levels,
    handoverShare: objective.handover_share,
    descentAnswerWeight: objective.descent_answer_weight,
    reconstructionWeight: objective.reconstruction_weight,
    alignmentWeight: objective.alignment_weight,
    firstToken: { weight: objective.first_token_weight, warmup: objective.first_token_warmup },
    kToken: { weight: objective.k_token_weight, warmup: objective.k_token_warmup },
    kd: { weight: distillationWeight({ objective }), warmup: objective.kd_warmup },
    manifold: { weight: objective.manifold_weight, warmup: objective.manifold_warmup },
    roundedFrom: wire.bits_start,
  };
}

/** Weight of distillation; 0 means that no teacher is needed. */
export function distillationWeight({ objective }: Pick<RunConfig, 'objective'>): number {
  return objective.disable_kd ? 0 : objective.kd_weight;
}
