#!/usr/bin/env node
/** Entry point of `latentwire`. */
import { runCli } from './program.js';

// `latentwire … | head` closes the pipe early; that is not an error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

// Not process.exit: that would cut off output that a pipe has not taken yet.
process.exitCode = await runCli(process.argv.slice(2));
