// Source of the attention of one new position per row (decode_op.h), for NVRTC. WIDTH: numbers of a head; GROUP: query
// heads per key head. Scores and sums are fp32.
#pragma once

namespace latentwire {

inline const char* const kDecodeSource = R"CUDA(
constexpr int THREADS = 128, LANES = WIDTH / 8, TEAMS = THREADS / LANES, AHEAD = 4;
constexpr unsigned ALL = 0xffffffffu;

// Sum over the lanes of a team: the threads that share a row of WIDTH numbers, 8 each.
__device__ inline float team_sum(float x) {
#pragma unroll
  for (int o = LANES / 2; o > 0; o >>= 1) x += __shfl_xor_sync(ALL, x, o, LANES);
  return x;
}

// One block per row and key head: normalises (norm may be null) and rotates the queries and the key of the new position,
// puts key and value into the cache at positions[row], and lets the queries see the positions up to there, at most `window`.
// qkv [B, heads + 2 kv, WIDTH]; cs, sn [P, WIDTH] with the sign of rotate_half in sn; keys, values [B, kv, capacity, WIDTH];
// out [B, heads, WIDTH]. Rows that have ended cost nothing: zeros.
extern "C" __global__ void decode(const Pack* qkv, const void* norm, int wide, float eps, const Pack* cs, const Pack* sn,
                                  Pack* keys, Pack* values, const i64* positions, const bool* ended, Pack* out, int kv,
                                  i64 capacity, i64 window, float scale) {
  __shared__ float query[GROUP * WIDTH];
  __shared__ float sums[TEAMS * GROUP * WIDTH];
  __shared__ float most[TEAMS * GROUP], mass[TEAMS * GROUP];
  const int heads = GROUP * kv, row = blockIdx.x / kv, head = blockIdx.x % kv;
  const int team = threadIdx.x / LANES, lane = threadIdx.x % LANES;
  Pack* result = out + ((i64)row * heads + head * GROUP) * LANES;
  if (ended[row]) {
    Pack zero;
#pragma unroll
    for (int j = 0; j < 8; j++) zero.v[j] = down(0.f);
    for (int i = threadIdx.x; i < GROUP * LANES; i += THREADS) result[i] = zero;
    return;
  }
  const i64 at = positions[row], cached = ((i64)row * kv + head) * capacity;
  // GROUP queries, the key, the value. Teams without a row of their own do the last one again: shuffles need all lanes.
  for (int base = 0; base < GROUP + 2; base += TEAMS) {
    const int part = base + team < GROUP + 2 ? base + team : GROUP + 1;
    const int source = part < GROUP ? head * GROUP + part : part == GROUP ? heads + head : heads + kv + head;
    const Pack x = qkv[((i64)row * (heads + 2 * kv) + source) * LANES + lane];
    float f[8];
#pragma unroll
    for (int j = 0; j < 8; j++) f[j] = up(x.v[j]);
    if (norm != nullptr) {
      float squares = 0.f;
#pragma unroll
      for (int j = 0; j < 8; j++) squares += f[j] * f[j];
      const float r = rsqrtf(team_sum(squares) / WIDTH + eps);
      if (part <= GROUP) {
#pragma unroll
        for (int j = 0; j < 8; j++) {
          const i64 n = (i64)source * WIDTH + lane * 8 + j;
          f[j] = up(down(f[j] * r * (wide ? ((const float*)norm)[n] : up(((const T*)norm)[n]))));
        }
      }
    }
    Pack o = x;
    const Pack c = cs[at * LANES + lane], s = sn[at * LANES + lane];
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const float other = __shfl_xor_sync(ALL, f[j], LANES / 2, LANES);
      if (part <= GROUP) o.v[j] = down(up(down(f[j] * up(c.v[j]))) + other * up(s.v[j]));
    }
    if (part < GROUP) {
#pragma unroll
      for (int j = 0; j < 8; j++) query[part * WIDTH + lane * 8 + j] = up(o.v[j]) * scale * 1.4426950408889634f;
    } else {
      (part == GROUP ? keys : values)[(cached + at) * LANES + lane] = o;
    }
  }
  __syncthreads();

  float q[GROUP][8], sum[GROUP][8], high[GROUP], total[GROUP];
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
    high[g] = -1e30f;
    total[g] = 0.f;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      q[g][j] = query[g * WIDTH + lane * 8 + j];
      sum[g][j] = 0.f;
    }
  }
  const i64 first = window > 0 && at + 1 > window ? at + 1 - window : 0;
  for (i64 base = first; base <= at; base += TEAMS * AHEAD) {
    Pack k[AHEAD], v[AHEAD];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      const i64 place = base + u * TEAMS + team, n = (cached + (place <= at ? place : at)) * LANES + lane;
      k[u] = keys[n];
      v[u] = values[n];
    }
    float score[AHEAD][GROUP];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      float f[8];
#pragma unroll
      for (int j = 0; j < 8; j++) f[j] = up(k[u].v[j]);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        float dot = 0.f;
#pragma unroll
        for (int j = 0; j < 8; j++) dot += q[g][j] * f[j];
        dot = team_sum(dot);
        score[u][g] = base + u * TEAMS + team <= at ? dot : __int_as_float(0xff800000);  // -infinity
      }
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      float m = high[g];
#pragma unroll
      for (int u = 0; u < AHEAD; u++) m = fmaxf(m, score[u][g]);
      const float shrink = exp2f(high[g] - m);
      high[g] = m;
      total[g] *= shrink;
#pragma unroll
      for (int j = 0; j < 8; j++) sum[g][j] *= shrink;
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        const float p = exp2f(score[u][g] - m);
        total[g] += p;
#pragma unroll
        for (int j = 0; j < 8; j++) sum[g][j] += p * up(v[u].v[j]);
      }
    }
  }
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
#pragma unroll
    for (int j = 0; j < 8; j++) sums[(team * GROUP + g) * WIDTH + lane * 8 + j] = sum[g][j];
    if (lane == 0) {
      most[team * GROUP + g] = high[g];
      mass[team * GROUP + g] = total[g];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < GROUP * LANES; i += THREADS) {
    const int g = i / LANES, l = i % LANES;
    float m = -1e30f, all = 0.f, f[8] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
    for (int w = 0; w < TEAMS; w++) m = fmaxf(m, most[w * GROUP + g]);
    for (int w = 0; w < TEAMS; w++) {
      const float share = exp2f(most[w * GROUP + g] - m);
      all += share * mass[w * GROUP + g];
#pragma unroll
      for (int j = 0; j < 8; j++) f[j] += share * sums[(w * GROUP + g) * WIDTH + l * 8 + j];
    }
    Pack o;
#pragma unroll
    for (int j = 0; j < 8; j++) o.v[j] = down(f[j] / all);
    result[i] = o;
  }
}
)CUDA";

}  // namespace latentwire
