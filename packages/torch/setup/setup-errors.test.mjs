/** Every error a person can meet: its text names the fix, there is no stack, and nothing half-made stays. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestMachine } from './test-machine.mjs';

/** @type {TestMachine} */
let machine;
beforeEach(() => {
  machine = new TestMachine();
});
afterEach(() => machine.remove());

/**
 * @param {import('./test-machine.mjs').Outcome} outcome
 * @param {RegExp} message
 * @param {RegExp} fix
 */
function expectError({ code, stderr, stdout }, message, fix) {
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^ {2}fix: \S/m);
  expect(stderr).toMatch(fix);
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(stdout).toBe('');
  expect(code).toBe(1);
}

describe('torch that was named or found', () => {
  test('LATENTWIRE_TORCH that does not exist', async () => {
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: '/no/such/torch' });
    expectError(
      outcome,
      /error: expected LATENTWIRE_TORCH .*, got \/no\/such\/torch, which does not exist/,
      /unset it/,
    );
  });

  test('LATENTWIRE_TORCH that is something else', async () => {
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: machine.root });
    expectError(outcome, /got .*, which is none of them/, /unset it/);
  });

  test('LATENTWIRE_TORCH that is a python without torch', async () => {
    machine.stubPython({});
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: join(machine.bin, 'python3') });
    expectError(
      outcome,
      /expected a torch in LATENTWIRE_TORCH=.*python3, found none/,
      /-m pip install 'torch>=2.6'/,
    );
  });

  test.each(['2.5.1', '1.13.1+cpu', '0.4.1'])('torch %s of python3 is too old', async (version) => {
    machine.stubPython({ torch: machine.fakeTorch(version) });
    const outcome = await machine.setUp();
    expectError(
      outcome,
      new RegExp(`expected torch 2\\.6 or newer, got ${version.replace('+', '\\+')} at .*site/torch`),
      /pip install --upgrade 'torch>=2.6'[\s\S]*LATENTWIRE_TORCH=private/,
    );
  });

  test('torch without headers, as some distributions pack it', async () => {
    const torch = machine.fakeTorch();
    rmSync(join(torch, 'include'), { recursive: true });
    machine.stubPython({ torch });
    expectError(
      await machine.setUp(),
      /expected include\/ATen\/ATen\.h in the torch 2\.13/,
      /--force-reinstall/,
    );
  });
});

describe('private torch', () => {
  test('no python3', async () => {
    const outcome = await machine.setUp();
    expectError(
      outcome,
      /expected python3 on PATH .*, found none/,
      /apt-get install -y python3 python3-venv/,
    );
  });

  test('a python3 that does not run', async () => {
    machine.stub('python3', 'echo "libpython3.11.so: cannot open shared object file" >&2; exit 127');
    const outcome = await machine.setUp();
    expectError(outcome, /expected python3 to run, got a failure/, /python3 --version/);
  });

  test('python3 without venv and pip', async () => {
    machine.stubPython({ ensurepip: false, pip: false });
    const outcome = await machine.setUp();
    expectError(
      outcome,
      /virtual environment with pip in it, got a failure/,
      /apt-get install -y python3\.11-venv/,
    );
    expect(existsSync(join(machine.cache, 'pip'))).toBe(false);
  });

  test.each([
    [
      'NewConnectionError: Failed to establish a new connection: [Errno 111] Connection refused',
      /Connection refused/,
    ],
    [
      'ERROR: Could not install packages due to an OSError: HTTPSConnectionPool: Max retries exceeded',
      /Max retries/,
    ],
  ])('no network: %s', async (line, detail) => {
    machine.stubPython(
      {},
      pipThat(
        `echo "WARNING: Retrying after connection broken by ${line}"; echo "ERROR: No matching distribution found for torch"; exit 1`,
      ),
    );
    const outcome = await machine.setUp();
    expectError(
      outcome,
      /expected to download torch with pip, got no connection/,
      /HTTPS_PROXY.*run the same command again/,
    );
    expect(outcome.stderr).toMatch(detail);
  });

  test('no torch for this Python on the index', async () => {
    machine.stubPython({}, pipThat('echo "ERROR: No matching distribution found for torch>=2.6"; exit 1'));
    const outcome = await machine.setUp();
    expectError(
      outcome,
      /expected a torch 2\.6 or newer for this Python and machine/,
      /put a python3 between/,
    );
  });

  test('disk filled up under pip', async () => {
    machine.stubPython(
      {},
      pipThat('echo "ERROR: Could not install packages: [Errno 28] No space left on device"; exit 1'),
    );
    const outcome = await machine.setUp();
    expectError(outcome, /the disk is full/, /LATENTWIRE_CACHE=/);
  });

  test('a cache folder that cannot be made', async () => {
    writeFileSync(join(machine.root, 'file'), '');
    const outcome = await machine.setUp({ LATENTWIRE_CACHE: join(machine.root, 'file/cache') });
    expectError(outcome, /expected a cache folder to write to, got ENOTDIR/, /LATENTWIRE_CACHE=/);
  });

  /**
   * A python3 whose virtual environments hold a pip that runs the given script when asked to download.
   * @param {string} script
   */
  function pipThat(script) {
    const pip = join(machine.root, 'venv-python');
    writeFileSync(pip, `#!/bin/sh\ncase "$*" in *pip_resume.py*) ${script};; *index*) exit 1;; esac\n`, {
      mode: 0o755,
    });
    return `for last; do :; done; mkdir -p "$last/bin"; cp ${pip} "$last/bin/python"`;
  }
});

describe('compiling', () => {
  test('no compiler', async () => {
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: machine.fakeTorch() });
    expectError(
      outcome,
      /expected a C\+\+ compiler \(g\+\+ or clang\+\+\) on PATH, found none/,
      /sudo apt-get install -y g\+\+/,
    );
  });

  test('CXX that does not run', async () => {
    machine.linkCompiler();
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: machine.fakeTorch(), CXX: '/opt/gcc-99/g++' });
    expectError(outcome, /expected CXX to be a C\+\+ compiler, got \/opt\/gcc-99\/g\+\+/, /correct CXX/);
  });

  test('sources that do not compile: first error line and path of the log', async () => {
    machine.linkCompiler();
    writeFileSync(join(machine.package, 'native/addon.cc'), '#include "missing.h"\nint main( {}\n');
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: machine.fakeTorch() });
    expectError(
      outcome,
      /expected g\+\+ to compile the addon against torch 2\.13\.0\+cpu, got an error/,
      /read the log/,
    );
    expect(outcome.stderr).toMatch(/addon\.cc:1:10: fatal error: missing\.h: No such file/);
    const log = /log: (\S+)/.exec(outcome.stderr)?.[1] ?? '';
    expect(readFileSync(log, 'utf8')).toMatch(/missing\.h/);
    expect(machine.addons).toEqual([]);
    expect(existsSync(join(machine.package, 'build/addon.json'))).toBe(false);
  });

  test('a compiler too old for the standard that torch asks for', async () => {
    machine.stub(
      'g++',
      `case "$*" in *--version*) echo 'g++ 4.8.5';; *) echo "g++: error: unrecognized command line option '-std=c++17'" >&2; exit 1;; esac`,
    );
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: machine.fakeTorch() });
    expectError(outcome, /to compile the addon/, /use a newer compiler/);
  });

  test('an addon that does not load', async () => {
    machine.linkCompiler();
    writeFileSync(
      join(machine.package, 'native/addon.cc'),
      '#include <node_api.h>\nvoid absent();\nNAPI_MODULE_INIT() { absent(); return exports; }\n',
    );
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: machine.fakeTorch() });
    expectError(outcome, /expected Node to load the addon just built, got a failure/, /LD_LIBRARY_PATH/);
    expect(outcome.stderr).toMatch(/undefined symbol: _Z6absentv/);
    expect(machine.addons).toEqual([]);
  });

  test('npm packages not installed yet', async () => {
    machine.linkCompiler();
    const torch = machine.fakeTorch();
    rmSync(join(machine.package, 'node_modules'), { recursive: true });
    const outcome = await machine.setUp({ LATENTWIRE_TORCH: torch });
    expectError(outcome, /expected the npm package node-api-headers/, /npm ci/);
  });
});

test('an unknown argument', async () => {
  expectError(await machine.setUp({}, ['--jsn']), /expected --json or --help, got --jsn/, /--help/);
});
