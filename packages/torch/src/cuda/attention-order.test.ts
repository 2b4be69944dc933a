import { expect, it } from 'vitest';
import * as t from '../index.js';
import { native } from '../native.js';

/** What torch's `_fused_sdp_choice` returns (ATen/SDPBackend.h). */
const [FLASH, CUDNN] = [1, 3];

it.skipIf(t.cudaDeviceCount() === 0)(
  'attention is flash attention where it can be, and else that of cuDNN',
  () => {
    const choose = native.resolve('aten::_fused_sdp_choice');
    t.scope(() => {
      const heads = (n: number): t.Tensor => t.zeros([2, n, 40, 64], { dtype: 'bfloat16', device: 'cuda' });
      const [q, k, v] = [heads(9), heads(3), heads(3)];
      const mask = t.ones([2, 1, 40, 40], { dtype: 'bool', device: 'cuda' });
      const chosen = (mask: t.Tensor | null, causal: boolean): unknown =>
        native.call(choose, q.handle, k.handle, v.handle, mask?.handle ?? null, 0, causal, null, true);
      // The first attention is where torch sets its own order.
      t.scaledDotProductAttention(q, k, v, { causal: true, enableGqa: true });
      expect([chosen(null, true), chosen(null, false), chosen(mask, false)]).toEqual([FLASH, FLASH, CUDNN]);
    });
  },
);
