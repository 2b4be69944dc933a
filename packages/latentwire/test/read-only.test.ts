/**
 * A run whose folders may not be written to. Root may write anywhere, so a child process does it without that right.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readStatus } from '../src/telemetry/index.js';
import { type CompiledSources, compileSources } from './support/compile-sources.js';
import { temporaryFolder } from './support/temporary-folder.js';

const within = temporaryFolder();
const model = fileURLToPath(new URL('../assets/tiny-llama', import.meta.url));

/** Words in front of a command that take away the right to ignore permissions; none needed by other users. */
const WITHOUT_RIGHTS =
  process.getuid?.() === 0
    ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all']
    : [];
const able = WITHOUT_RIGHTS.length === 0 || spawnSync('setpriv', ['--version']).status === 0;

let compiled: CompiledSources;
beforeAll(() => {
  compiled = compileSources('cli/main.ts');
}, 60_000);
afterAll(() => compiled.remove());

function train(name: string): { status: number | null; stderr: string } {
  const settings = ['--model', model, '--encoder-id', model, '--dataset', 'facts', '--samples', '8'];
  const size = ['--batch-size', '2', '--max-steps', '4', '--latent-len', '2', '--d-z', '8', '--disable-kd'];
  const evaluation = ['--eval-samples', '2', '--max-new-tokens', '2', '--eval-modes', 'latent'];
  const rest = ['--device', 'cpu', '--auto-resume', '--save-dir', within(name)];
  const [command, ...words] = [...WITHOUT_RIGHTS, process.execPath, compiled.file('cli/main'), 'train'];
  return spawnSync(command!, [...words, ...settings, ...size, ...evaluation, ...rest], { encoding: 'utf8' });
}

const needsSetpriv = it.skipIf(!able);

needsSetpriv('a folder without the right to make runs in it is named, with what to do', () => {
  mkdirSync(within('forbidden'));
  chmodSync(within('forbidden'), 0o555);
  const { status, stderr } = train('forbidden/run');
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /cannot create .*forbidden\/run\/logs: no permission \(EACCES\)\nhint: make it writable/,
  );
});

needsSetpriv(
  'checkpoints that could not be saved are known before the first step, and nothing is lost',
  () => {
    expect(train('run').status).toBe(0);
    const checkpoint = within('run', 'preempt_checkpoint', 'checkpoint_current.safetensors');
    const before = readFileSync(checkpoint);
    mkdirSync(within('new', 'preempt_checkpoint'), { recursive: true });
    chmodSync(within('new', 'preempt_checkpoint'), 0o555);
    const { status, stderr } = train('new');
    expect(status).toBe(1);
    expect(stderr).toContain(
      `cannot save checkpoints in ${within('new', 'preempt_checkpoint')}: no permission`,
    );
    expect(stderr).not.toContain('step 1/4');
    expect(readStatus(within('new', 'status.json'))).toMatchObject({
      state: 'failed',
      error: { code: 'io' },
    });

    chmodSync(within('run', 'preempt_checkpoint'), 0o555);
    chmodSync(within('run'), 0o555);
    const again = train('run');
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/cannot lock .*run\.lock: no permission/);
    expect(readFileSync(checkpoint).equals(before)).toBe(true);
    expect(existsSync(within('run', 'run.lock'))).toBe(false);
  },
);
