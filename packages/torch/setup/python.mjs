/**
 * Asks a Python interpreter what it is and where its torch lies, without importing torch (milliseconds, not seconds).
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './process.mjs';

/**
 * @typedef {object} Python
 * @property {string} executable
 * @property {[number, number, number]} version
 * @property {string | null} torch   folder of the torch package it would import
 * @property {boolean} ensurepip     can make a virtual environment with pip in it
 * @property {boolean} pip           has pip itself
 */

const PROBE = fileURLToPath(new URL('probe.py', import.meta.url));

/**
 * @param {string} command  name on PATH or path
 * @param {import('./process.mjs').Env} env
 * @returns {Promise<Python | undefined>} undefined when there is no such program or it is no working Python 3
 */
export async function probePython(command, env) {
  const result = await run(command, [PROBE], { env, cwd: '/', timeoutMs: 30_000 });
  if (!result.ok) return undefined;
  try {
    const found = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '');
    return { ...found, torch: found.torch ? dirname(found.torch) : null };
  } catch {
    return undefined;
  }
}
