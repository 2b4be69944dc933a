/**
 * Flags from the configuration schema. Their order on the command line is kept, so that `--set a.b=1 --b 2`
 * means what it says: the last one wins.
 */
import { type Command, Option } from 'commander';
import {
  type Assignment,
  assignPair,
  assignText,
  type ConfigField,
  configGroups,
  type RunConfig,
} from '../config/index.js';

export interface SettingFlags {
  /** Filled while the command line is parsed. */
  readonly assignments: Assignment[];
  configFile: string | undefined;
}

/** Both spellings of a flag work: `--latent_len` becomes `--latent-len`; values and what follows `--` stay. */
export function normalizeFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((argument, index) => {
    if (!argument.startsWith('--') || (end >= 0 && index >= end)) return argument;
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument : argument.slice(0, equals);
    return name.replaceAll('_', '-') + argument.slice(name.length);
  });
}

/** Adds --config, --set and one flag per setting of `groups` to `command`. */
export function addSettings(command: Command, groups: 'all' | readonly (keyof RunConfig)[]): SettingFlags {
  const flags: SettingFlags = { assignments: [], configFile: undefined };
  command.addOption(new Option('--config <file>', 'settings from a YAML file; flags win over it'));
  command.on('option:config', (file: string) => {
    flags.configFile = file;
  });
  command.addOption(new Option('--set <group.key=value>', 'any setting by its name in the file'));
  command.on('option:set', (pair: string) => flags.assignments.push(assignPair(pair)));

  for (const group of configGroups) {
    if (groups !== 'all' && !groups.includes(group.name as keyof RunConfig)) continue;
    for (const field of group.fields) {
      for (const name of [field.flag, ...(field.aliases ?? [])]) {
        const help = name === field.flag ? describe(field) : `the same as --${field.flag}`;
        addFlag(command, field, name, help, `${group.name}: ${group.help}`, flags.assignments);
      }
    }
  }
  return flags;
}

function addFlag(
  command: Command,
  field: ConfigField,
  name: string,
  help: string,
  heading: string,
  assignments: Assignment[],
): void {
  if (field.kind !== 'toggle') {
    command.addOption(new Option(`--${name} <${placeholder(field)}>`, help).helpGroup(heading));
    command.on(`option:${name}`, (text: string) => assignments.push(assignText(field, text, `--${name}`)));
    return;
  }
  command.addOption(new Option(`--${name}`, help).helpGroup(heading));
  command.on(`option:${name}`, () =>
    assignments.push({ path: field.path, value: true, origin: `--${name}` }),
  );
  // Takes back what a file switched on.
  command.addOption(new Option(`--no-${name}`).hideHelp());
  command.on(`option:no-${name}`, () =>
    assignments.push({ path: field.path, value: false, origin: `--no-${name}` }),
  );
}

function describe(field: ConfigField): string {
  const choices =
    field.choices !== undefined && field.choices.length > 1 ? ` [${field.choices.join(', ')}]` : '';
  const silent = field.kind === 'toggle' || field.kind === 'list' || field.default === null;
  return `${field.help}${choices}${silent ? '' : ` (default ${String(field.default)})`}`;
}

function placeholder(field: ConfigField): string {
  if (field.kind === 'integer') return 'n';
  if (field.kind === 'number') return 'x';
  return field.kind === 'list' ? 'id' : 'text';
}
