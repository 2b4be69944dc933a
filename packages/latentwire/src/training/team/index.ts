/** Several processes that train one wire, each on its part of every batch (docs/SEVERAL-GPUS.md). */
export { Agreement } from './agreement.js';
export { GradientSum } from './gradient-sum.js';
export { type Place, placeOf, takeOwnGpu } from './place.js';
export { partOf, type Shard } from './shard.js';
export { type Outcome, PeerFailed, Team } from './team.js';
