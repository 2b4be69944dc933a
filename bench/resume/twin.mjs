/** What of two runs has to be the same to the byte, and where a run's checkpoint files stand. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as t from '@latentwire/torch';
import { readDiagnostics } from '../../packages/latentwire/dist/telemetry/index.js';

const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Digests of weights, optimiser, predictions and the loss column. @param {string} run */
export function fingerprint(run) {
  const tensors = {};
  {
    const file = t.openSafetensors(join(run, 'preempt_checkpoint/checkpoint_current.safetensors'));
    file.verifyDigest();
    t.scope(() => {
      for (const name of file.names) tensors[name] = sha(file.load(name).toBytes());
    });
    file.close();
  }
  const names = Object.keys(tensors).sort();
  const of = (wanted) => sha(JSON.stringify(names.filter(wanted).map((name) => [name, tensors[name]])));
  const rows = readDiagnostics(join(run, 'logs/diagnostics.jsonl'));
  return {
    weights: of((name) => !name.startsWith('optimizer.')),
    optimizer: of((name) => name.startsWith('optimizer.')),
    predictions: sha(readFileSync(join(run, 'predictions.jsonl'))),
    losses: sha(JSON.stringify(rows.map((r) => [r.step, r.loss, r.grad_norm, r.lr]))),
    steps: rows.map(({ step }) => step).join(),
  };
}

/** @param {string} run @returns {{ files: number, valid: number, temporaries: number, backups: number }} */
export function checkpointFiles(run) {
  const folder = join(run, 'preempt_checkpoint');
  if (!existsSync(folder)) return { files: 0, valid: 0, temporaries: 0, backups: 0 };
  const names = readdirSync(folder).filter((name) => name.includes('.safetensors'));
  let valid = 0;
  for (const name of names.filter((n) => n.endsWith('.safetensors'))) {
    try {
      const file = t.openSafetensors(join(folder, name));
      file.verifyDigest();
      file.close();
      valid++;
    } catch {}
  }
  return {
    files: names.length,
    valid,
    temporaries: names.filter((name) => name.endsWith('.tmp')).length,
    backups: names.filter((name) => name === 'checkpoint_backup.safetensors').length,
  };
}
