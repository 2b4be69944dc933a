// What every kernel source begins with: the element type T (ELEMENT: 0 float, 1 bfloat16, 2 half), its way to fp32 and
// back, and 8 elements as one load.
#pragma once

namespace latentwire {

inline const char* const kKernelTypes = R"CUDA(
typedef long long i64;
#if ELEMENT == 0
typedef float T;
__device__ inline float up(T x) { return x; }
__device__ inline T down(float x) { return x; }
#elif ELEMENT == 1
typedef unsigned short T;
__device__ inline float up(T x) { return __uint_as_float(((unsigned)x) << 16); }
__device__ inline T down(float x) {
  T r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}
#else
typedef unsigned short T;
__device__ inline float up(T x) { float r; asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x)); return r; }
__device__ inline T down(float x) { T r; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x)); return r; }
#endif

struct alignas(sizeof(T) * 8 > 16 ? 16 : sizeof(T) * 8) Pack { T v[8]; };
)CUDA";

}  // namespace latentwire
