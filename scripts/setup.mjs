#!/usr/bin/env node
/**
 * Sets up a fresh clone: npm packages, torch, the native addon, compiled TypeScript. `npm run demo` and `npm test`
 * begin with it; a second run finds everything done. See docs/SETUP.md.
 *
 * Runs with nothing installed, and must at least start on Nodes too old for the rest: hence the late import.
 */
const MINIMUM_NODE = { major: 20, minor: 17 };

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < MINIMUM_NODE.major || (major === MINIMUM_NODE.major && minor < MINIMUM_NODE.minor)) {
  process.stderr.write(
    `\nerror: expected Node ${MINIMUM_NODE.major}.${MINIMUM_NODE.minor} or newer, got ${process.version} at ${process.execPath}\n` +
      '  fix: install Node 20 or newer and put it first on PATH (nvm install 20, or your package manager)\n',
  );
  process.exit(1);
}

const { setUp } = await import('./setup-steps.mjs');
process.exitCode = await setUp();
