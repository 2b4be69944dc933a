/** The set-up when things go well, again, at once, and after it was killed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realPython, TestMachine } from './test-machine.mjs';

/** @type {TestMachine} */
let machine;
beforeEach(() => {
  machine = new TestMachine();
});
afterEach(() => machine.remove());

test('builds an addon that Node loads and records where it is', async () => {
  machine.linkCompiler();
  const torch = machine.fakeTorch('2.13.0+cpu');
  const { code, stdout, stderr } = await machine.setUp({ LATENTWIRE_TORCH: torch });
  expect(stderr).toMatch(/torch +2\.13\.0\+cpu of LATENTWIRE_TORCH/);
  expect(code).toBe(0);
  const record = JSON.parse(stdout);
  expect(record).toMatchObject({ torch: '2.13.0+cpu', torchPath: torch, cuda: false });
  expect(existsSync(record.addon)).toBe(true);
  expect(JSON.parse(readFileSync(join(machine.package, 'build/addon.json'), 'utf8'))).toEqual(record);
});

test('a second run compiles nothing and changes no file', async () => {
  machine.linkCompiler();
  const torch = machine.fakeTorch();
  await machine.setUp({ LATENTWIRE_TORCH: torch });
  const before = readFileSync(join(machine.package, 'build/addon.json'), 'utf8');
  const { stderr } = await machine.setUp({ LATENTWIRE_TORCH: torch });
  expect(stderr).toMatch(/addon +up to date/);
  expect(machine.compilations).toBe(1);
  expect(readFileSync(join(machine.package, 'build/addon.json'), 'utf8')).toBe(before);
});

test('a changed source, compiler flag or torch builds anew; going back finds the old addon', async () => {
  machine.linkCompiler();
  const first = machine.fakeTorch('2.13.0');
  const second = machine.fakeTorch('2.14.0', join(machine.root, 'other/torch'));
  await machine.setUp({ LATENTWIRE_TORCH: first });
  machine.writeSource('changed');
  await machine.setUp({ LATENTWIRE_TORCH: first });
  await machine.setUp({ LATENTWIRE_TORCH: second });
  await machine.setUp({ LATENTWIRE_TORCH: second, CXX: 'g++ -g' });
  expect(machine.compilations).toBe(4);
  machine.writeSource('fake addon');
  await machine.setUp({ LATENTWIRE_TORCH: first });
  expect(machine.compilations).toBe(4);
});

test('a built addon is used where there is no compiler any more', async () => {
  machine.linkCompiler();
  const torch = machine.fakeTorch();
  const built = await machine.setUp({ LATENTWIRE_TORCH: torch });
  machine.stub('g++', 'exit 127');
  const again = await machine.setUp({ LATENTWIRE_TORCH: torch });
  expect(again.stderr).toMatch(/up to date \(no compiler here now\)/);
  expect(again.stdout).toBe(built.stdout);
});

test('python3 finds torch without importing it', async () => {
  machine.linkCompiler();
  machine.link('python3');
  const torch = machine.fakeTorch('2.9.0', join(machine.root, 'site/torch'));
  writeFileSync(join(torch, '__init__.py'), 'raise SystemExit("imported")\n');
  const { code, stdout } = await machine.setUp({ PYTHONPATH: join(machine.root, 'site') });
  expect(code).toBe(0);
  expect(JSON.parse(stdout).torchPath).toBe(torch);
});

test('a folder called torch in the working directory is not taken for a torch', async () => {
  machine.link('python3');
  mkdirSync(join(machine.root, 'torch'));
  writeFileSync(join(machine.root, 'file'), '');
  const { stderr } = await machine.setUp({ LATENTWIRE_CACHE: join(machine.root, 'file/cache') });
  expect(stderr).toMatch(/expected a cache folder to write to/); // that is: it went on to a private torch
});

test.each(['package', 'site folder', 'virtual environment', 'python'])(
  'LATENTWIRE_TORCH may be a %s',
  async (kind) => {
    machine.linkCompiler();
    const torch = machine.fakeTorch();
    machine.stubPython({ torch });
    machine.stub('python', `exec ${join(machine.bin, 'python3')} "$@"`, join(machine.root, 'venv/bin'));
    const path = {
      package: torch,
      'site folder': join(torch, '..'),
      'virtual environment': join(machine.root, 'venv'),
      python: join(machine.bin, 'python3'),
    }[kind];
    const { code, stdout } = await machine.setUp({ LATENTWIRE_TORCH: path });
    expect(code).toBe(0);
    expect(JSON.parse(stdout).torchPath).toBe(torch);
  },
);

test('two set-ups at once compile once', async () => {
  machine.linkCompiler();
  const torch = machine.fakeTorch();
  const outcomes = await Promise.all([1, 2, 3].map(() => machine.setUp({ LATENTWIRE_TORCH: torch })));
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(machine.compilations).toBe(1);
});

test('after a kill while compiling, the next run builds', async () => {
  const torch = machine.fakeTorch();
  machine.stub('g++', `case "$*" in *--version*) echo 'g++ 12';; *) echo started; exec sleep 60;; esac`);
  machine.link('sleep');
  const { child, outcome } = machine.start({ LATENTWIRE_TORCH: torch });
  const making = () =>
    existsSync(join(machine.cache, 'addon')) && readdirSync(join(machine.cache, 'addon')).length > 0;
  while (!making()) await sleep(20);
  child.kill('SIGKILL');
  await outcome;
  expect(machine.addons).toEqual([]);
  machine.linkCompiler();
  const { code, stderr } = await machine.setUp({ LATENTWIRE_TORCH: torch });
  expect(stderr).not.toMatch(/waiting for another/); // the dead holder's lock is not waited for
  expect(code).toBe(0);
});

test('an interrupt ends the compiler too and says that the same command continues', async () => {
  const torch = machine.fakeTorch();
  const pidFile = join(machine.root, 'compiler.pid');
  machine.stub(
    'g++',
    `case "$*" in *--version*) echo 'g++ 12';; *) echo $$ > ${pidFile}; exec sleep 60;; esac`,
  );
  machine.link('sleep');
  const { child, outcome } = machine.start({ LATENTWIRE_TORCH: torch });
  while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await sleep(20);
  child.kill('SIGINT');
  const { code, stderr } = await outcome;
  expect(code).toBe(130);
  expect(stderr).toMatch(/the same command continues from here/);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  while (isAlive(pid)) await sleep(20);
});

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('installs a private torch: wheel downloaded, unpacked without its CUDA half, addon built, downloads removed', async () => {
  machine.linkCompiler();
  stubInstall();
  const { code, stdout, stderr } = await machine.setUp();
  expect(stderr).toMatch(/installed torch 2\.15\.0\+cu132/);
  expect(code).toBe(0);
  const { torchPath } = JSON.parse(stdout);
  expect(torchPath).toBe(join(machine.cache, 'torch/2.15.0-cpu/torch'));
  expect(readdirSync(join(torchPath, 'lib')).sort()).toEqual(['libc10.so', 'libtorch_cpu.so']);
  expect(existsSync(join(torchPath, '__init__.py'))).toBe(false);
  expect(existsSync(join(torchPath, '../nvidia/cu13/lib/libcudart.so.13'))).toBe(true);
  expect(existsSync(join(machine.cache, 'downloads'))).toBe(false);

  const again = await machine.setUp();
  expect(again.stderr).toMatch(/of the cache/);
  expect(again.stdout).toBe(stdout);
});

test('a private torch killed while unpacking, and a half-made pip, are made anew', async () => {
  machine.linkCompiler();
  stubInstall();
  mkdirSync(join(machine.cache, 'torch/.making-cpu/torch/lib'), { recursive: true });
  mkdirSync(join(machine.cache, 'torch/2.14.0-cpu/torch'), { recursive: true }); // no marker: not one
  mkdirSync(join(machine.cache, 'pip/bin'), { recursive: true });
  machine.stub('python', 'exit 1', join(machine.cache, 'pip/bin'));
  const { code, stdout } = await machine.setUp();
  expect(code).toBe(0);
  expect(JSON.parse(stdout).torchPath).toBe(join(machine.cache, 'torch/2.15.0-cpu/torch'));
});

/** A python3 whose pip "downloads" wheels made here; unpacking is the real thing. */
function stubInstall() {
  const python = realPython();
  const store = join(machine.root, 'index');
  const site = join(machine.root, 'wheel');
  machine.fakeTorch('2.15.0+cu132', join(site, 'torch'));
  for (const name of ['libtorch_cuda.so', 'libc10_cuda.so', 'libtorch_python.so'])
    writeFileSync(join(site, 'torch/lib', name), 'big');
  writeFileSync(join(site, 'torch/__init__.py'), '');
  mkdirSync(join(site, 'torch-2.15.0.dist-info'));
  const requires = [
    'sympy>=1.13.3',
    'cuda-toolkit[cublas,cudart,cupti]==13.2.2; platform_system == "Linux"',
    'pyyaml; extra == "pyyaml"',
  ];
  const lines = [
    'Metadata-Version: 2.1',
    'Name: torch',
    'Version: 2.15.0',
    ...requires.map((line) => `Requires-Dist: ${line}`),
  ];
  writeFileSync(join(site, 'torch-2.15.0.dist-info/METADATA'), `${lines.join('\n')}\n`);
  const runtime = join(machine.root, 'runtime/nvidia/cu13/lib');
  mkdirSync(runtime, { recursive: true });
  writeFileSync(join(runtime, 'libcudart.so.13'), 'library');
  const zip = `import shutil,sys,os; os.makedirs('${store}',exist_ok=True)
for n,s in (('torch-2.15.0-cp311-cp311-linux_x86_64','${site}'),('nvidia_cuda_runtime-13.2.86-py3-none-any','${join(machine.root, 'runtime')}')): os.rename(shutil.make_archive('${store}/'+n,'zip',s),'${store}/'+n+'.whl')`;
  const venvPython = `#!/bin/sh
case "$*" in
  *unpack_wheel.py*) exec ${python} "$@";;
  *pip_resume.py*) while [ "$1" != --dest ]; do shift; done; mkdir -p "$2"
    case "$*" in
      *'cuda-toolkit[cudart,cupti]==13.2.2'*) cp ${store}/nvidia* "$2";;
      *torch==2.15.0*) cp ${store}/torch* "$2";;
      *) exit 1;;
    esac;;
  *index*) exit 1;;
esac`;
  writeFileSync(join(machine.root, 'pack.py'), zip);
  writeFileSync(join(machine.root, 'venv-python'), venvPython, { mode: 0o755 });
  machine.stubPython(
    {},
    `for last; do :; done
[ -d ${store} ] || ${python} ${join(machine.root, 'pack.py')}
mkdir -p "$last/bin"; cp ${join(machine.root, 'venv-python')} "$last/bin/python"`,
  );
}
