/**
 * Cluster profiles and job files (YAML). A profile holds what is the same for all jobs of a cluster; a job file names
 * a profile, a job and a command, and may change any field of the profile.
 *
 *   profile: marlowe
 *   name: main_experiment
 *   command: [node, packages/latentwire/bin/latentwire.js, run, experiments/main.yaml]
 *   array: 0-11%4               # optional, as sbatch writes it
 *   dependency: afterok:12:13   # optional
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type ClusterProfile,
  type JobSpec,
  jobFromProfile,
  parseArray,
  parseDependencies,
  parseProfile,
  profileFields,
} from '@latentwire/slurm';
import { parseDocument } from 'yaml';
import { LatentWireError, nearestName } from '../../errors.js';

/** Folders with profiles, the nearest first: of the working directory, of this checkout. */
function profileFolders(): string[] {
  return [
    path.resolve('slurm/profiles'),
    fileURLToPath(new URL('../../../../../slurm/profiles', import.meta.url)),
  ];
}

/** A profile by name (`marlowe`) or file (`my/cluster.yaml`). @throws LatentWireError `input`, SlurmError */
export function readProfile(nameOrFile: string): ClusterProfile {
  const isFile = nameOrFile.includes('/') || /\.ya?ml$/.test(nameOrFile);
  const file = isFile
    ? nameOrFile
    : profileFolders()
        .map((folder) => path.join(folder, `${nameOrFile}.yaml`))
        .find((candidate) => existsSync(candidate));
  if (file === undefined) {
    const names = profileNames();
    const near = nearestName(nameOrFile, names);
    throw new LatentWireError(`expected a cluster profile, got ${JSON.stringify(nameOrFile)}`, {
      code: 'input',
      hint:
        near === undefined
          ? `there are ${names.join(', ')}; or write slurm/profiles/${nameOrFile}.yaml`
          : `did you mean ${near}?`,
    });
  }
  return parseProfile(readYaml(file), file);
}

/** Names of the profiles that can be found from here. */
export function profileNames(): string[] {
  const files = profileFolders().flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []));
  return [...new Set(files.filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5)))].sort();
}

/** The job of a job file. @throws LatentWireError `input`, SlurmError `invalid-spec` */
export function readJobFile(file: string): JobSpec {
  const content = readYaml(file);
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw wrong(file, 'a mapping with profile, name and command', content);
  }
  const { profile, name, command, array, dependency, ...changes } = content as Record<string, unknown>;
  if (typeof profile !== 'string') throw wrong(`${file}: profile`, 'the name of a cluster profile', profile);
  if (typeof name !== 'string') throw wrong(`${file}: name`, 'the name of the job', name);
  if (!Array.isArray(command) || !command.every((word) => typeof word === 'string')) {
    throw wrong(`${file}: command`, 'a list of words', command);
  }
  const unknown = Object.keys(changes).find((key) => !(profileFields as string[]).includes(key));
  if (unknown !== undefined) {
    const near = nearestName(unknown, [...profileFields, 'array', 'dependency']);
    throw new LatentWireError(`${file}: unknown field ${JSON.stringify(unknown)}`, {
      code: 'input',
      ...(near !== undefined && { hint: `did you mean ${near}?` }),
    });
  }
  const cluster = readProfile(profile);
  const changed = parseProfile({ ...cluster, ...changes, name: cluster.name }, file);
  return jobFromProfile(changed, {
    ...{ name, command },
    // A single index is a number in YAML.
    ...(array !== undefined && { array: parseArray(String(array), `${file}: array`) }),
    ...(dependency !== undefined && {
      dependencies: parseDependencies(String(dependency), `${file}: dependency`),
    }),
  });
}

/** @throws LatentWireError `input` naming file, line and column */
function readYaml(file: string): unknown {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new LatentWireError(`cannot read ${file} (${reason})`, { code: 'input', cause: error });
  }
  const document = parseDocument(source);
  const problem = document.errors[0];
  if (problem !== undefined) {
    const [place] = problem.linePos ?? [];
    const where = place === undefined ? file : `${file}:${place.line}:${place.col}`;
    throw new LatentWireError(`${where}: ${problem.message.split('\n', 1)[0]}`, {
      code: 'input',
      cause: problem,
    });
  }
  return document.toJS();
}

function wrong(where: string, expected: string, got: unknown): LatentWireError {
  return new LatentWireError(`${where}: expected ${expected}, got ${JSON.stringify(got) ?? 'nothing'}`, {
    code: 'input',
  });
}
