/** `latentwire demo`, with next to no training: what it starts from, and that both lengths are scored and reported. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli } from '../src/cli/program.js';
import { loadTokenizer } from '../src/models/tokenizer/index.js';
import { temporaryFolder } from './support/temporary-folder.js';

const asset = (file: string): string => fileURLToPath(new URL(`../assets/${file}`, import.meta.url));
const temporary = temporaryFolder();

async function demo(...args: string[]): Promise<string> {
  let stdout = '';
  const output = { stdout: (text: string) => (stdout += text), stderr: () => {} };
  const short = ['--max-steps', '1', '--batch-size', '2', '--eval-samples', '20', '--device', 'cpu'];
  expect(await runCli(['demo', ...short, ...args], output as never)).toBe(0);
  return stdout;
}

describe('latentwire demo', () => {
  it('starts from the bundled wire and shows what it carries at 8 and at 4 tokens per latent', async () => {
    const directory = temporary('bundled');
    const table = await demo('--save-dir', directory);
    const scores = (pattern: RegExp): number[] => [...table.matchAll(pattern)].map(([, f1]) => Number(f1));
    const latent = scores(/latent \(the wire\) +tiny-\w+ +([\d.]+)/g);
    expect(latent).toHaveLength(4);
    for (const f1 of latent) expect(f1).toBeGreaterThan(60);
    for (const f1 of scores(/latent of another context +tiny-\w+ +([\d.]+)/g)) expect(f1).toBeLessThan(40);
    expect(table).toContain('bundled weights that one GPU trained');
    const page = readFileSync(path.join(directory, 'report.html'), 'utf8');
    expect(page).toContain('Scores with twice as many latents');
    expect(page).toContain('bundled weights that one GPU trained');
  });

  it('starts from nothing when asked to, in place of an earlier demo', async () => {
    const short = ['--eval-modes', 'latent', '--eval-samples', '4', '--save-dir', temporary('scratch')];
    expect(await demo(...short)).not.toContain('random weights');
    expect(await demo(...short, '--from-scratch')).toContain('The wire starts from random weights.');
  });
});

describe('the bundled wire', () => {
  it('was trained for the bundled models: its card names their tokenizers', () => {
    const { facts } = JSON.parse(readFileSync(asset('tiny-wire/training.json'), 'utf8')) as {
      facts: Record<string, string>;
    };
    for (const [i, name] of ['tiny-llama', 'tiny-qwen2'].entries()) {
      expect(loadTokenizer(asset(name)).digest, name).toBe(facts[`tokenizer of model ${i} (${name})`]);
    }
  });
});
