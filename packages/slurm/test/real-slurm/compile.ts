/** This package as plain JavaScript for jobs: Node 20 cannot run TypeScript, and `dist` may be older than the sources. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** Compiles into `folder`. @returns the path of index.js */
export function compilePackage(folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const source = path.join(packageRoot, 'src');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...[path.join(typescript, 'bin', 'tsc'), '--outDir', folder, '--rootDir', source, '--noCheck'],
      ...['--ignoreConfig', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'],
      path.join(source, 'index.ts'),
    ],
    { cwd: packageRoot, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`tsc failed:\n${stdout}${stderr}`);
  return path.join(folder, 'index.js');
}
