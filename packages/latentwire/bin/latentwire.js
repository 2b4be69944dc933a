#!/usr/bin/env node
// Committed beside the build so that npm can link the command before anything is built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('error: latentwire is not built yet\nhint: run npm run setup in the repository\n');
  process.exitCode = 1;
}
