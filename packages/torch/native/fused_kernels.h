// Source of the fused element-wise kernels of a decoder layer (fused_ops.h), for NVRTC. Values are computed in fp32
// and rounded once, where the separate operators round too. 8 elements at a time.
#pragma once

namespace latentwire {

inline const char* const kFusedSource = R"CUDA(
__device__ inline float act(float x, int gelu) {
  if (gelu) {
    float u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    return 0.5f * x * (1.f + tanhf(u));
  }
  return x / (1.f + __expf(-x));
}
__device__ inline float slope(float x, int gelu) {
  if (gelu) {
    float u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    float th = tanhf(u);
    return 0.5f * (1.f + th) + 0.5f * x * (1.f - th * th) * 0.7978845608028654f * (1.f + 3.f * 0.044715f * x * x);
  }
  float s = 1.f / (1.f + __expf(-x));
  return s * (1.f + x * (1.f - s));
}

// out [N, I] = act(gate) * up of x [N, 2I]; `packs` = I / 8
extern "C" __global__ void gated(const Pack* x, Pack* out, i64 total, int packs, int gelu) {
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
    i64 row = i / packs, at = row * 2 * packs + (i - row * packs);
    Pack g = x[at], u = x[at + packs], o;
#pragma unroll
    for (int j = 0; j < 8; j++) o.v[j] = down(up(down(act(up(g.v[j]), gelu))) * up(u.v[j]));
    out[i] = o;
  }
}

extern "C" __global__ void gated_backward(const Pack* grad, const Pack* x, Pack* dx, i64 total, int packs, int gelu) {
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
    i64 row = i / packs, at = row * 2 * packs + (i - row * packs);
    Pack g = x[at], u = x[at + packs], d = grad[i], dg, du;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      float gate = up(g.v[j]), dd = up(d.v[j]);
      dg.v[j] = down(dd * up(u.v[j]) * slope(gate, gelu));
      du.v[j] = down(dd * act(gate, gelu));
    }
    dx[at] = dg;
    dx[at + packs] = du;
  }
}

// Rotates the q and k heads of qkv [N, H + 2 Hkv, d] and takes the three apart. cos, sin [R, d] with the sign of
// rotate_half in sin; row n uses n % R. One thread per pack of a head.
extern "C" __global__ void rotary(const Pack* qkv, const Pack* cs, const Pack* sn, Pack* q, Pack* k, Pack* v, i64 total,
                                  int rows, int heads, int kv, int packs) {
  int all = heads + 2 * kv, half = packs / 2;
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
    int p = i % packs;
    i64 head_row = i / packs;
    int h = head_row % all;
    i64 n = head_row / all;
    Pack x = qkv[i], o;
    if (h < heads + kv) {
      int other = p < half ? p + half : p - half;
      Pack y = qkv[i - p + other];
      i64 table = (n % rows) * packs + p;
      Pack c = cs[table], s = sn[table];
#pragma unroll
      for (int j = 0; j < 8; j++) o.v[j] = down(up(down(up(x.v[j]) * up(c.v[j]))) + up(y.v[j]) * up(s.v[j]));
    } else {
      o = x;
    }
    if (h < heads) q[(n * heads + h) * packs + p] = o;
    else if (h < heads + kv) k[(n * kv + h - heads) * packs + p] = o;
    else v[(n * kv + h - heads - kv) * packs + p] = o;
  }
}

extern "C" __global__ void rotary_backward(const Pack* dq, const Pack* dk, const Pack* dv, const Pack* cs, const Pack* sn,
                                           Pack* dqkv, i64 total, int rows, int heads, int kv, int packs) {
  int all = heads + 2 * kv, half = packs / 2;
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < total; i += (i64)gridDim.x * blockDim.x) {
    int p = i % packs;
    i64 head_row = i / packs;
    int h = head_row % all;
    i64 n = head_row / all;
    if (h >= heads + kv) {
      dqkv[i] = dv[(n * kv + h - heads - kv) * packs + p];
      continue;
    }
    const Pack* g = h < heads ? dq + (n * heads + h) * packs : dk + (n * kv + h - heads) * packs;
    int other = p < half ? p + half : p - half;
    i64 table = (n % rows) * packs;
    Pack a = g[p], b = g[other], c = cs[table + p], s = sn[table + other], o;
#pragma unroll
    for (int j = 0; j < 8; j++) o.v[j] = down(up(a.v[j]) * up(c.v[j]) + up(b.v[j]) * up(s.v[j]));
    dqkv[i] = o;
  }
}

__device__ inline float block_sum(float x) {
  __shared__ float part[32];
  for (int o = 16; o > 0; o >>= 1) x += __shfl_xor_sync(0xffffffffu, x, o);
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  __syncthreads();
  if (lane == 0) part[warp] = x;
  __syncthreads();
  float sum = 0.f;
  for (int w = 0; w < warps; w++) sum += part[w];
  return sum;
}

// Norm weights are in the type of x or, in Gemma, in fp32.
__device__ inline void scales(const void* w, int wide, int pack, float* s) {
#pragma unroll
  for (int j = 0; j < 8; j++) s[j] = wide ? ((const float*)w)[pack * 8 + j] : up(((const T*)w)[pack * 8 + j]);
}

// h = x + a (a may be null: h is x and not written), out = h / rms(h) * weight. One block per row.
extern "C" __global__ void add_norm(const Pack* x, const Pack* a, const void* w, int wide, Pack* h, Pack* out, float* rstd,
                                    int packs, float eps) {
  i64 row = blockIdx.x;
  const Pack* xr = x + row * packs;
  float squares = 0.f;
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    Pack v = xr[p];
    if (a) {
      Pack b = a[row * packs + p];
#pragma unroll
      for (int j = 0; j < 8; j++) v.v[j] = down(up(v.v[j]) + up(b.v[j]));
      h[row * packs + p] = v;
    }
#pragma unroll
    for (int j = 0; j < 8; j++) squares += up(v.v[j]) * up(v.v[j]);
  }
  float r = rsqrtf(block_sum(squares) / (packs * 8) + eps);
  if (threadIdx.x == 0) rstd[row] = r;
  const Pack* hr = a ? h + row * packs : xr;
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    Pack v = hr[p], o;
    float s[8];
    scales(w, wide, p, s);
#pragma unroll
    for (int j = 0; j < 8; j++) o.v[j] = down(up(v.v[j]) * r * s[j]);
    out[row * packs + p] = o;
  }
}

// dx = dh + r (g - n mean(g n)) with g = dout * weight, n = h r; dh may be null.
extern "C" __global__ void add_norm_backward(const Pack* dout, const Pack* dh, const Pack* h, const void* w, int wide,
                                             const float* rstd, Pack* dx, int packs) {
  i64 row = blockIdx.x;
  float r = rstd[row], dot = 0.f;
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    Pack d = dout[row * packs + p], v = h[row * packs + p];
    float s[8];
    scales(w, wide, p, s);
#pragma unroll
    for (int j = 0; j < 8; j++) dot += up(d.v[j]) * s[j] * up(v.v[j]) * r;
  }
  float mean = block_sum(dot) / (packs * 8);
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    Pack d = dout[row * packs + p], v = h[row * packs + p], o;
    float s[8];
    scales(w, wide, p, s);
    if (dh) o = dh[row * packs + p];
#pragma unroll
    for (int j = 0; j < 8; j++) {
      float g = r * (up(d.v[j]) * s[j] - up(v.v[j]) * r * mean);
      o.v[j] = down(dh ? up(o.v[j]) + g : g);
    }
    dx[row * packs + p] = o;
  }
}
)CUDA";

}  // namespace latentwire
