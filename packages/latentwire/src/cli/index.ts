/** The command line. */
export type { CliCommand, CommandCall, CommandResult } from './command.js';
export { type CliOutput, commands, runCli } from './program.js';
