/**
 * The Python side of a benchmark: a process that stays open and answers one JSON line per request, so that both
 * sides can be measured in turns within one run, by the same torch libraries, with the same threads and priority.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { addonInfo } from '@latentwire/torch';

/**
 * The Python whose torch our addon is built against: LATENTWIRE_PYTHON, the venv around that torch, or python3.
 * @returns {string}
 * @throws Error when none of them imports that torch
 */
export function findPython() {
  const { torch, torchPath } = addonInfo();
  const venv = join(dirname(dirname(dirname(dirname(torchPath)))), 'bin', 'python');
  const candidates = [process.env.LATENTWIRE_PYTHON, venv, 'python3'].filter(
    (path) => path && (!path.includes('/') || existsSync(path)),
  );
  for (const python of candidates) {
    const probe = spawnSync(python, ['-c', 'import torch; print(torch.__version__)'], { encoding: 'utf8' });
    if (probe.status === 0 && probe.stdout.trim() === torch) return python;
  }
  throw new Error(`no Python imports torch ${torch}: set LATENTWIRE_PYTHON to one that does`);
}

/**
 * The environment of a peer: what the addon sets for its own process (native/device.h, the order of attention kernels)
 * does not belong to it.
 */
export function peerEnvironment() {
  const { TORCH_CUDNN_SDPA_DEPRIORITIZED: _, ...env } = process.env;
  return env;
}

export class PythonPeer {
  #child;
  #lines;

  /**
   * @param {string} script reads one JSON request per line, answers with one JSON line each
   * @param {string[]} args
   */
  constructor(script, args = []) {
    this.#child = spawn(findPython(), [script, ...args], {
      env: peerEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Sends a request and waits for the answer. @param {unknown} request */
  async ask(request) {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the Python side ended early');
    return JSON.parse(value);
  }

  close() {
    this.#child.stdin.end();
  }
}
