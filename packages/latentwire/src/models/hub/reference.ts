/** What a user may write for a model: a folder, a GGUF file, or a name on the model hub. */
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LatentWireError, nearestName } from '../../errors.js';

export type ModelReference =
  | { readonly kind: 'folder' | 'gguf'; readonly path: string }
  | {
      readonly kind: 'hub';
      /** `owner/name` */
      readonly id: string;
      /** Branch, tag or commit. */
      readonly revision: string;
      /** One GGUF file of the repository, or undefined for a Hugging Face model. */
      readonly file: string | undefined;
    };

const NAME = /^[\w][\w.-]*$/;
const DEFAULT_REVISION = 'main';
/** Models that come with the package: `bundled:NAME`, the same words on every machine. */
const BUNDLED = 'bundled:';
const BUNDLED_FOLDER = fileURLToPath(new URL('../../../assets/', import.meta.url));

/**
 * `bundled:name`, `path/to/folder`, `path/to/file.gguf`, `owner/name`, `owner/name@revision` or `owner/name/file.gguf@revision`.
 * What exists on disk is never looked for on the hub.
 * @throws LatentWireError 'input' when it is none of these.
 */
export function parseReference(reference: string): ModelReference {
  if (reference.startsWith(BUNDLED)) return bundledModel(reference.slice(BUNDLED.length));
  const found = fs.statSync(reference, { throwIfNoEntry: false });
  if (found?.isDirectory()) return { kind: 'folder', path: reference };
  if (found?.isFile() && reference.endsWith('.gguf')) return { kind: 'gguf', path: reference };
  if (found !== undefined) {
    throw new LatentWireError(`expected a model folder or a .gguf file, got the file ${reference}`, {
      code: 'input',
      hint: 'name the folder that holds config.json',
    });
  }
  return parseHubName(reference) ?? noSuchModel(reference);
}

function bundledModel(name: string): ModelReference {
  const names = fs
    .readdirSync(BUNDLED_FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && fs.existsSync(`${BUNDLED_FOLDER}${entry.name}/config.json`))
    .map((entry) => entry.name);
  if (names.includes(name)) return { kind: 'folder', path: `${BUNDLED_FOLDER}${name}` };
  const near = nearestName(name, names);
  throw new LatentWireError(`expected a bundled model (${names.join(', ')}), got '${name}'`, {
    code: 'input',
    hint: near === undefined ? `for example ${BUNDLED}${names[0]}` : `did you mean ${BUNDLED}${near}?`,
  });
}

function parseHubName(reference: string): ModelReference | undefined {
  const [name, revision = DEFAULT_REVISION, ...rest] = reference.split('@');
  if (rest.length > 0 || !isRevision(revision)) return undefined;
  const parts = name!.split('/');
  if (parts.length < 2 || !parts.every((part) => NAME.test(part) && !part.includes('..'))) return undefined;
  const file = parts.slice(2).join('/');
  if (file !== '' && !file.endsWith('.gguf')) return undefined;
  if (file === '' && parts[1]!.endsWith('.gguf')) return undefined;
  return { kind: 'hub', id: `${parts[0]}/${parts[1]}`, revision, file: file === '' ? undefined : file };
}

function isRevision(revision: string): boolean {
  return (
    /^[\w./-]+$/.test(revision) && !revision.split('/').some((part) => part === '' || /^\.+$/.test(part))
  );
}

function noSuchModel(reference: string): never {
  throw new LatentWireError(
    `expected a model folder, a .gguf file or owner/name on the hub, got '${reference}'`,
    {
      code: 'input',
      hint: 'check the path; hub names look like HuggingFaceTB/SmolLM2-135M-Instruct',
    },
  );
}
