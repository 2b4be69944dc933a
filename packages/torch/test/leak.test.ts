/**
 * Long training leaks neither tensors nor memory. The garbage collector frees no tensor (lifetime is explicit), so
 * anything left behind by a step adds up within 2,000 of them: 10 kB per step would be 20 MB.
 */
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';

const [BATCH, LENGTH, WIDTH, VOCABULARY] = [4, 8, 16, 32];
const MEBIBYTE = 2 ** 20;

/** Embedding, attention and MLP, trained to repeat its input. */
class TinyModel extends t.nn.Module {
  readonly table: t.nn.Embedding;
  readonly norm: t.nn.RMSNorm;
  readonly attention: t.nn.MultiheadAttention;
  readonly mlp: t.nn.MLP;

  constructor(generator: t.Generator) {
    super();
    const made = { generator };
    this.table = new t.nn.Embedding(VOCABULARY, WIDTH, made);
    this.norm = new t.nn.RMSNorm(WIDTH, 1e-6, made);
    this.attention = new t.nn.MultiheadAttention(WIDTH, 2, made);
    this.mlp = new t.nn.MLP(WIDTH, 2 * WIDTH, VOCABULARY, { ...made, dropout: 0.1 });
  }

  /** ids [B, T] -> logits [B, T, V] */
  forward(ids: t.Tensor): t.Tensor {
    const x = this.table.forward(ids);
    const y = this.norm.forward(x);
    return this.mlp.forward(t.add(x, this.attention.forward(y, y, y, { causal: true })), true);
  }
}

describe('2,000 training steps', () => {
  it('keep the number of live tensors and the memory of the process constant', () => {
    t.manualSeed(1);
    const generator = new t.Generator('cpu', 7);
    const model = new TinyModel(generator);
    const optimizer = new t.optim.AdamW([{ params: model.stateDict(), lr: 3e-3 }]);
    const step = (): number =>
      t.scope(() => {
        const ids = t.randint(0, VOCABULARY, [BATCH, LENGTH], { generator });
        const logits = t.view(model.forward(ids), [-1, VOCABULARY]);
        const loss = t.crossEntropy(logits, t.view(ids, [-1]));
        t.backward(loss);
        t.optim.clipGradNorm(model.parameters(), 1);
        optimizer.step();
        optimizer.zeroGrad();
        // Values leave for JavaScript each step, as metrics do.
        logits.toFloat32Array();
        return loss.item();
      });

    const first = step();
    for (let i = 0; i < 300; i++) step();
    const live = t.liveTensors();
    const before = process.memoryUsage().rss;
    let last = first;
    for (let i = 0; i < 2000; i++) {
      last = step();
      if (t.liveTensors() !== live) expect.fail(`step ${i}: ${t.liveTensors()} live tensors, ${live} before`);
    }
    const growth = process.memoryUsage().rss - before;
    expect(last).toBeLessThan(first / 10);
    expect(growth).toBeLessThan(20 * MEBIBYTE);
    optimizer.dispose();
    model.dispose();
  });
});
