/**
 * Compiles the sources that a child process of a test needs, because Node 20 cannot run TypeScript and `dist`
 * may be older than the sources. The result lies under node_modules so that bare imports resolve.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
const repository = path.join(packageRoot, '..', '..');

export interface CompiledSources {
  /** Absolute path of the JavaScript of `source`, a path inside src without extension. */
  file(source: string): string;
  remove(): void;
}

/** @param entries paths inside src, e.g. `telemetry/index.ts`; what they import is compiled too. */
export function compileSources(...entries: readonly string[]): CompiledSources {
  const cache = path.join(repository, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const root = mkdtempSync(path.join(cache, 'latentwire-test-'));
  // dist lies one level below package.json, and so does this copy: version look-ups find it.
  const out = path.join(root, 'dist');
  cpSync(path.join(packageRoot, 'package.json'), path.join(root, 'package.json'));
  const tsc = path.join(
    path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin',
    'tsc',
  );
  const flags = ['--outDir', out, '--rootDir', path.join(packageRoot, 'src'), '--noCheck', '--ignoreConfig'];
  const target = ['--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', '--types', 'node'];
  const sources = entries.map((entry) => path.join(packageRoot, 'src', entry));
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, ...flags, ...target, ...sources], {
    cwd: packageRoot,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`tsc failed:\n${stdout}${stderr}`);
  return {
    file: (source) => path.join(out, `${source}.js`),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
