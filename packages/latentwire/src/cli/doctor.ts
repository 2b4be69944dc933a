/** `latentwire doctor`: what is wrong with a run, where that shows, and what to do. */
import fs from 'node:fs';
import path from 'node:path';
import { LatentWireError, nearestName } from '../errors.js';
import type { CliCommand } from './command.js';

export const doctor: CliCommand = {
  name: 'doctor',
  summary: 'find what is wrong with a run from its own files, and what to do about it; changes nothing',
  declare: (command) => command.argument('<run>', 'run directory'),
  async run({ args }) {
    const directory = path.resolve(args[0] ?? '');
    requireRun(directory);
    const { diagnose } = await import('../checklist/index.js');
    const diagnosis = diagnose(directory);
    const { findings, sound, healthy, state } = diagnosis;
    const blocks = findings.map(({ kind, cause, what, evidence, fix }) =>
      [
        `${kind === 'problem' ? '❌' : 'ℹ️ '} ${cause}: ${what}`,
        ...evidence.map(({ file, figure }) => `     ${file}: ${figure}`),
        `   → ${fix}`,
      ].join('\n'),
    );
    const rest = sound.length === 0 ? [] : [`in order: ${sound.join(', ')}`];
    const verdict = `${path.basename(directory)} (${state}): ${healthy ? 'healthy' : 'something is wrong'}`;
    return {
      json: { ...diagnosis },
      text: [...blocks, ...rest, verdict].join('\n\n'),
      exitCode: healthy ? 0 : 1,
    };
  },
};

/** A run has a config.json or logs; a mistyped name gets the nearest. */
function requireRun(directory: string): void {
  if (['config.json', 'logs', 'preempt_checkpoint'].some((name) => fs.existsSync(path.join(directory, name))))
    return;
  const root = path.dirname(directory);
  const near = nearestName(path.basename(directory), fs.existsSync(root) ? fs.readdirSync(root) : []);
  throw new LatentWireError(
    `expected a run directory at ${directory}, found ${fs.existsSync(directory) ? 'no run in it' : 'nothing'}`,
    {
      code: 'input',
      hint:
        near === undefined
          ? 'give the folder that --save-dir named; a run that was begun elsewhere is not found on resume either'
          : `did you mean ${path.join(root, near)}? A run is found by its name alone`,
    },
  );
}
