import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { Adapter, type AdapterOptions } from './adapter.js';

const options: AdapterOptions = {
  latentWidth: 6,
  hidden: 12,
  modelWidth: 10,
  embeddingRms: 0.03,
  slots: 4,
  privateLen: 0,
  linearOnly: false,
  calibrate: true,
};

function adapter(changes: Partial<AdapterOptions> = {}, seed = 3): Adapter {
  return new Adapter({ ...options, ...changes, generator: new t.Generator('cpu', seed) });
}

const names = (module: Adapter): string[] => [...module.namedParameters()].map(([name]) => name);

const rms = (x: t.Tensor): number => Math.sqrt(t.mean(t.square(x)).item());

/** Adds normal noise to a parameter, as training would move it. */
function disturb(module: Adapter, name: string): void {
  const p = module.stateDict().get(name)!;
  t.noGrad(() => t.add_(p, t.randn(p.shape)));
}

function changes(module: Adapter, z: t.Tensor, name: string, shared = 4): number {
  const before = module.forward(z, shared);
  disturb(module, name);
  return t.max(t.abs(t.sub(module.forward(z, shared), before))).item();
}

describe('Adapter', () => {
  it('starts as its MLP, normalised to the RMS of the embedding table', () => {
    t.scope(() => {
      const module = adapter();
      const mlp = new t.nn.MLP(6, 12, 10, { generator: new t.Generator('cpu', 3) });
      const z = t.randn([2, 4, 6]);
      const plain = t.mul(t.rmsNorm(mlp.forward(t.layerNorm(z))), 0.03);
      expect(t.max(t.abs(t.sub(module.forward(z, 4), plain))).item()).toBeLessThan(1e-7);
    });
  });

  it('has position, skip, FiLM and scale in its graph', () => {
    t.scope(() => {
      const module = adapter();
      const z = t.randn([2, 4, 6]);
      t.backward(t.sum(t.mul(module.forward(z, 4), t.randn([2, 4, 10]))));
      for (const [name, p] of module.namedParameters()) {
        expect(t.max(t.abs(p.grad!)).item(), name).toBeGreaterThan(0);
      }
      for (const name of ['map.position', 'map.skip', 'map.film']) {
        expect(changes(module, z, name), name).toBeGreaterThan(1e-3);
      }
    });
  });

  it('computes FiLM and skip as written: x ⊙ (1 + γ) + β of the MLP and the skip', () => {
    t.scope(() => {
      const module = adapter();
      for (const name of ['map.position', 'map.skip', 'map.film']) disturb(module, name);
      const p = (name: string): t.Tensor => module.stateDict().get(`map.${name}`)!;
      const z = t.randn([1, 4, 6]);
      const n = t.layerNorm(t.add(z, p('position')), p('norm.weight'), p('norm.bias'));
      const hidden = t.gelu(t.linear(n, p('mlp.up.weight'), p('mlp.up.bias')));
      const x = t.add(
        t.linear(hidden, p('mlp.down.weight'), p('mlp.down.bias')),
        t.matmul(n, t.transpose(p('skip'), 0, 1)),
      );
      const film = t.matmul(n, t.transpose(p('film'), 0, 1));
      const gain = t.add(t.narrow(film, 2, 0, 10), 1);
      const wanted = t.mul(t.rmsNorm(t.add(t.mul(x, gain), t.narrow(film, 2, 10, 10))), 0.03);
      expect(t.max(t.abs(t.sub(module.forward(z, 4), wanted))).item()).toBeLessThan(1e-6);
    });
  });

  it('gives each slot its own position, private ones before the shared', () => {
    t.scope(() => {
      const module = adapter({ privateLen: 2 });
      disturb(module, 'map.position');
      const z = t.expand(t.randn([1, 1, 6]), [2, 6, 6]);
      const prefix = module.forward(z, 4);
      const slot = (i: number): number[] => t.select(t.select(prefix, 0, 0), 0, i).toArray();
      expect(slot(0)).toEqual(slot(1));
      for (let i = 2; i < 6; i++) expect(slot(i)).not.toEqual(slot(i - 1));
      disturb(module, 'map.privatePosition');
      const moved = module.forward(z, 4);
      expect(t.narrow(moved, 1, 2, 4).toArray()).toEqual(t.narrow(prefix, 1, 2, 4).toArray());
      expect(t.narrow(moved, 1, 0, 2).toArray()).not.toEqual(t.narrow(prefix, 1, 0, 2).toArray());
    });
  });

  it("makes a row's prefix independent of its batch-mates, with a number of latents per row", () => {
    t.scope(() => {
      const module = adapter({ privateLen: 1 });
      for (const name of ['map.position', 'map.privatePosition', 'map.film']) disturb(module, name);
      const shared = [2, 7, 4];
      const z = t.randn([3, 8, 6]);
      const together = module.forward(z, shared);
      shared.forEach((count, row) => {
        const alone = module.forward(t.narrow(t.narrow(z, 0, row, 1), 1, 0, 1 + count), count);
        const own = t.narrow(t.narrow(together, 0, row, 1), 1, 0, 1 + count);
        expect(t.max(t.abs(t.sub(own, alone))).item()).toBeLessThan(1e-6);
      });
    });
  });
});

describe('ablations', () => {
  it('--disable-adapter leaves one linear projection and the calibration', () => {
    t.scope(() => {
      const module = adapter({ linearOnly: true });
      expect(names(module)).toEqual(['map.weight', 'map.bias', 'scale']);
      const z = t.randn([2, 4, 6]);
      const [weight, bias] = [module.stateDict().get('map.weight')!, module.stateDict().get('map.bias')!];
      const wanted = t.mul(t.rmsNorm(t.linear(z, weight, bias)), 0.03);
      expect(module.forward(z, 4).toArray()).toEqual(wanted.toArray());
    });
  });

  it('--disable-calibration starts the prefix at RMS 1 in place of the embedding table’s', () => {
    t.scope(() => {
      const z = t.randn([2, 4, 6]);
      const [with_, without] = [adapter(), adapter({ calibrate: false })];
      expect(rms(with_.forward(z, 4))).toBeCloseTo(0.03, 5);
      expect(rms(without.forward(z, 4))).toBeCloseTo(1, 4);
      expect(names(without)).toEqual(names(with_));
    });
  });

  it('leave the names of the whole adapter stable, because checkpoints use them', () => {
    expect(names(adapter({ privateLen: 1 }))).toEqual([
      'map.position',
      'map.privatePosition',
      'map.norm.weight',
      'map.norm.bias',
      'map.mlp.up.weight',
      'map.mlp.up.bias',
      'map.mlp.down.weight',
      'map.mlp.down.bias',
      'map.skip',
      'map.film',
      'scale',
    ]);
  });
});
