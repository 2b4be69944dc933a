/** What the set-up reads off a torch folder decides flags and ABI: wrong answers crash at run time, not here. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cudaIncludes } from './addon-plan.mjs';
import { cudaRequirements } from './private-torch.mjs';
import { cxx11Abi, cxxStandard, isAtLeast, readVersion } from './torch-package.mjs';

/** @type {string} */
let path;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'latentwire-torch-')), 'torch');
});
afterEach(() => rmSync(dirname(path), { recursive: true, force: true }));

/**
 * @param {string} name
 * @param {string} [content]
 */
function write(name, content = '') {
  mkdirSync(dirname(join(path, name)), { recursive: true });
  writeFileSync(join(path, name), content);
}

const torch = () => ({ path, version: '2.13.0', cuda: true, source: /** @type {const} */ ('env') });

test.each([
  ["__version__ = '2.13.0+cpu'\ndebug = False\n", '2.13.0+cpu'],
  ['from typing import Optional\n__version__: str = "2.9.0a0+git1234"\n', '2.9.0a0+git1234'],
])('version.py of a wheel and of a source build', (text, version) => {
  write('version.py', text);
  expect(readVersion(path)).toBe(version);
});

test('build-version of an unpacked libtorch archive', () => {
  write('build-version', '2.7.1+cu128\n');
  expect(readVersion(path)).toBe('2.7.1+cu128');
});

test.each([
  ['2.6.0', true],
  ['2.13.0+cpu', true],
  ['3.0.0', true],
  ['2.10.0a0+git', true],
  ['2.5.9', false],
  ['1.13.1', false],
])('torch %s at least 2.6: %s', (version, expected) => {
  expect(isAtLeast(version, '2.6')).toBe(expected);
});

test.each([
  ['#error C++17 or later compatible compiler is required to use PyTorch.', 'c++17'],
  ['#error C++20 or later compatible compiler is required to use PyTorch.', 'c++20'],
  ['// says nothing', 'c++17'],
])('the C++ standard is the one that the headers demand: %s', (header, standard) => {
  write('include/torch/csrc/api/include/torch/all.h', header);
  expect(cxxStandard(torch())).toBe(standard);
});

test.each(
  /** @type {[string, number][]} */ ([
    ['_ZN3c106detail14torchCheckFailEPKcS2_jRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE', 1],
    ['_ZN3c106detail14torchCheckFailEPKcS2_jRKSs\0__cxx11', 0],
    ['nothing known, but std::__cxx11::string', 1],
  ]),
)('the string ABI is read from a mangled name', (symbol, abi) => {
  write('lib/libc10.so', `\u007fELF\0${symbol}\0`);
  expect(cxx11Abi(torch())).toBe(abi);
});

describe('CUDA libraries of a wheel', () => {
  const modern = [
    'sympy',
    'cuda-toolkit[cublas,cudart,cupti,nvrtc]==13.2.2; platform_system == "Linux"',
    'cuda-bindings<14; platform_system == "Linux"',
    'nvidia-nccl-cu13==2.30; platform_system == "Linux"',
    'triton~=3.9',
  ];
  const older = [
    'nvidia-cuda-runtime-cu12==12.4.127; platform_system == "Linux"',
    'nvidia-cuda-cupti-cu12==12.4.127; platform_system == "Linux"',
    'nvidia-cudnn-cu12==9.1',
    'nvidia-extra==1; extra == "all"',
  ];

  test('without a GPU: only what libtorch_cpu itself is linked to', () => {
    expect(cudaRequirements(modern, 'cpu')).toEqual([
      'cuda-toolkit[cudart,cupti]==13.2.2; platform_system == "Linux"',
    ]);
    expect(cudaRequirements(older, 'cpu')).toEqual(older.slice(0, 2));
    expect(cudaRequirements(['sympy', 'jinja2'], 'cpu')).toEqual([]);
  });

  test('with a GPU: all libraries, no Python packages', () => {
    expect(cudaRequirements(modern, 'cuda')).toEqual([modern[1]?.replace(']', ',crt]'), modern[3]]);
    expect(cudaRequirements(older, 'cuda')).toEqual(older.slice(0, 3));
  });
});

describe('CUDA headers', () => {
  const headers = ['cuda_runtime_api.h', 'crt/host_defines.h', 'cublas_v2.h', 'cusparse.h', 'cusolverDn.h'];

  test('spread over the wheels beside torch are found together', () => {
    headers.forEach((header, i) => {
      write(`../nvidia/part${i}/include/${header}`);
    });
    expect(cudaIncludes(torch(), { CUDA_HOME: '' })).toHaveLength(headers.length);
  });

  test('of CUDA_HOME are used when the wheels bring only some', () => {
    write('../nvidia/cudnn/include/cudnn.h');
    for (const header of headers) write(`../cuda/include/${header}`);
    const home = join(path, '../cuda');
    expect(cudaIncludes(torch(), { CUDA_HOME: home })).toEqual([join(home, 'include')]);
    write('../cuda/include/cccl/nv/target');
    expect(cudaIncludes(torch(), { CUDA_HOME: home })).toEqual([
      join(home, 'include'),
      join(home, 'include/cccl'),
    ]);
  });
});
