/** `latentwire logs`: what a run printed, and with -f what it prints. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError, nearestName } from '../errors.js';
import type { CliCommand } from './command.js';
import { readPart } from './read-part.js';

export const logs: CliCommand = {
  name: 'logs',
  summary: 'show the log of a cell or run; -f follows it over requeues',
  declare: (command) =>
    command
      .argument('<cell>', 'a run directory, its name, or the first letters of its name or id')
      .option('--experiment-dir <folder>', 'where to look for it', 'runs')
      .option('-n, --lines <n>', 'lines to begin with', Number, 40)
      .option('-f, --follow', 'go on until interrupted, or until the run has ended'),
  async run({ args, options }) {
    const { cellFiles } = await import('../experiments/index.js');
    const { readStatus } = await import('../telemetry/index.js');
    const { experimentDir, lines, follow } = options as {
      experimentDir: string;
      lines: number;
      follow?: boolean;
    };
    const directory = findRunDirectory(args[0] ?? '', experimentDir);
    const files = [
      path.join(directory, 'logs', 'latest.log'),
      cellFiles(path.dirname(directory), path.basename(directory)).output,
    ];
    const file = files.find((candidate) => existsSync(candidate));
    if (file === undefined) {
      throw new LatentWireError(`${directory} has no log yet`, { code: 'state', hint: 'it has not started' });
    }
    const begin = tail(file, lines);
    if (follow !== true) return { json: { file, text: begin.text }, text: begin.text };
    process.stderr.write(begin.text);
    const ended = () => {
      const state = readStatus(path.join(directory, 'status.json'))?.state;
      return state !== 'running' && state !== 'queued' && state !== undefined;
    };
    await followFile(file, begin.position, (text) => process.stderr.write(text), ended);
    return { json: { file }, text: file };
  },
};

/** A run directory, a run's name, or the only run whose name or id begins so. */
function findRunDirectory(wanted: string, root: string): string {
  if (existsSync(path.join(wanted, 'logs'))) return path.resolve(wanted);
  const roots = existsSync(root)
    ? [
        root,
        ...readdirSync(root, { withFileTypes: true }).flatMap((e) =>
          e.isDirectory() && !e.name.startsWith('.') ? [path.join(root, e.name)] : [],
        ),
      ]
    : [];
  const runs = roots.flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() && existsSync(path.join(folder, entry.name, 'logs'))
        ? [path.join(folder, entry.name)]
        : [],
    ),
  );
  const exact = runs.filter((run) => path.basename(run) === wanted);
  const matching = exact.length > 0 ? exact : runs.filter((run) => matches(path.basename(run), wanted));
  if (matching.length === 1) return path.resolve(matching[0]!);
  if (matching.length > 1) {
    throw new LatentWireError(
      `${wanted} could be ${matching
        .slice(0, 4)
        .map((run) => path.basename(run))
        .join(', ')}${matching.length > 4 ? ', …' : ''}`,
      {
        code: 'input',
        hint: 'write more of its name',
      },
    );
  }
  const near = nearestName(
    wanted,
    runs.map((run) => path.basename(run)),
  );
  throw new LatentWireError(`expected a run named ${wanted} under ${root}, found none`, {
    code: 'input',
    hint: near === undefined ? 'latentwire status lists the runs' : `did you mean ${near}?`,
  });
}

function matches(name: string, wanted: string): boolean {
  return wanted !== '' && (name.startsWith(wanted) || (name.split('-').at(-1) ?? '').startsWith(wanted));
}

function tail(file: string, lines: number): { readonly text: string; readonly position: number } {
  const { size } = statSync(file);
  const text = readPart(file, Math.max(0, size - 400 * Math.max(1, lines)), size);
  return {
    text: text
      .split(/(?<=\n)/)
      .slice(-lines)
      .join(''),
    position: size,
  };
}

/** `latest.log` becomes the log of the next attempt: a shorter or another file is read from its start. */
async function followFile(
  file: string,
  position: number,
  print: (text: string) => void,
  ended: () => boolean,
): Promise<void> {
  let at = position;
  let inode = statSync(file).ino;
  for (;;) {
    const last = ended();
    const now = statSync(file, { throwIfNoEntry: false });
    if (now !== undefined) {
      if (now.ino !== inode || now.size < at) at = 0;
      inode = now.ino;
      if (now.size > at) print(readPart(file, at, now.size));
      at = now.size;
    }
    if (last) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
