// The element-wise stretches of a decoder layer as one operator each, with gradients, registered in torch's
// dispatcher like any other: latentwire::gated, ::rotary, ::add_norm. They exist on CUDA only; src/nn/fused.ts composes
// the same from torch's operators elsewhere. Weights are frozen: no gradient is made for them. Each names its device: torch
// does that for its own operators only.
#pragma once

#include <ATen/core/Tensor.h>

namespace latentwire {

/// RMSNorm of x + a, in float32. rstd has a number per row.
struct Normed {
  at::Tensor sum, out, rstd;
};

}  // namespace latentwire

#ifdef LATENTWIRE_CUDA
#include "fused_kernels.h"
#include "kernels.h"

#include <ATen/Functions.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace latentwire {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

inline void* fused(const char* name, const at::Tensor& t) { return kernel(kFusedSource, name, t.scalar_type()); }

inline constexpr unsigned kThreads = 256;
inline int64_t grid_of(int64_t total) { return std::min<int64_t>((total + kThreads - 1) / kThreads, 132 * 32); }

inline const void* read(const at::Tensor& t) { return t.defined() ? t.const_data_ptr() : nullptr; }

inline at::Tensor gated_forward(const at::Tensor& x, bool gelu) {
  const c10::cuda::CUDAGuard on_device(x.device());
  auto shape = x.sizes().vec();
  shape.back() /= 2;
  at::Tensor out = at::empty(shape, x.options());
  int packs = static_cast<int>(shape.back() / 8);
  int64_t total = out.numel() / 8;
  launch_kernel(fused("gated", x), grid_of(total), kThreads, x.const_data_ptr(), out.mutable_data_ptr(), total, packs, gelu ? 1 : 0);
  return out;
}

inline at::Tensor gated_gradient(const at::Tensor& x, const at::Tensor& gradient, bool gelu) {
  const c10::cuda::CUDAGuard on_device(x.device());
  at::Tensor grad = gradient.contiguous(), dx = at::empty_like(x);
  int packs = static_cast<int>(grad.size(-1) / 8);
  int64_t total = grad.numel() / 8;
  launch_kernel(fused("gated_backward", x), grid_of(total), kThreads, grad.const_data_ptr(), x.const_data_ptr(),
                dx.mutable_data_ptr(), total, packs, gelu ? 1 : 0);
  return dx;
}

struct Gated : torch::autograd::Function<Gated> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, bool gelu) {
    at::AutoDispatchBelowADInplaceOrView guard;
    at::Tensor x = input.contiguous();
    context->save_for_backward({x});
    context->saved_data["gelu"] = gelu;
    return gated_forward(x, gelu);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    at::Tensor x = context->get_saved_variables()[0];
    return {gated_gradient(x, gradients[0], context->saved_data["gelu"].toBool()), at::Tensor()};
  }
};

/// qkv [B, T, H + 2 Hkv, d], cos and sin [.., d], all contiguous -> q, k, v
inline variable_list rotary_forward(const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin, int64_t heads,
                                    int64_t kv_heads) {
  const c10::cuda::CUDAGuard on_device(qkv.device());
  auto sized = [&](int64_t n) { return at::empty({qkv.size(0), qkv.size(1), n, qkv.size(3)}, qkv.options()); };
  at::Tensor q = sized(heads), k = sized(kv_heads), v = sized(kv_heads);
  int packs = static_cast<int>(qkv.size(3) / 8), rows = static_cast<int>(cos.numel() / qkv.size(3));
  int64_t total = qkv.numel() / 8;
  launch_kernel(fused("rotary", qkv), grid_of(total), kThreads, qkv.const_data_ptr(), cos.const_data_ptr(), sin.const_data_ptr(),
                q.mutable_data_ptr(), k.mutable_data_ptr(), v.mutable_data_ptr(), total, rows, static_cast<int>(heads),
                static_cast<int>(kv_heads), packs);
  return {q, k, v};
}

inline at::Tensor rotary_gradient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& cos,
                                  const at::Tensor& sin) {
  const c10::cuda::CUDAGuard on_device(q.device());
  at::Tensor dq = q.contiguous(), dk = k.contiguous(), dv = v.contiguous();
  int64_t heads = dq.size(2), kv = dk.size(2);
  at::Tensor dqkv = at::empty({dq.size(0), dq.size(1), heads + 2 * kv, dq.size(3)}, dq.options());
  int packs = static_cast<int>(dq.size(3) / 8), rows = static_cast<int>(cos.numel() / dq.size(3));
  int64_t total = dqkv.numel() / 8;
  launch_kernel(fused("rotary_backward", dq), grid_of(total), kThreads, dq.const_data_ptr(), dk.const_data_ptr(),
                dv.const_data_ptr(), cos.const_data_ptr(), sin.const_data_ptr(), dqkv.mutable_data_ptr(), total, rows,
                static_cast<int>(heads), static_cast<int>(kv), packs);
  return dqkv;
}

struct Rotary : torch::autograd::Function<Rotary> {
  static variable_list forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin,
                               int64_t heads, int64_t kv_heads) {
    at::AutoDispatchBelowADInplaceOrView guard;
    at::Tensor c = cos.contiguous(), s = sin.contiguous();
    context->save_for_backward({c, s});
    return rotary_forward(input.contiguous(), c, s, heads, kv_heads);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    return {rotary_gradient(gradients[0], gradients[1], gradients[2], saved[0], saved[1]), at::Tensor(), at::Tensor(),
            at::Tensor(), at::Tensor()};
  }
};

inline unsigned row_threads(int packs) {
  unsigned threads = 32;
  while (threads < 1024 && threads < static_cast<unsigned>(packs)) threads *= 2;
  return threads;
}

inline int wide(const at::Tensor& weight, const at::Tensor& x) { return weight.scalar_type() == x.scalar_type() ? 0 : 1; }

/// x and a (may be undefined) contiguous
inline Normed add_norm_forward(const at::Tensor& x, const at::Tensor& a, const at::Tensor& weight, double eps) {
  const c10::cuda::CUDAGuard on_device(x.device());
  bool adds = a.defined();
  at::Tensor h = adds ? at::empty_like(x) : x, out = at::empty_like(x);
  int packs = static_cast<int>(x.size(-1) / 8);
  int64_t rows = x.numel() / x.size(-1);
  at::Tensor rstd = at::empty({rows}, x.options().dtype(at::kFloat));
  launch_kernel(fused("add_norm", x), rows, row_threads(packs), x.const_data_ptr(), read(a), weight.const_data_ptr(),
                wide(weight, x), adds ? h.mutable_data_ptr() : nullptr, out.mutable_data_ptr(), rstd.mutable_data_ptr(), packs,
                static_cast<float>(eps));
  return {h, out, rstd};
}

/// Of the sum, with `dh` (may be undefined) added.
inline at::Tensor add_norm_gradient(const at::Tensor& gradient, const at::Tensor& dh_in, const at::Tensor& h,
                                    const at::Tensor& weight, const at::Tensor& rstd) {
  const c10::cuda::CUDAGuard on_device(h.device());
  at::Tensor dout = gradient.contiguous(), dx = at::empty_like(h), dh = dh_in.defined() ? dh_in.contiguous() : dh_in;
  int packs = static_cast<int>(h.size(-1) / 8);
  int64_t rows = h.numel() / h.size(-1);
  launch_kernel(fused("add_norm_backward", h), rows, row_threads(packs), dout.const_data_ptr(), read(dh), h.const_data_ptr(),
                weight.const_data_ptr(), wide(weight, h), rstd.const_data_ptr(), dx.mutable_data_ptr(), packs);
  return dx;
}

/// (x, a) -> (x + a, norm(x + a)); with `a` undefined (x, norm(x)).
struct AddNorm : torch::autograd::Function<AddNorm> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x_in, const std::optional<at::Tensor>& a_in,
                               const at::Tensor& weight, double eps) {
    at::AutoDispatchBelowADInplaceOrView guard;
    bool adds = a_in.has_value() && a_in->defined();
    Normed done = add_norm_forward(x_in.contiguous(), adds ? a_in->contiguous() : at::Tensor(), weight, eps);
    context->save_for_backward({done.sum, weight, done.rstd});
    context->saved_data["adds"] = adds;
    context->set_materialize_grads(false);
    if (adds) return {done.sum, done.out};
    return {done.out};
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    bool adds = context->saved_data["adds"].toBool();
    at::Tensor given = gradients.back(), dh = adds ? gradients[0] : at::Tensor();
    if (!given.defined()) return {dh, adds ? dh : at::Tensor(), at::Tensor(), at::Tensor()};
    at::Tensor dx = add_norm_gradient(given, dh, saved[0], saved[1], saved[2]);
    return {dx, adds ? dx : at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

inline at::Tensor gated_op(const at::Tensor& x, bool gelu) { return Gated::apply(x, gelu); }

inline std::tuple<at::Tensor, at::Tensor, at::Tensor> rotary_op(const at::Tensor& qkv, const at::Tensor& cos,
                                                                 const at::Tensor& sin, int64_t heads, int64_t kv_heads) {
  auto out = Rotary::apply(qkv, cos, sin, heads, kv_heads);
  return {out[0], out[1], out[2]};
}

inline std::tuple<at::Tensor, at::Tensor> add_norm_op(const at::Tensor& x, const std::optional<at::Tensor>& a,
                                                      const at::Tensor& weight, double eps) {
  auto out = AddNorm::apply(x, a, weight, eps);
  return out.size() == 1 ? std::make_tuple(x, out[0]) : std::make_tuple(out[0], out[1]);
}

}  // namespace latentwire

TORCH_LIBRARY(latentwire, library) {
  library.def("gated(Tensor x, bool gelu) -> Tensor");
  library.def("rotary(Tensor qkv, Tensor cos, Tensor sin, int heads, int kv_heads) -> (Tensor, Tensor, Tensor)");
  library.def("add_norm(Tensor x, Tensor? a, Tensor weight, float eps) -> (Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(latentwire, Autograd, library) {
  library.impl("gated", latentwire::gated_op);
  library.impl("rotary", latentwire::rotary_op);
  library.impl("add_norm", latentwire::add_norm_op);
}
TORCH_LIBRARY_IMPL(latentwire, CUDA, library) {
  library.impl("gated", latentwire::gated_op);
  library.impl("rotary", latentwire::rotary_op);
  library.impl("add_norm", latentwire::add_norm_op);
}
#endif
