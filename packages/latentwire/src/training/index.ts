/** Training and evaluation of runs. */

export { type AttemptOptions, type AttemptResult, endingOf, runAttempt, SUPERVISED } from './attempt.js';
export { type CheckpointState, findCheckpoint, parseState, type RunIdentity } from './checkpoint/index.js';
export { DRILLS, type Drill, type DrillOptions, type DrillResult, runDrill } from './drill.js';
export { type FollowReport, follow } from './follow.js';
export { chooseReader, type Incoming, openReceiver, Receiver, type ReceiverOptions } from './receiver.js';
export { type Outgoing, openSender, Sender, type SenderOptions, type SentMessage } from './sender.js';
export { placeOf } from './team/index.js';
export { evaluateSaved, type StoppedReport, type TrainIo, type TrainReport, train } from './train.js';
export { type Check, compareRuns, type Verification, verifyRun } from './verification.js';
