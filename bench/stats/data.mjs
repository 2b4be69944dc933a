/** Token-F1-like scores of methods on one set of items, the same in every run. */

/** @param {number} seed */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Two methods on the same n items, continuous scores. @param {number} n */
export function pair(n) {
  const random = generator(7);
  const b = Array.from({ length: n }, () => random());
  const a = b.map((score) => Math.min(1, 0.6 * score + 0.4 * random() + 0.01));
  return { a, b };
}

/**
 * A baseline and `methods` methods on `metrics` metrics, every third of them right or wrong, the others continuous.
 * @param {number} n @param {number} methods @param {number} metrics
 */
export function table(n, methods, metrics) {
  const random = generator(11);
  const items = Array.from({ length: n }, (_, i) => `q${i}`);
  const difficulty = items.map(() => random());
  /** @type {Record<string, Record<string, object>>} */
  const scores = {};
  for (let m = 0; m <= methods; m++) {
    const name = m === 0 ? 'text_only' : `method_${m}`;
    scores[name] = {};
    for (let k = 0; k < metrics; k++) {
      const values = difficulty.map((d) => 0.5 * d + 0.5 * random() + 0.005 * m);
      scores[name][`metric_${k}`] = {
        items,
        scores: k % 3 === 0 ? values.map((v) => (v > 0.5 ? 1 : 0)) : values,
      };
    }
  }
  return { baseline: 'text_only', methods: scores };
}
