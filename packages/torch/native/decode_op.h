// Attention of one new position per row over keys and values that stay where they are: latentwire::decode, on CUDA.
// Norm of queries and keys, rotation, the write into the cache and the attention are one kernel, and every row has its own
// length in device memory, so that a step of generation has no shape that changes and can be captured as a graph.
#pragma once

#ifdef LATENTWIRE_CUDA
#include "decode_kernel.h"
#include "fused_ops.h"

namespace latentwire {

inline at::Tensor decode_op(const at::Tensor& qkv, const std::optional<at::Tensor>& norm, double eps, const at::Tensor& cos,
                            const at::Tensor& sin, at::Tensor keys, at::Tensor values, const at::Tensor& positions,
                            const at::Tensor& ended, int64_t window, double scale) {
  // qkv [B, 1, H + 2 Hkv, d]; keys, values [B, Hkv, C, d]
  at::Tensor x = qkv.contiguous();
  int64_t rows = keys.size(0), kv = keys.size(1), capacity = keys.size(2), width = keys.size(3);
  int64_t heads = x.size(-2) - 2 * kv, group = heads / kv;
  TORCH_CHECK(x.size(0) == rows && x.size(1) == 1 && x.size(-1) == width && heads == group * kv, "decode: shapes do not fit");
  TORCH_CHECK(keys.is_contiguous() && values.is_contiguous() && values.sizes() == keys.sizes(), "decode: the cache must be contiguous");
  TORCH_CHECK(positions.scalar_type() == at::kLong && positions.numel() >= rows && ended.numel() >= rows, "decode: a position per row");
  at::Tensor out = at::empty({rows, 1, heads * width}, x.options());
  bool norms = norm.has_value() && norm->defined();
  void* function = kernel(kDecodeSource, "decode", x.scalar_type(),
                          {"-DWIDTH=" + std::to_string(width), "-DGROUP=" + std::to_string(group)});
  launch_kernel(function, rows * kv, 128, x.const_data_ptr(), norms ? norm->const_data_ptr() : nullptr,
                norms ? wide(*norm, x) : 0, static_cast<float>(eps), cos.const_data_ptr(), sin.const_data_ptr(),
                keys.mutable_data_ptr(), values.mutable_data_ptr(), positions.const_data_ptr(), ended.const_data_ptr(),
                out.mutable_data_ptr(), static_cast<int>(kv), capacity, window, static_cast<float>(scale));
  return out;
}

}  // namespace latentwire

TORCH_LIBRARY_FRAGMENT(latentwire, library) {
  library.def(
      "decode(Tensor qkv, Tensor? norm, float eps, Tensor cos, Tensor sin, Tensor(a!) keys, Tensor(b!) values, "
      "Tensor positions, Tensor ended, int window, float scale) -> Tensor");
}
TORCH_LIBRARY_IMPL(latentwire, CUDA, library) { library.impl("decode", latentwire::decode_op); }
#endif
