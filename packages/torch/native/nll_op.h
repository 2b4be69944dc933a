// latentwire::nll_gradient_: -log softmax(x)[y] of each row, and x becomes the gradient of it, softmax(x) - onehot(y). With
// torch's operators that is a copy in float32, its log-softmax, a gradient in float32 and another copy, of tensors of
// [targets, vocabulary]: the largest there are in a step of a small model. Here x is read twice and written once, computed in
// float32.
#pragma once

#include "kernels.h"

#include <ATen/Functions.h>
#include <torch/library.h>
#ifdef LATENTWIRE_CUDA
#include <c10/cuda/CUDAGuard.h>
#endif

namespace latentwire {

#ifdef LATENTWIRE_CUDA
inline const char* const kNllSource = R"CUDA(
__device__ inline void join(float& m, float& s, float other_m, float other_s) {
  float top = fmaxf(m, other_m);
  s = s * __expf(m - top) + other_s * __expf(other_m - top);
  m = top;
}

// x [N, V], one block per row; `packs` = V / 8
extern "C" __global__ void nll_gradient(Pack* x, const i64* targets, float* nll, int packs) {
  __shared__ float tops[32], sums[32];
  Pack* row = x + blockIdx.x * (i64)packs;
  i64 target = targets[blockIdx.x];
  float m = -1e30f, s = 0.f, chosen = 0.f;
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    Pack v = row[p];
    float top = m;
#pragma unroll
    for (int j = 0; j < 8; j++) top = fmaxf(top, up(v.v[j]));
    s *= __expf(m - top);
    m = top;
#pragma unroll
    for (int j = 0; j < 8; j++) s += __expf(up(v.v[j]) - m);
  }
  for (int o = 16; o > 0; o >>= 1) {
    float other_m = __shfl_xor_sync(0xffffffffu, m, o), other_s = __shfl_xor_sync(0xffffffffu, s, o);
    join(m, s, other_m, other_s);
  }
  int warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  if ((threadIdx.x & 31) == 0) {
    tops[warp] = m;
    sums[warp] = s;
  }
  // Before any thread writes.
  if (threadIdx.x == 0) chosen = up(((const T*)row)[target]);
  __syncthreads();
  m = tops[0];
  s = sums[0];
  for (int w = 1; w < warps; w++) join(m, s, tops[w], sums[w]);
  if (threadIdx.x == 0) nll[blockIdx.x] = m + logf(s) - chosen;
  float inverse = 1.f / s;
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    Pack v = row[p], o;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      float likely = __expf(up(v.v[j]) - m) * inverse;
      o.v[j] = down(p * 8 + j == target ? likely - 1.f : likely);
    }
    row[p] = o;
  }
}
)CUDA";
#endif

/// x [N, V] in a floating type, targets int64 [N] -> float32 [N]
inline at::Tensor nll_gradient(at::Tensor& x, const at::Tensor& targets) {
  TORCH_CHECK(x.dim() == 2 && targets.dim() == 1 && targets.size(0) == x.size(0) && targets.scalar_type() == at::kLong,
              "nll_gradient_: expected logits [N, V] and int64 targets [N], got ", x.sizes(), " and ", targets.scalar_type(), " ",
              targets.sizes());
#ifdef LATENTWIRE_CUDA
  bool packed = x.size(1) % 8 == 0 && x.is_contiguous() && reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
  at::ScalarType type = x.scalar_type();
  if (x.is_cuda() && packed && (type == at::kBFloat16 || type == at::kHalf || type == at::kFloat)) {
    const c10::cuda::CUDAGuard on_device(x.device());
    at::Tensor rows = targets.contiguous(), nll = at::empty({x.size(0)}, x.options().dtype(at::kFloat));
    if (x.size(0) == 0) return nll;
    launch_kernel(kernel(kNllSource, "nll_gradient", type), x.size(0), 1024, x.mutable_data_ptr(), rows.const_data_ptr(),
                  nll.mutable_data_ptr(), static_cast<int>(x.size(1) / 8));
    return nll;
  }
#endif
  at::Tensor wide = x.to(at::kFloat), sum = at::logsumexp(wide, {1}, /*keepdim=*/true), at_target = targets.unsqueeze(1);
  at::Tensor nll = (sum - at::gather(wide, 1, at_target)).squeeze(1);
  x.copy_(at::exp(wide - sum).scatter_add_(1, at_target, at::full_like(sum, -1.0)));
  return nll;
}

}  // namespace latentwire

TORCH_LIBRARY_FRAGMENT(latentwire, library) {
  library.def("nll_gradient_(Tensor(a!) logits, Tensor targets) -> Tensor");
}
TORCH_LIBRARY_IMPL(latentwire, CPU, library) { library.impl("nll_gradient_", latentwire::nll_gradient); }
TORCH_LIBRARY_IMPL(latentwire, CUDA, library) { library.impl("nll_gradient_", latentwire::nll_gradient); }
