import { expect, it } from 'vitest';
import * as t from '../index.js';

it('keeps gradients in place while they are added to and cleared', () => {
  using weight = t.keep(t.tensor([1, 2])).setRequiresGrad();
  using untouched = t.keep(t.tensor([1]));
  const before = t.liveTensors();
  t.optim.allocateGradients([weight]);
  const add = () => t.scope(() => t.backward(t.sum(t.square(weight))));
  using first = weight.grad!;
  add();
  add();
  expect(first.toArray()).toEqual([4, 8]);
  t.optim.zeroGradients([weight, untouched]);
  expect(first.toArray()).toEqual([0, 0]);
  using now = weight.grad!;
  expect(now.sharesStorageWith(first)).toBe(true);
  expect(t.liveTensors()).toBe(before + 2);
});
