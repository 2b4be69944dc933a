/**
 * The frame of the command line: parses, runs one command, prints its result or its failure, and returns the
 * exit code (design §4: 0 done, 1 failed, 2 bad usage or input).
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { resolveConfig } from '../config/index.js';
import { createLogger } from '../telemetry/index.js';
import { aggregate } from './aggregate.js';
import { checklist } from './checklist.js';
import type { CliCommand, CommandCall, CommandResult } from './command.js';
import { decode } from './decode.js';
import { demo } from './demo.js';
import { doctor } from './doctor.js';
import { drill } from './drill.js';
import { encode } from './encode.js';
import { evaluate } from './eval.js';
import { failureOf, formatFailure } from './failure.js';
import { figures } from './figures.js';
import { gpu } from './gpu.js';
import { inspect } from './inspect.js';
import { launch } from './launch.js';
import { logs } from './logs.js';
import { plan } from './plan.js';
import { pretrain } from './pretrain.js';
import { query } from './query.js';
import { report } from './report.js';
import { run } from './run.js';
import { score } from './score.js';
import { addSettings, normalizeFlags } from './settings.js';
import { slurm } from './slurm.js';
import { stats } from './stats.js';
import { status } from './status.js';
import { tokenize } from './tokenize.js';
import { train } from './train.js';
import { verify } from './verify.js';

/** All commands, in the order of `latentwire --help`. */
export const commands: readonly CliCommand[] = [
  demo,
  train,
  launch,
  evaluate,
  verify,
  drill,
  checklist,
  doctor,
  figures,
  encode,
  decode,
  score,
  plan,
  run,
  status,
  logs,
  gpu,
  aggregate,
  slurm,
  query,
  report,
  stats,
  inspect,
  tokenize,
  pretrain,
];

/** Where output goes; process.stdout and process.stderr by default. */
export interface CliOutput {
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Runs `latentwire` with the arguments after the program name. Never throws; resolves to the exit code. */
export async function runCli(
  argv: readonly string[],
  output: CliOutput = processOutput,
  available: readonly CliCommand[] = commands,
): Promise<0 | 1 | 2 | 85> {
  const args = normalizeFlags(argv);
  // What follows `--` belongs to another program.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const json = own.includes('--json');
  const debug = own.includes('--debug');
  try {
    let outcome: CommandResult | undefined;
    const program = createProgram(available, output, (result) => {
      outcome = result;
    });
    await withResultOnly(json, () => program.parseAsync([...args], { from: 'user' }));
    if (outcome === undefined) return 0;
    if (outcome.silent !== true)
      output.stdout(json ? `${JSON.stringify(outcome.json)}\n` : `${outcome.text.trimEnd()}\n`);
    return outcome.exitCode ?? 0;
  } catch (error) {
    // commander has printed its usage errors; help and --version arrive here too.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      const message = error.message.replace(/^error: /, '');
      if (json) output.stdout(`${JSON.stringify({ error: { code: 'input', message } })}\n`);
      return 2;
    }
    const failure = failureOf(error);
    output.stderr(formatFailure(failure, error, debug));
    const { exitCode, ...fields } = failure;
    if (json) output.stdout(`${JSON.stringify({ error: fields })}\n`);
    return exitCode;
  }
}

function createProgram(
  available: readonly CliCommand[],
  output: CliOutput,
  done: (result: CommandResult) => void,
): Command {
  const program = new Command('latentwire');
  program
    .description('Language models that talk to each other in latent vectors instead of text')
    .version(packageVersion())
    .configureOutput({ writeOut: output.stdout, writeErr: output.stderr })
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride();
  for (const definition of available) addCommand(program, definition, output, done);
  return program;
}

function addCommand(
  program: Command,
  definition: CliCommand,
  output: CliOutput,
  done: (result: CommandResult) => void,
): void {
  const command = program.command(definition.name).description(definition.summary);
  definition.declare?.(command);
  const settings = definition.settings && addSettings(command, definition.settings);
  command.option('--json', 'print one JSON object on stdout; everything else goes to stderr');
  if (!command.options.some((option) => option.long === '--debug')) {
    command.option('--debug', 'log more, and show stack traces');
  }
  command.action(async () => {
    const options = command.opts();
    const debug = options.debug === true;
    const assignments = settings?.assignments ?? [];
    const logger = createLogger({ level: debug ? 'debug' : 'info', write: (line) => output.stderr(line) });
    const call: CommandCall = {
      options,
      args: command.args,
      logger,
      debug,
      assignments,
      config: () =>
        resolveConfig({
          ...{ file: settings?.configFile, assignments, environment: process.env },
          onEnvironment: (notes) => {
            for (const { variable, effect } of notes) logger.info(`environment: ${variable}`, { effect });
          },
        }),
    };
    done(await definition.run(call));
  });
}

/** With --json, whatever a library prints to stdout meanwhile goes to stderr: stdout carries the result alone. */
async function withResultOnly(json: boolean, action: () => Promise<unknown>): Promise<void> {
  if (!json) {
    await action();
    return;
  }
  const { stdout, stderr } = process;
  const original = stdout.write;
  // Bound now: a log tee that starts later must not see this output twice.
  stdout.write = stderr.write.bind(stderr) as typeof stdout.write;
  try {
    await action();
  } finally {
    stdout.write = original;
  }
}

const processOutput: CliOutput = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
};

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
