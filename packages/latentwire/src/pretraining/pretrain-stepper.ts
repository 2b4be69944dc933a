/**
 * One step of pretraining: forward, backward, clip, AdamW. On a GPU forward and backward are captured as one launch per
 * shape of batch (`RecordedSteps`): issued one by one, their kernels take ten times as long to issue as to run.
 */
import * as t from '@latentwire/torch';
import { type LanguageModel, namedWeights } from '../models/index.js';
import { type FactsBatch, NOISE_ROWS } from './batch.js';
import { factsLoss } from './facts-loss.js';

const WEIGHT_DECAY = 0.05;
const BETAS = [0.9, 0.98] as const;

export interface StepperOptions {
  /** Whether steps are captured; see `RecordedSteps`. */
  readonly mode: 'capture' | 'rehearse' | 'off';
  /** Whether batches ask for noise. */
  readonly noise: boolean;
  /** Seeds the table of noise. */
  readonly seed: t.random.RandomStream;
}

export class PretrainStepper implements Disposable {
  readonly #optimizer: t.optim.AdamW;
  readonly #params: readonly t.Tensor[];
  readonly #steps: t.cuda.RecordedSteps;
  readonly #noiseTable: t.Tensor | null;
  /** The mean loss of the target tokens of the step. */
  readonly #loss: t.Tensor;

  constructor(
    private readonly model: LanguageModel,
    { mode, noise, seed }: StepperOptions,
  ) {
    const { device, config } = model;
    this.#params = [...namedWeights(model.weights).values()];
    this.#optimizer = newOptimizer(model);
    this.#steps = new t.cuda.RecordedSteps({ mode, device });
    const generator = new t.Generator('cpu', seed.uint32At(0));
    this.#noiseTable = noise ? t.randn([NOISE_ROWS, config.hiddenSize], { generator }).to({ device }) : null;
    this.#loss = t.zeros([], { device });
    if (mode !== 'off') widestTables(model);
    t.optim.allocateGradients(this.#params);
  }

  get counts(): t.cuda.RecordedStepCounts {
    return this.#steps.counts;
  }

  /** @returns the mean loss of the target tokens, perhaps still being computed */
  update(batch: FactsBatch, lr: number): t.Tensor {
    for (const group of this.#optimizer.groups) group.lr = lr;
    this.#steps.run(shapeOf(batch), () => {
      t.scope(() => {
        const { total, target } = factsLoss(this.model, batch, this.#noiseTable);
        t.backward(total);
        t.noGrad(() => t.copy_(this.#loss, target));
      });
    });
    return t.scope(() => {
      t.optim.clipGradNorm(this.#params, 1);
      this.#optimizer.step();
      t.optim.zeroGradients(this.#params);
      return t.clone(this.#loss);
    });
  }

  [Symbol.dispose](): void {
    this.#steps.dispose();
    this.#optimizer.dispose();
    this.#noiseTable?.dispose();
    this.#loss.dispose();
    for (const p of this.#params) p.grad = null;
  }
}

/** Makes the tables of angles at their final size: a recording made before they grow would point to freed ones. */
function widestTables(model: LanguageModel): void {
  const { device, config } = model;
  t.scope(() =>
    t.noGrad(() => model.hidden(t.zeros([1, config.maxPositions, config.hiddenSize], { device }))),
  );
}

function shapeOf({ contexts, questions }: FactsBatch): string {
  const shape = [contexts, questions].map(({ rows, length, positions }) => [rows, length, positions.length]);
  return shape.flat().join(' ');
}

/** Weight decay on matrices only. */
function newOptimizer(model: LanguageModel): t.optim.AdamW {
  const all = [...namedWeights(model.weights)];
  const group = (matrices: boolean): Map<string, t.Tensor> =>
    new Map(all.filter(([, tensor]) => (tensor.shape.length === 2) === matrices));
  return new t.optim.AdamW([
    { params: group(true), lr: 0, betas: BETAS, weightDecay: WEIGHT_DECAY },
    { params: group(false), lr: 0, betas: BETAS, weightDecay: 0 },
  ]);
}
