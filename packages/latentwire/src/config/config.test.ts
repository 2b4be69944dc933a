import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatentWireError } from '../errors.js';
import {
  applyAssignments,
  assignPair,
  assignText,
  canonicalJson,
  configFields,
  configGroups,
  configHash,
  defaultConfig,
  diffConfigs,
  findField,
  parseConfig,
  parseConfigText,
  type RunConfig,
  resolveConfig,
  runConfigSchema,
  settingsHash,
} from './index.js';

/** A flag with its text, as the command line hands it over. */
const flag = (name: string, text: string) => {
  const field = configFields.find(
    (candidate) => candidate.flag === name || candidate.aliases?.includes(name),
  )!;
  return assignText(field, text, `--${name}`);
};

function errorOf(action: () => unknown): LatentWireError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(LatentWireError);
    return error as LatentWireError;
  }
  throw new Error('expected an error');
}

describe('the public surface', () => {
  it('is frozen: settings, flags, kinds and defaults', () => {
    const lines = configFields.map((field) => {
      const flags = [field.flag, ...(field.aliases ?? [])].map((name) => `--${name}`).join(' ');
      return `${field.path} | ${flags} | ${field.kind}${field.nullable ? '?' : ''} = ${JSON.stringify(field.default)}`;
    });
    expect(lines).toMatchInlineSnapshot(`
      [
        "model.ids | --model --llama-id --qwen-id | list = []",
        "model.dtype | --dtype | choice = "auto"",
        "model.prompt | --prompt | choice = "auto"",
        "data.dataset | --dataset | choice = "squad"",
        "data.train_file | --train-file | text? = null",
        "data.dev_file | --dev-file | text? = null",
        "data.samples | --samples | integer? = 10000",
        "data.questions_together | --questions-together | toggle = false",
        "data.token_cache | --token-cache | text? = null",
        "data.token_cache_mb | --token-cache-mb | integer = 2048",
        "facts.people | --facts-people | integer = 2",
        "facts.each | --facts-each | integer = 3",
        "facts.style | --facts-style | choice = "plain"",
        "facts.questions | --facts-questions | choice = "all"",
        "facts.seed | --facts-seed | integer = 0",
        "encoder.type | --encoder-type | choice = "lm"",
        "encoder.encode | --encode | choice = "context"",
        "encoder.id | --encoder-id | text = "HuggingFaceTB/SmolLM2-135M-Instruct"",
        "encoder.max_tokens | --encoder-max-tokens | integer = 512",
        "encoder.max_bytes | --encoder-max-bytes | integer = 2048",
        "encoder.non_causal | --encoder-non-causal | toggle = false",
        "encoder.lora_rank | --encoder-lora-rank | integer? = null",
        "encoder.width | --encoder-width | integer = 256",
        "encoder.heads | --encoder-heads | integer = 8",
        "encoder.layers | --encoder-layers | integer = 6",
        "wire.latent_len | --latent-len | integer = 32",
        "wire.latent_ratio | --latent-ratio | number? = null",
        "wire.latent_shared_len | --latent-shared-len | integer? = null",
        "wire.latent_private_len | --latent-private-len | integer = 0",
        "wire.d_z | --d-z | integer = 256",
        "wire.bits | --wire-bits | integer = 32",
        "wire.group | --wire-group | integer = 32",
        "wire.bits_start | --wire-bits-start | number = 0",
        "adapter.hidden | --adapter-hidden | integer = 1024",
        "adapter.disable_adapter | --disable-adapter | toggle = false",
        "adapter.disable_calibration | --disable-calibration | toggle = false",
        "objective.max_answer_tokens | --max-answer-tokens | integer = 32",
        "objective.first_token_weight | --first-token-weight --first-token-ce-weight | number = 0",
        "objective.first_token_warmup | --first-token-warmup | number = 0",
        "objective.k | --k --K | integer = 4",
        "objective.k_token_weight | --k-token-weight --k-ce-weight --k-token-ce-weight | number = 0",
        "objective.k_token_warmup | --k-token-warmup | number = 0",
        "objective.kd_weight | --kd-weight --kd-first-k-weight | number = 1",
        "objective.kd_warmup | --kd-warmup | number = 0",
        "objective.disable_kd | --disable-kd | toggle = false",
        "objective.kd_positions | --kd-positions | choice = "right"",
        "objective.kd_tau | --kd-tau | number = 2",
        "objective.kd_top_k | --kd-top-k | integer = 32",
        "objective.teacher_cache | --teacher-cache | text? = null",
        "objective.manifold_weight | --manifold-weight --manifold-stat-weight | number = 0",
        "objective.manifold_warmup | --manifold-warmup | number = 0",
        "objective.alignment_weight | --alignment-weight --latent-align-weight | number = 0",
        "objective.reconstruction_weight | --reconstruction-weight | number = 0.3",
        "objective.reading_share | --reading-share | number = 1",
        "objective.reading_tokens | --reading-tokens | integer? = null",
        "objective.reconstruction_share | --reconstruction-share | number = 1",
        "objective.pretrain_share | --pretrain-share | number = 0.45",
        "objective.descent_levels | --descent-levels | integer = 16",
        "objective.descent_answer_weight | --descent-answer-weight | number = 0",
        "objective.handover_share | --handover-share | number = 0",
        "baseline.kind | --baseline | choice = "none"",
        "baseline.budget_mode | --token-budget-mode | choice = "first"",
        "baseline.probe_layer | --probe-layer | integer? = null",
        "baseline.probe_pooling | --probe-pooling | choice = "last"",
        "baseline.probe_folds | --probe-folds | integer = 5",
        "baseline.probe_c | --probe-c | number = 1",
        "optimizer.lr | --lr | number = 0.001",
        "optimizer.encoder_lr | --encoder-lr | number = 0.0003",
        "optimizer.weight_decay | --weight-decay | number = 0.01",
        "optimizer.max_grad_norm | --max-grad-norm | number = 1",
        "schedule.warmup_ratio | --warmup-ratio | number = 0.05",
        "training.epochs | --epochs | integer = 1",
        "training.batch_size | --batch-size | integer = 32",
        "training.grad_accum | --grad-accum | integer = 1",
        "training.effective_batch | --effective-batch | integer? = null",
        "training.target_memory | --target-memory | number = 0.8",
        "training.gradient_checkpointing | --gradient-checkpointing --use-gradient-checkpointing | toggle = false",
        "training.pin_memory | --pin-memory | toggle = false",
        "training.decoders_per_step | --decoders-per-step | choice = "all"",
        "training.train_expansions | --train-expansions | text = "1"",
        "training.num_workers | --num-workers | integer = 0",
        "training.prefetch_factor | --prefetch-factor | integer = 2",
        "training.max_steps | --max-steps | integer? = null",
        "training.max_minutes | --max-minutes | number? = null",
        "checkpoint.interval | --checkpoint-interval | number = 300",
        "checkpoint.grace | --grace | number = 120",
        "checkpoint.auto_resume | --auto-resume | toggle = false",
        "checkpoint.resume_from | --resume-from | text? = null",
        "checkpoint.restart | --restart | toggle = false",
        "checkpoint.allow_drift | --allow-drift | toggle = false",
        "checkpoint.digest_every | --digest-every | integer = 100",
        "evaluation.eval_samples | --eval-samples | integer? = 1000",
        "evaluation.eval_batch_size | --eval-batch-size | integer = 64",
        "evaluation.max_new_tokens | --max-new-tokens | integer = 32",
        "evaluation.expansion | --eval-expansion | number = 1",
        "evaluation.bits | --eval-bits | integer? = null",
        "evaluation.eval_modes | --eval-modes | list = []",
        "evaluation.measure_latency | --measure-latency | toggle = false",
        "system.device | --device | text = "auto"",
        "system.monitor_gpu | --monitor-gpu | toggle = true",
        "system.disable_graphs | --disable-graphs | toggle = false",
        "system.rank_timeout | --rank-timeout | number = 600",
        "system.deterministic | --deterministic | toggle = false",
        "run.seed | --seed | integer = 42",
        "run.init_from | --init-from | text? = null",
        "run.save_dir | --save-dir | text = "runs/latentwire"",
        "run.debug | --debug | toggle = false",
      ]
    `);
  });

  it('has one flag per setting, and a help text and an expectation for each', () => {
    const flags = configFields.flatMap((field) => [field.flag, ...(field.aliases ?? [])]);
    expect(new Set(flags).size).toBe(flags.length);
    for (const name of flags) expect(name).toMatch(/^[a-zA-Z][a-zA-Z0-9-]*$/);
    for (const field of configFields) {
      expect(field.help.length).toBeGreaterThan(5);
      expect(field.expectation).not.toBe('');
    }
    for (const group of configGroups) expect(group.help).not.toBe('');
  });
});

describe('resolving', () => {
  it('lets the file win over defaults, and flags over the file', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-config-'));
    const file = path.join(folder, 'run.yaml');
    writeFileSync(file, 'model:\n  ids: [from-file]\nwire:\n  latent_len: 16\n  d_z: 128\n');
    const config = resolveConfig({
      file,
      assignments: [flag('latent-len', '8'), flag('model', 'from-flag')],
    });
    rmSync(folder, { recursive: true });
    expect(config.wire).toEqual({ ...defaultConfig().wire, latent_len: 8, d_z: 128 });
    expect(config.model.ids).toEqual(['from-flag']);
    expect(config.training.epochs).toBe(defaultConfig().training.epochs);
  });

  it('appends repeated models in order, aliases included', () => {
    const config = applyAssignments([flag('model', 'a'), flag('qwen-id', 'b'), flag('llama-id', 'c')]);
    expect(config.model.ids).toEqual(['a', 'b', 'c']);
    expect(applyAssignments([assignPair('model.ids=[x, y]'), flag('model', 'z')]).model.ids).toEqual(['z']);
  });

  it('reads numbers, switches and absence from text', () => {
    const config = applyAssignments([
      flag('lr', '1e-4'),
      flag('samples', 'all'),
      assignPair('training.max_minutes=2.5'),
      assignPair('adapter.disable_adapter=true'),
      assignPair('run.save_dir=runs/a=b'),
    ]);
    expect(config.optimizer.lr).toBe(1e-4);
    expect(config.data.samples).toBeNull();
    expect(config.training.max_minutes).toBe(2.5);
    expect(config.adapter.disable_adapter).toBe(true);
    expect(config.run.save_dir).toBe('runs/a=b');
  });

  it('reports every wrong value at once, with flag, expectation and what was given', () => {
    const error = errorOf(() =>
      applyAssignments([
        flag('batch-size', '0'),
        flag('lr', 'fast'),
        flag('d-z', '2.5'),
        flag('dtype', 'fp32'),
        flag('device', 'gpu'),
        assignPair('training.epochs=1e999'),
      ]),
    );
    expect(error.message).toMatchInlineSnapshot(`
      "--dtype: expected one of auto, float32, bfloat16, float16, got "fp32"
      --d-z: expected an integer between 1 and 16384, got 2.5
      --lr: expected a number > 0, got "fast"
      --set training.epochs: expected an integer ≥ 1, got Infinity
      --batch-size: expected an integer ≥ 1, or auto, got 0
      --device: expected auto, cpu, cuda or cuda:N, got "gpu""
    `);
    expect(error.exitCode).toBe(2);
  });

  it('names the nearest setting on a typo', () => {
    expect(errorOf(() => assignPair('training.batchsize=3')).hint).toBe('did you mean training.batch_size?');
    expect(errorOf(() => assignPair('batch_size=3')).hint).toBe('did you mean training.batch_size?');
    expect(errorOf(() => assignPair('wire.latent-len=3')).hint).toBe('did you mean wire.latent_len?');
    expect(errorOf(() => assignPair('model.encoder_id=x')).hint).toBe('did you mean encoder.id?');
    expect(errorOf(() => assignPair('nonsense.entirely=1')).hint).toContain('groups are model, data');
    expect(errorOf(() => assignPair('schedule.nonsense=1')).hint).toBe('schedule has warmup_ratio');
    expect(errorOf(() => assignPair('training.batch_size')).message).toContain('expected group.key=value');
  });

  it('refuses settings that contradict each other', () => {
    const resolve = (...assignments: ReturnType<typeof flag>[]) => resolveConfig({ assignments });
    expect(errorOf(() => resolve()).message).toContain('at least one frozen model');
    expect(errorOf(() => resolve(flag('model', 'm'), flag('model', 'm'))).message).toContain('got m twice');
    expect(errorOf(() => resolve(flag('model', 'm'), flag('samples', '31'))).message).toContain(
      '= 32, got 31',
    );
    const half = [flag('model', 'm'), flag('device', 'cpu'), flag('dtype', 'float16')];
    expect(errorOf(() => resolve(...half)).message).toContain('got float16');
    const byte = [flag('model', 'm'), flag('encoder-type', 'byte')];
    expect(errorOf(() => resolve(...byte, flag('encoder-lora-rank', '8'))).message).toContain('encoder byte');
    expect(errorOf(() => resolve(...byte, flag('encoder-width', '20'))).message).toContain('got 20 and 8');
    const privates = [flag('model', 'm'), flag('model', 'n'), flag('latent-private-len', '16')];
    expect(errorOf(() => resolve(...privates)).message).toContain('got 32 of which 32 are private');
    expect(resolve(...privates, flag('latent-shared-len', '8')).wire.latent_shared_len).toBe(8);
  });
});

describe('config files', () => {
  /** Nine times nine times nine … copies of one word. */
  const aliasBomb = ['model: {ids: &a [x]}', 'wire: {d_z: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]}']
    .concat('adapter: {hidden: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]}')
    .concat('optimizer: {lr: [*c, *c, *c, *c, *c, *c, *c, *c, *c]}')
    .join('\n');

  const problem = (text: string) => errorOf(() => applyAssignments(parseConfigText(text, 'run.yaml')));

  it('name line and column of syntax errors, unknown keys and wrong values', () => {
    expect(problem('wire:\n  latent_len: 16\n  latent_len: 8\n').message).toMatch(/^run\.yaml:3:3: .*unique/);
    expect(problem('wire: {latent_len: 16').message).toMatch(/^run\.yaml:1:2\d: /);
    expect(problem('wires:\n  d_z: 1\n')).toMatchObject({
      message: 'run.yaml:1:1: unknown setting "wires"',
      hint: 'did you mean wire?',
    });
    expect(problem('wire:\n  dz: 1\n')).toMatchObject({
      message: 'run.yaml:2:3: unknown setting "wire.dz"',
      hint: 'did you mean wire.d_z?',
    });
    expect(problem('wire:\n  d_z: "64"\n').message).toBe(
      'run.yaml:2:3: expected an integer between 1 and 16384, got "64"',
    );
    expect(problem('latent_len: 3\n').hint).toBe('did you mean wire.latent_len?');
    expect(problem('wire: 3\n').message).toContain('run.yaml:1:1: expected settings of wire');
    expect(problem('wire:\n  d_z: *x\n').message).toMatch(/^run\.yaml:2:\d+: .*alias/i);
    expect(problem(aliasBomb).message).toMatch(/^run\.yaml:\d:\d+: .*alias/i);
    expect(problem('- a\n').message).toContain('expected groups of settings');
  });

  it('may be empty, hold empty groups, and be JSON', () => {
    expect(parseConfigText('', 'x')).toEqual([]);
    expect(parseConfigText('# all\nwire:\n  # d_z: 3\n', 'x')).toEqual([]);
    const config = applyAssignments([flag('model', 'm'), flag('samples', 'none')]);
    expect(applyAssignments(parseConfigText(JSON.stringify(config, null, 2), 'config.json'))).toEqual(config);
  });

  it('never end in anything but a configuration or an input error (fuzz)', () => {
    const key = fc.oneof(fc.constantFrom('wire', 'model', 'd_z', 'ids'), fc.string());
    const value = fc.oneof(
      fc.string(),
      fc.double(),
      fc.constantFrom('[', '{', '*a', '&a', '- x', '!!js x', '|', '\t'),
    );
    const line = fc.tuple(fc.constantFrom('', '  ', '\t'), key, value).map(([i, k, v]) => `${i}${k}: ${v}`);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        try {
          applyAssignments(parseConfigText(lines.join('\n'), 'f'));
        } catch (error) {
          expect(error).toBeInstanceOf(LatentWireError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('identity', () => {
  it('does not depend on key order and changes with every setting', () => {
    const config = defaultConfig();
    const reversed = Object.fromEntries(Object.entries(config).reverse()) as unknown as RunConfig;
    expect(configHash(reversed)).toBe(configHash(config));
    const hashes = configFields.map((field) => {
      const copy = structuredClone(config) as unknown as Record<string, Record<string, unknown>>;
      copy[field.group]![field.key] = 'changed';
      return configHash(copy as unknown as RunConfig);
    });
    expect(new Set([...hashes, configHash(config)]).size).toBe(configFields.length + 1);
  });

  it('of what is computed ignores where and how it runs, and what the caller leaves out', () => {
    const config = applyAssignments([]);
    const change = (path: string, value: unknown) => applyAssignments([{ path, value, origin: 'test' }]);
    expect(settingsHash(change('run.save_dir', 'elsewhere/x'))).toBe(settingsHash(config));
    expect(settingsHash(change('run.seed', 7))).not.toBe(settingsHash(config));
    expect(settingsHash(change('run.seed', 7), ['run.seed'])).toBe(settingsHash(config, ['run.seed']));
  });

  it('is a fixed function of the content', () => {
    expect(canonicalJson({ b: [1, 'é', null], a: { d: 1e-7, c: true } })).toBe(
      '{"a":{"c":true,"d":1e-7},"b":[1,"é",null]}',
    );
    expect(() => canonicalJson({ a: Number.NaN })).toThrow('expected a JSON value, got NaN');
  });

  it('survives JSON: what is written to config.json resolves to the same configuration', () => {
    const config = defaultConfig();
    expect(runConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  it('is read back from a stored configuration, which may lack newer settings but hold no wrong ones', () => {
    const config = applyAssignments([flag('lr', '0.5')]);
    const { schedule: _, ...older } = config;
    expect(parseConfig(older, 'config.json')).toEqual(config);
    expect(applyAssignments([flag('eval-samples', '7')], config)).toMatchObject({
      optimizer: { lr: 0.5 },
      evaluation: { eval_samples: 7 },
    });
    const wrong = errorOf(() => parseConfig({ optimizer: { lr: -1 }, wire: { M: 3 } }, 'config.json'));
    expect(wrong.message).toBe(
      'config.json: wire: Unrecognized key: "M"\nconfig.json: optimizer.lr: expected a number > 0, got -1',
    );
    expect(errorOf(() => parseConfig([], 'config.json')).message).toContain('config.json');
    expect(errorOf(() => parseConfig(null, 'config.json')).message).toContain('config.json');
  });

  it('shows which settings differ', () => {
    const before = defaultConfig();
    const after = applyAssignments([flag('lr', '0.5'), flag('model', 'm')]);
    expect(diffConfigs(before, after).map(({ path }) => path)).toEqual(['model.ids', 'optimizer.lr']);
    expect(diffConfigs({ a: { b: 1 } }, {})).toEqual([{ path: 'a.b', before: 1, after: undefined }]);
    expect(findField('optimizer.lr')?.flag).toBe('lr');
  });
});
