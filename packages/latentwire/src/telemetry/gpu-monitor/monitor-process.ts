/**
 * The monitor as a process of its own: a training step may keep the event loop of its process busy for minutes, and
 * nothing here ever waits for the GPU. It ends when its parent closes standard input, which the kernel does for a parent
 * that was killed.
 *
 *   node monitor-process.js FILE [nvidia-smi]
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { JsonLinesWriter } from '../json-lines.js';
import { NVIDIA_SMI_ARGUMENTS, parseSample } from './sample.js';

const [file, program = 'nvidia-smi'] = process.argv.slice(2);
const writer = new JsonLinesWriter(file!);
const child = spawn(program, [...NVIDIA_SMI_ARGUMENTS], { stdio: ['ignore', 'pipe', 'ignore'] });

function end(): void {
  child.kill();
  writer.close();
  process.exit(0);
}

child.on('error', (error) => {
  writer.append({ time: new Date().toISOString(), message: `no GPU figures: ${error.message}` });
  end();
});
createInterface({ input: child.stdout }).on('line', (line) => {
  const row = parseSample(line, new Date());
  if (row !== undefined) writer.append(row);
});
child.on('exit', end);
process.stdin.on('end', end).on('close', end).resume();
// The run decides when it ends; a signal to the whole group must not stop the watching of its last save.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
