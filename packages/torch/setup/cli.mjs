#!/usr/bin/env node
/**
 * `latentwire-torch-setup`: finds or installs torch and builds the addon, for projects that use @latentwire/torch.
 */
import { printError, SetupError, setUpTorch } from './index.mjs';
import { stopChildrenOnSignal } from './process.mjs';

const HELP = `Usage: latentwire-torch-setup [--json]

Finds a torch (LATENTWIRE_TORCH, then python3's, then a private one in the cache, installed if need be)
and builds the addon of @latentwire/torch against it. A second run has nothing to do and takes a moment.

  --json   print what was set up as one JSON object on stdout
  --help   print this

Environment: LATENTWIRE_TORCH, LATENTWIRE_CACHE, LATENTWIRE_CUDA=0|1, LATENTWIRE_APT=0, CXX, and pip's own.
`;

stopChildrenOnSignal(() => process.stderr.write('\nstopped; the same command continues from here\n'));
try {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => !['--json', '--help', '-h'].includes(arg));
  if (unknown !== undefined) {
    throw new SetupError('bad-argument', `expected --json or --help, got ${unknown}`, { fix: 'see --help' });
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP);
  } else {
    const record = await setUpTorch();
    if (args.includes('--json')) process.stdout.write(`${JSON.stringify(record)}\n`);
  }
} catch (error) {
  process.exitCode = printError(error);
}
