import { describe, expect, it } from 'vitest';
import { defaultConfig, runConfigSchema } from '../../config/index.js';
import { identityDifferences, type RunIdentity, requireSameIdentity } from './identity.js';

const identity = (facts: Record<string, string>, changes: object = {}): RunIdentity => ({
  config: runConfigSchema.parse({ ...defaultConfig(), ...changes }),
  facts: { device: 'cpu (A)', 'CPU threads': '2', 'torch version': '2.15.0', ...facts },
});

const options = { allowDrift: false, warn: () => {}, file: 'checkpoint' };

describe('the identity of a run', () => {
  it('is the same when only operational settings differ', () => {
    const moved = identity({}, { run: { save_dir: 'elsewhere', debug: true }, checkpoint: { interval: 5 } });
    expect(identityDifferences(identity({}), moved)).toEqual([]);
    requireSameIdentity(identity({}), moved, options);
  });

  it.each([
    [{ device: 'cuda (NVIDIA H200)' }, 'device was cpu (A), is now cuda (NVIDIA H200)'],
    [{ 'CPU threads': '8' }, 'CPU threads was 2, is now 8'],
    [{ 'torch version': '2.16.0' }, 'torch version was 2.15.0, is now 2.16.0'],
    [{ 'data (train)': 'ab' }, 'data (train) was absent, is now ab'],
  ])('differs by %o', (facts, difference) => {
    const act = () => requireSameIdentity(identity({}), identity(facts), options);
    expect(act).toThrow(difference);
    expect(act).toThrow('belongs to something else');
  });

  it('warns in place of refusing when drift is allowed', () => {
    const warnings: string[] = [];
    const drift = { ...options, allowDrift: true, warn: (text: string) => void warnings.push(text) };
    requireSameIdentity(identity({}), identity({ device: 'cuda (X)' }), drift);
    expect(warnings.join()).toContain('not bit-exact');
  });
});
