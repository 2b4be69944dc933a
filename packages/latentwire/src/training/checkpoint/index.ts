/** Checkpoints: what they hold, how they are written and found, what they belong to. */
export { checkpointPath, findCheckpoint } from './files.js';
export { type RunIdentity, requireSameIdentity, runIdentity } from './identity.js';
export {
  loadStartingWeights,
  loadWire,
  namedCheckpoint,
  type OpenedCheckpoint,
  ownCheckpoint,
  restore,
} from './load.js';
export { CheckpointSaver } from './saver.js';
export { type CheckpointState, parseState } from './state.js';
export { checkpointTensors, liveDigests, savedDigests, type TrainedTensors } from './tensors.js';
