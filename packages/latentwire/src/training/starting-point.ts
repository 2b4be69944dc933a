/** Where a training begins, by the settings: at the first step, at its own checkpoint, or at one that was named. */
import fs from 'node:fs';
import type { RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import type { Logger, RunPaths } from '../telemetry/index.js';
import { namedCheckpoint, type OpenedCheckpoint, ownCheckpoint } from './checkpoint/index.js';

export interface StartingPoint extends Disposable {
  readonly opened: OpenedCheckpoint;
  /** It is this run's own checkpoint, not one that `--resume-from` named. */
  readonly own: boolean;
}

/**
 * The checkpoint to go on from; undefined: at the beginning.
 * @throws LatentWireError `state` when the run has one and nothing says what to do with it; `format` when it is damaged
 */
export function startingPoint(
  { checkpoint }: RunConfig,
  paths: RunPaths,
  logger: Logger,
): StartingPoint | undefined {
  const found = (opened: OpenedCheckpoint, own: boolean) => ({
    opened,
    own,
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  });
  if (checkpoint.restart) {
    logger.info('starting anew; the checkpoint that is there is replaced by the first one of this training');
    return undefined;
  }
  const own = ownCheckpoint(paths, logger.warn);
  if (own !== undefined && checkpoint.auto_resume) return found(own, true);
  if (checkpoint.resume_from !== null) {
    const named = namedCheckpoint(checkpoint.resume_from);
    const same = own !== undefined && fs.realpathSync(named.file.path) === fs.realpathSync(own.file.path);
    own?.[Symbol.dispose]();
    if (own === undefined || same) return found(named, same);
    named[Symbol.dispose]();
  }
  if (own === undefined) return undefined;
  const { step } = own.state;
  own[Symbol.dispose]();
  throw new LatentWireError(`expected a new run, but ${paths.directory} has a checkpoint of step ${step}`, {
    code: 'state',
    hint: 'go on with it: --auto-resume; begin anew: --restart; keep it: another --save-dir',
  });
}
