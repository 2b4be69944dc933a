/**
 * Small operators whose time is overhead, not arithmetic: what our bridge costs per call. Each case builds its inputs
 * and returns the body to time; the Python twin of the same name is in peer.py.
 */
import * as t from '@latentwire/torch';

/** @type {Record<string, () => () => unknown>} */
export const cases = {
  'add [16]': () => {
    const [a, b] = [t.ones([16]), t.ones([16])];
    return () => t.add(a, b);
  },
  'mul by a number [16]': () => {
    const a = t.ones([16]);
    return () => t.mul(a, 0.5);
  },
  'matmul [16, 16]': () => {
    const [a, b] = [t.ones([16, 16]), t.ones([16, 16])];
    return () => t.matmul(a, b);
  },
  'linear [4, 16] -> [4, 16]': () => {
    const [x, w, b] = [t.ones([4, 16]), t.ones([16, 16]), t.ones([16])];
    return () => t.linear(x, w, b);
  },
  'view [16, 16] -> [4, 4, 16]': () => {
    const x = t.ones([16, 16]);
    return () => t.view(x, [4, 4, 16]);
  },
  'transpose [16, 16]': () => {
    const x = t.ones([16, 16]);
    return () => t.transpose(x, 0, 1);
  },
  'slice [16, 16]': () => {
    const x = t.ones([16, 16]);
    return () => t.slice(x, 0, 2, 10);
  },
  'softmax [4, 16]': () => {
    const x = t.ones([4, 16]);
    return () => t.softmax(x, -1);
  },
  'layer_norm [4, 16]': () => {
    const [x, w, b] = [t.ones([4, 16]), t.ones([16]), t.ones([16])];
    return () => t.layerNorm(x, w, b, 1e-5);
  },
  'rms_norm [4, 16]': () => {
    const [x, w] = [t.ones([4, 16]), t.ones([16])];
    return () => t.rmsNorm(x, w, 1e-6);
  },
  'cat 2 × [4, 16]': () => {
    const [a, b] = [t.ones([4, 16]), t.ones([4, 16])];
    return () => t.cat([a, b], 0);
  },
  'embedding [8] of [32, 16]': () => {
    const table = t.ones([32, 16]);
    const ids = t.arange(0, 8);
    return () => t.embedding(table, ids);
  },
  'sum [16, 16]': () => {
    const x = t.ones([16, 16]);
    return () => t.sum(x);
  },
  'add_ in place [16]': () => {
    const [a, b] = [t.ones([16]), t.ones([16])];
    return () => t.add_(a, b);
  },
  'MLP forward + backward [4, 16]': () => {
    const leaf = (/** @type {number[]} */ shape) => t.mul(t.ones(shape), 0.1).setRequiresGrad();
    const [w1, b1, w2, b2] = [leaf([32, 16]), leaf([32]), leaf([16, 32]), leaf([16])];
    const [x, y] = [t.ones([4, 16]), t.ones([4, 16])];
    const weights = [w1, b1, w2, b2];
    return () => {
      const h = t.gelu(t.linear(x, w1, b1));
      const loss = t.mseLoss(t.linear(h, w2, b2), y);
      t.backward(loss);
      t.zeroGrad(weights);
    };
  },
};
