/**
 * What a command file looks like. It exports one `CliCommand` and imports nothing heavy at the top: `run` loads
 * what it needs with `import()`, so that `latentwire --help` stays fast and never loads libtorch.
 *
 *   export const score: CliCommand = {
 *     name: 'score',
 *     summary: 'Official exact match and F1 of a prediction file',
 *     declare: (command) => command.requiredOption('--dataset <file>', '…'),
 *     async run(call) {
 *       const { scoreSquad } = await import('../evaluation/scoring/index.js');
 *       …
 *       return { json: { f1 }, text: `F1 ${f1}` };
 *     },
 *   };
 *
 * The frame (program.ts) adds --json and --debug, prints the result, and turns errors into messages and exit
 * codes. A command never prints its result itself; what it says meanwhile goes to `call.logger` (stderr).
 */
import type { Command } from 'commander';
import type { Assignment, RunConfig } from '../config/index.js';
import type { JsonRecord, Logger } from '../telemetry/index.js';

export interface CliCommand {
  readonly name: string;
  /** One line for `latentwire --help`. */
  readonly summary: string;
  /** Adds the settings of these configuration groups as flags, with --config and --set. */
  readonly settings?: 'all' | readonly (keyof RunConfig)[];
  /** Adds the command's own options and arguments. */
  readonly declare?: (command: Command) => unknown;
  run(call: CommandCall): Promise<CommandResult>;
}

export interface CommandCall {
  /** The command's own options, as commander names them (`--dev-file` is `devFile`). */
  readonly options: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
  readonly logger: Logger;
  readonly debug: boolean;
  /** What --set and setting flags gave, in order; for commands that change a stored configuration. */
  readonly assignments: readonly Assignment[];
  /** Defaults < environment < --config file < flags, checked. @throws LatentWireError `input` */
  config(): RunConfig;
}

export interface CommandResult {
  /** The one object that --json prints. */
  readonly json: JsonRecord;
  /** What people read. */
  readonly text: string;
  /** 0 by default; 1: it ran and the answer is "no" or "failed"; 85: the batch script should requeue this Slurm job. */
  readonly exitCode?: 0 | 1 | 2 | 85;
  /** Prints nothing: another process of the same command has the result. */
  readonly silent?: true;
}
