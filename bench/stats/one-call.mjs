/** One call in a fresh process, for its peak memory: node one-call.mjs mean|paired|none. Prints one JSON line. */
import { bootstrapCI } from '../../packages/stats/dist/index.js';
import { pair } from './data.mjs';

const { a, b } = pair(10_570);
const before = process.memoryUsage().rss / 2 ** 20;
const start = performance.now();
if (process.argv[2] === 'mean') bootstrapCI(a, { resamples: 10_000 });
if (process.argv[2] === 'paired') bootstrapCI({ a, b, paired: true }, { resamples: 10_000 });
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ seconds, beforeMb: before, maxRssMb: process.resourceUsage().maxRSS / 1024 }));
