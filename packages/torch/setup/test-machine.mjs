/**
 * A make-believe machine for the set-up's tests: its own PATH, home, cache and copy of the package, with stub
 * programs where a test wants them. Nothing outside its folder is written, and no network is used.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { which } from './process.mjs';

const SETUP = dirname(fileURLToPath(import.meta.url));

/** @typedef {{ code: number, stderr: string, stdout: string }} Outcome */

/** @returns {string} the interpreter behind `python3` */
export function realPython() {
  return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
}

/** @type {Buffer | undefined} */
let library;

/** A shared library that links, with nothing in it. */
function emptyLibrary() {
  if (library) return library;
  const folder = mkdtempSync(join(tmpdir(), 'latentwire-library-'));
  execFileSync('g++', ['-shared', '-x', 'c++', '/dev/null', '-o', join(folder, 'empty.so')]);
  library = readFileSync(join(folder, 'empty.so'));
  rmSync(folder, { recursive: true });
  return library;
}

export class TestMachine {
  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'latentwire-machine-'));
    this.bin = join(this.root, 'bin');
    this.cache = join(this.root, 'cache');
    this.package = join(this.root, 'package');
    for (const folder of [this.bin, join(this.package, 'native')]) mkdirSync(folder, { recursive: true });
    cpSync(SETUP, join(this.package, 'setup'), { recursive: true });
    writeFileSync(join(this.package, 'package.json'), '{"type":"module"}');
    this.writeSource('fake addon');
    const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
    mkdirSync(join(this.package, 'node_modules'));
    symlinkSync(headers, join(this.package, 'node_modules/node-api-headers'));
    this.link('sh', 'ldd', 'cat', 'chmod', 'cp', 'mkdir', 'rm');
  }

  remove() {
    rmSync(this.root, { recursive: true, force: true });
  }

  /**
   * The addon's source: a Node addon that needs nothing of torch.
   * @param {string} greeting  a changed one makes a changed source
   */
  writeSource(greeting) {
    writeFileSync(
      join(this.package, 'native/addon.cc'),
      `#include <node_api.h>
       NAPI_MODULE_INIT() { napi_value text; napi_create_string_utf8(env, "${greeting}", NAPI_AUTO_LENGTH, &text); return text; }\n`,
    );
  }

  /**
   * Puts real programs on the machine's PATH.
   * @param {...string} names
   */
  link(...names) {
    for (const name of names) {
      // `python3` may be a version manager's shim, which needs a whole PATH; the interpreter itself does not.
      const real = name === 'python3' ? realPython() : which(name);
      if (!real) throw new Error(`this test needs ${name} on PATH`);
      // A symbolic link would change argv[0], by which compiler drivers and Python find their files.
      this.stub(name, `exec ${real} "$@"`);
    }
  }

  /**
   * Puts a shell script on the machine's PATH.
   * @param {string} name
   * @param {string} script
   * @param {string} [folder]
   */
  stub(name, script, folder = this.bin) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /**
   * A python3 that answers the probe with what it is told.
   * @param {{ torch?: string | null, ensurepip?: boolean, pip?: boolean }} facts  torch: folder of the package
   * @param {string} [otherwise]  what it does when asked anything else
   */
  stubPython({ torch = null, ensurepip = true, pip = true }, otherwise = 'exit 1') {
    const answer = JSON.stringify({
      executable: join(this.bin, 'python3'),
      version: [3, 11, 7],
      torch: torch ? join(torch, '__init__.py') : null,
      ensurepip,
      pip,
    });
    this.stub('python3', `case "$*" in *probe.py) echo '${answer}'; exit 0;; esac\n${otherwise}`);
  }

  /**
   * A folder that looks like a torch package; its libraries are real ones, without content.
   * @param {string} [version]
   * @param {string} [folder]
   * @returns {string}
   */
  fakeTorch(version = '2.13.0+cpu', folder = join(this.root, 'site/torch')) {
    for (const sub of ['lib', 'include/ATen', 'include/c10/core'])
      mkdirSync(join(folder, sub), { recursive: true });
    writeFileSync(join(folder, 'version.py'), `__version__ = '${version}'\ncuda = None\n`);
    writeFileSync(
      join(folder, 'include/ATen/ATen.h'),
      '#error C++17 or later compatible compiler is required\n',
    );
    writeFileSync(join(folder, 'include/c10/core/Device.h'), '');
    for (const name of ['libc10.so', 'libtorch_cpu.so'])
      writeFileSync(join(folder, 'lib', name), emptyLibrary());
    return folder;
  }

  /** A compiler that works and counts its compilations in `compilations`. */
  linkCompiler() {
    const count = `case "$*" in *--version*) ;; *) echo x >> ${join(this.root, 'compilations')};; esac`;
    this.stub('g++', `${count}\nexec ${which('g++')} "$@"`);
    this.link('as', 'ld'); // which the compiler looks for on PATH
  }

  /** How often the linked compiler compiled. */
  get compilations() {
    const file = join(this.root, 'compilations');
    return existsSync(file) ? readFileSync(file, 'utf8').length / 2 : 0;
  }

  /** Addons in the cache, finished ones only. */
  get addons() {
    const folder = join(this.cache, 'addon');
    return existsSync(folder) ? readdirSync(folder).filter((name) => !name.endsWith('.making')) : [];
  }

  /**
   * The whole environment of the machine; nothing of the test runner's leaks in.
   * @param {import('./process.mjs').Env} [more]
   * @returns {import('./process.mjs').Env}
   */
  env(more = {}) {
    return {
      PATH: this.bin,
      HOME: this.root,
      LATENTWIRE_CACHE: this.cache,
      LATENTWIRE_APT: '0',
      LATENTWIRE_CUDA: '0',
      ...more,
    };
  }

  /**
   * Runs latentwire-torch-setup on the machine.
   * @param {import('./process.mjs').Env} [env]
   * @param {readonly string[]} [args]
   * @returns {Promise<Outcome>}
   */
  setUp(env = {}, args = ['--json']) {
    return this.start(env, args).outcome;
  }

  /**
   * @param {import('./process.mjs').Env} [env]
   * @param {readonly string[]} [args]
   */
  start(env = {}, args = ['--json']) {
    const child = spawn(process.execPath, [join(this.package, 'setup/cli.mjs'), ...args], {
      cwd: this.root,
      env: this.env(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    /** @type {Promise<Outcome>} */
    const outcome = new Promise((resolve) => {
      child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    });
    return { child, outcome };
  }
}
