import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CompiledSources, compileSources } from '../../test/support/compile-sources.js';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import type { RunConfig } from '../config/index.js';
import { sharedDataFile, sharedDataHint } from '../data/index.js';
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';
import { commands, runCli } from './program.js';
import { normalizeFlags } from './settings.js';

const within = temporaryFolder();

async function run(argv: readonly string[], available?: readonly CliCommand[]) {
  let stdout = '';
  let stderr = '';
  const output = {
    stdout: (text: string) => {
      stdout += text;
    },
    stderr: (text: string) => {
      stderr += text;
    },
  };
  const code = await runCli(argv, output, available);
  return { code, stdout, stderr };
}

/** A command that returns its configuration, or fails with `error`. */
function probe(error?: unknown): CliCommand {
  return {
    name: 'probe',
    summary: 'for tests',
    settings: 'all',
    async run(call) {
      if (error !== undefined) throw error;
      process.stdout.write('noise of a library\n');
      return { json: call.config(), text: 'done' };
    },
  };
}

async function settings(...argv: string[]): Promise<RunConfig> {
  const result = await run(['probe', '--json', ...argv], [probe()]);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(result.stdout) as RunConfig;
}

describe('setting flags', () => {
  it('work in kebab and snake case, with = and with a space', async () => {
    const config = await settings(
      '--model',
      'a',
      '--latent_len=8',
      '--d-z',
      '64',
      '--batch_size',
      '2',
      '--debug',
    );
    expect(config.wire).toMatchObject({ latent_len: 8, d_z: 64 });
    expect(config.training.batch_size).toBe(2);
    expect(config.run.debug).toBe(true);
  });

  it('cover the flags of the original', async () => {
    const config = await settings(
      ...[
        '--llama_id',
        'L',
        '--qwen_id',
        'Q',
        '--encoder_id',
        'E',
        '--encoder_type',
        'lm',
        '--dataset',
        'squad',
      ],
      ...[
        '--samples',
        '640',
        '--epochs',
        '3',
        '--lr',
        '1e-3',
        '--seed',
        '7',
        '--save_dir',
        'runs/x',
        '--dtype',
        'float32',
      ],
      ...['--max_answer_tokens', '16', '--max_new_tokens', '12', '--max_steps', '5', '--max_minutes', '1.5'],
      ...['--eval_samples', '100', '--warmup_ratio', '0.1', '--weight_decay', '0', '--max_grad_norm', '0.5'],
      ...['--grad_accum', '4', '--device', 'cuda:0', '--disable_adapter', '--disable_calibration'],
    );
    expect(config.model.ids).toEqual(['L', 'Q']);
    expect(config.optimizer).toMatchObject({ lr: 1e-3, weight_decay: 0, max_grad_norm: 0.5 });
    expect(config.adapter).toMatchObject({ disable_adapter: true, disable_calibration: true });
  });

  it('win over the file; the last of --set and a flag wins; a switch can be taken back', async () => {
    const file = within('run.yaml');
    writeFileSync(
      file,
      'model: {ids: [m]}\nadapter: {disable_adapter: true}\ntraining: {batch_size: 4, epochs: 2}\n',
    );
    const config = await settings(
      ...['--set', 'training.batch_size=5', '--batch-size', '6', '--no-disable-adapter', '--config', file],
      ...['--lr', '1', '--set', 'optimizer.lr=0.5'],
    );
    expect(config.training).toMatchObject({ batch_size: 6, epochs: 2 });
    expect(config.adapter.disable_adapter).toBe(false);
    expect(config.optimizer.lr).toBe(0.5);
    expect(config.model.ids).toEqual(['m']);
  });

  it('end in exit code 2 with flag, expectation and hint when wrong', async () => {
    const wrong = (...argv: string[]) => run(['probe', ...argv], [probe()]);
    expect(await wrong('--model', 'm', '--lr', 'fast')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'error: --lr: expected a number > 0, got "fast"\nhint: see latentwire train --help\n',
    });
    expect((await wrong('--latent_lenn', '3')).stderr).toContain('(Did you mean --latent-len?)');
    expect((await wrong('--set', 'wire.dz=3')).stderr).toContain('did you mean wire.d_z?');
    expect((await wrong('--config', within('no.yaml'))).stderr).toContain('cannot read config file');
    expect((await wrong('--model')).code).toBe(2);
    expect((await wrong('surplus')).code).toBe(2);
    expect((await wrong()).stderr).toContain('hint: pass --model');
  });

  it('leave values and what follows -- alone', () => {
    expect(normalizeFlags(['--a_b=c_d', 'e_f', '-x_y', '--', '--g_h'])).toEqual([
      '--a-b=c_d',
      'e_f',
      '-x_y',
      '--',
      '--g_h',
    ]);
  });
});

describe('the frame', () => {
  it('prints one JSON object on stdout, whatever libraries print', async () => {
    const { code, stdout } = await run(['probe', '--json', '--model', 'm'], [probe()]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toHaveProperty('wire.latent_len', 32);
  });

  it('prints message and hint of a known error, and a stack only with --debug', async () => {
    const error = new LatentWireError('expected A, got B', { code: 'state', hint: 'do C' });
    const plain = await run(['probe'], [probe(error)]);
    expect(plain).toEqual({ code: 1, stdout: '', stderr: 'error: expected A, got B\nhint: do C\n' });
    const json = await run(['probe', '--json'], [probe(error)]);
    expect(JSON.parse(json.stdout)).toEqual({
      error: { code: 'state', message: 'expected A, got B', hint: 'do C' },
    });
    expect((await run(['probe', '--debug'], [probe(error)])).stderr).toContain('cli.test.ts');
  });

  it('calls everything unknown a bug and keeps its stack in a file', async () => {
    const cache = process.env.XDG_CACHE_HOME;
    process.env.XDG_CACHE_HOME = within('cache');
    const result = await run(['probe'], [probe(new TypeError('x is undefined\nsecond line'))]);
    const folder = within('cache', 'latentwire', 'logs');
    const [report] = readdirSync(folder);
    expect(result.code).toBe(1);
    expect(result.stderr).toBe(
      `error: x is undefined (this is a bug)\nhint: please report it with ${folder}/${report}\n`,
    );
    expect(readFileSync(`${folder}/${report}`, 'utf8')).toContain(
      'TypeError: x is undefined\nsecond line\n    at ',
    );
    process.env.XDG_CACHE_HOME = within('run.yaml', 'not-a-folder');
    expect((await run(['probe'], [probe('a thrown text')])).stderr).toContain(
      'a thrown text (this is a bug)',
    );
    if (cache === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = cache;
  });

  it('treats failed system calls and libtorch errors as failures, not bugs', async () => {
    const missing = await run(['probe'], [probe(tryRead('/nonexistent/file'))]);
    expect(missing.stderr).toBe("error: ENOENT: no such file or directory, open '/nonexistent/file'\n");
    const torch = Object.assign(new Error('aten::mm: shapes'), { name: 'TorchError' });
    expect(await run(['probe'], [probe(torch)])).toMatchObject({
      code: 1,
      stderr: 'error: aten::mm: shapes\n',
    });
  });

  it('shows help and version with exit code 0, and usage errors with 2', async () => {
    const help = await run(['--help']);
    expect(help.code).toBe(0);
    // The first words: longer summaries are wrapped.
    for (const { name, summary } of commands) {
      expect(help.stdout).toMatch(new RegExp(`  ${name} .* ${summary.split(' ', 2).join(' ')}`));
    }
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await run([])).code).toBe(2);
    expect(await run(['scoer'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Did you mean score?'),
    });
    const json = await run(['score', '--json']);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'input' } });
  });

  it('groups the settings in help, with defaults', async () => {
    const { stdout } = await run(['probe', '--help'], [probe()]);
    expect(stdout).toContain('optimizer: AdamW');
    expect(stdout).toMatch(/--latent-len <n> +M, latent vectors per message \(default 32\)/);
    expect(stdout).not.toContain('--no-debug');
  });
});

describe('latentwire score', () => {
  const dataset = within('dev.json');
  const predictions = within('predictions.json');
  const qas = [
    { id: 'a', question: 'q', answers: [{ text: 'Denver Broncos' }] },
    { id: 'b', question: 'q', answers: [{ text: '1852' }, { text: 'in 1852' }] },
  ];
  beforeAll(() => {
    writeFileSync(dataset, JSON.stringify({ data: [{ title: 't', paragraphs: [{ context: 'c', qas }] }] }));
    writeFileSync(predictions, '{"a": "the Broncos", "z": "other"}');
  });

  it('prints exactly exact_match, f1 and total, and warns about missing and foreign predictions', async () => {
    const result = await run(['score', '--dataset', dataset, '--predictions', predictions, '--json']);
    expect(result.code).toBe(0);
    expect(JSON.parse(result.stdout)).toEqual({ exact_match: 0, f1: (100 * (2 / 3)) / 2, total: 2 });
    expect(result.stderr).toContain('1 of 2 questions have no prediction; each scores 0 first=b');
    expect(result.stderr).toContain('1 predictions are for questions');
  });

  it('prints a short table for people', async () => {
    const { stdout } = await run(['score', '--dataset', dataset, '--predictions', predictions]);
    expect(stdout).toBe('exact match  0.00\nF1           33.33\nquestions    2\n');
  });

  it('scores v2.0 with the halves named as the official script names them', async () => {
    const impossible = { id: 'n', question: 'q', answers: [], is_impossible: true };
    const file = within('dev2.json');
    writeFileSync(
      file,
      JSON.stringify({ data: [{ paragraphs: [{ context: 'c', qas: [...qas, impossible] }] }] }),
    );
    writeFileSync(within('p2.json'), '{"a": "Denver Broncos", "b": "1852", "n": ""}');
    const { stdout } = await run([
      'score',
      '--v2',
      '--dataset',
      file,
      '--predictions',
      within('p2.json'),
      '--json',
    ]);
    expect(JSON.parse(stdout)).toEqual({
      exact_match: 100,
      f1: 100,
      total: 3,
      HasAns_exact: 100,
      HasAns_f1: 100,
      HasAns_total: 2,
      NoAns_exact: 100,
      NoAns_f1: 100,
      NoAns_total: 1,
    });
  });

  it('ends with 2 and the file name on bad input', async () => {
    const result = await run(['score', '--dataset', within('none.json'), '--predictions', predictions]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/^error: cannot read dataset file .*none\.json \(ENOENT\)\nhint: /);
  });
});

describe('the executable', () => {
  let compiled: CompiledSources;
  beforeAll(() => {
    compiled = compileSources('cli/main.ts');
  }, 60_000);
  afterAll(() => compiled.remove());
  const node = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8' });

  it('has a shebang and sets the exit code', () => {
    expect(readFileSync(compiled.file('cli/main'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(node(compiled.file('cli/main'), 'score').status).toBe(2);
    expect(node(compiled.file('cli/main'), '--help').status).toBe(0);
  });

  it('never loads libtorch for --help', () => {
    const program = `
      const { runCli } = await import(${JSON.stringify(compiled.file('cli/program'))});
      await runCli(['--help']);
      const libraries = process.report.getReport().sharedObjects.join('\\n');
      process.exitCode = /torch|c10/i.test(libraries.replaceAll(process.cwd(), '')) ? 9 : 0;`;
    expect(node('--input-type=module', '-e', program).status).toBe(0);
  });

  const dev = sharedDataFile('squad/dev-v1.1.json.gz');
  const answers = sharedDataFile('squad/predictions-match-lstm-dev-v1.1.json.gz');
  it.skipIf(dev === undefined || answers === undefined)(
    `scores the published Match-LSTM predictions as the official script does (${sharedDataHint})`,
    () => {
      const { status, stdout, stderr } = node(
        ...[compiled.file('cli/main'), 'score', '--dataset', dev!, '--predictions', answers!, '--json'],
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { exact_match, f1, total } = JSON.parse(stdout) as Record<string, number>;
      expect(Math.abs(exact_match! - 67.63481551561021)).toBeLessThan(1e-9);
      expect(Math.abs(f1! - 76.75556184979695)).toBeLessThan(1e-9);
      expect(total).toBe(10_570);
    },
  );

  it('is what the package installs', () => {
    const { bin } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const launcher = new URL(`../../${bin.latentwire}`, import.meta.url);
    expect(existsSync(launcher)).toBe(true);
    expect(readFileSync(launcher, 'utf8')).toContain('dist/cli/main.js');
  });
});

function tryRead(file: string): unknown {
  try {
    return readFileSync(file);
  } catch (error) {
    return error;
  }
}
