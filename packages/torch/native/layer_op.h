// latentwire::decoder_layer: a whole decoder layer as one operator with one gradient, [residual | delta] -> [residual | delta]
// (models/decoder/forward.ts says what a layer computes). Issued operator by operator, a layer of a small model costs the
// host several times what it costs the GPU, most of it in the bookkeeping of autograd: some 15 calls and 30 nodes. Here the
// kernels are issued below autograd, and backward is written out. The parts are our kernels on CUDA and torch's operators
// elsewhere, so that the gradient can be checked on any machine.
#pragma once

#include "device.h"
#include "fused_ops.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>
#include <vector>

namespace latentwire {

inline Normed norm_part(const at::Tensor& x, const at::Tensor& a, const at::Tensor& weight, double eps) {
#ifdef LATENTWIRE_CUDA
  if (x.is_cuda()) return add_norm_forward(x, a, weight, eps);
#endif
  at::Tensor h = a.defined() ? x + a : x, f = h.to(at::kFloat);
  at::Tensor rstd = at::rsqrt(at::mean(f * f, -1, /*keepdim=*/true) + eps);
  return {h, (f * rstd * weight.to(at::kFloat)).to(x.scalar_type()), rstd};
}

inline at::Tensor norm_part_gradient(const at::Tensor& dout, const at::Tensor& dh, const Normed& part,
                                     const at::Tensor& weight) {
#ifdef LATENTWIRE_CUDA
  if (dout.is_cuda()) return add_norm_gradient(dout, dh, part.sum, weight, part.rstd);
#endif
  at::Tensor n = part.sum.to(at::kFloat) * part.rstd, g = dout.to(at::kFloat) * weight.to(at::kFloat);
  at::Tensor dx = part.rstd * (g - n * at::mean(g * n, -1, /*keepdim=*/true));
  return (dh.defined() ? dx + dh : dx).to(dout.scalar_type());
}

/// [B, T, H + 2 Hkv, d] -> q, k, v [B, T, heads, d], q and k rotated; the first half of sin is negated
inline std::vector<at::Tensor> rotary_part(const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin, int64_t heads,
                                           int64_t kv_heads) {
#ifdef LATENTWIRE_CUDA
  if (qkv.is_cuda()) return rotary_forward(qkv, cos, sin, heads, kv_heads);
#endif
  at::Tensor x = qkv.narrow(2, 0, heads + kv_heads);
  at::Tensor turned = x * cos + at::roll(x, x.size(-1) / 2, -1) * sin;
  return {turned.narrow(2, 0, heads), turned.narrow(2, heads, kv_heads), qkv.narrow(2, heads + kv_heads, kv_heads)};
}

inline at::Tensor rotary_part_gradient(const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv, const at::Tensor& cos,
                                       const at::Tensor& sin) {
#ifdef LATENTWIRE_CUDA
  if (dq.is_cuda()) return rotary_gradient(dq, dk, dv, cos, sin);
#endif
  at::Tensor g = at::cat({dq, dk}, 2);
  return at::cat({g * cos + at::roll(g * sin, g.size(-1) / 2, -1), dv}, 2);
}

/// [.., gate | up] -> activation(gate) up
inline at::Tensor gated_part(const at::Tensor& x, bool gelu) {
#ifdef LATENTWIRE_CUDA
  if (x.is_cuda()) return gated_forward(x, gelu);
#endif
  auto parts = x.chunk(2, -1);
  return (gelu ? at::gelu(parts[0], "tanh") : at::silu(parts[0])) * parts[1];
}

inline at::Tensor gated_part_gradient(const at::Tensor& x, const at::Tensor& dout, bool gelu) {
#ifdef LATENTWIRE_CUDA
  if (x.is_cuda()) return gated_gradient(x, dout, gelu);
#endif
  auto parts = x.chunk(2, -1);
  at::Tensor active = gelu ? at::gelu(parts[0], "tanh") : at::silu(parts[0]), through = dout * parts[1];
  at::Tensor dgate = gelu ? at::gelu_backward(through, parts[0], "tanh") : at::silu_backward(through, parts[0]);
  return at::cat({dgate, dout * active}, -1);
}

/// What attention leaves for its gradient. Heads [B, H, T, d], grouped (H a multiple of Hkv).
struct AttentionPart {
  at::Tensor out, lse, seed, offset;
};

inline AttentionPart attention_part(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal, double scale) {
  if (q.is_cuda()) {
    auto done = at::_scaled_dot_product_flash_attention(q, k, v, /*dropout_p=*/0.0, causal, /*return_debug_mask=*/false, scale);
    return {std::get<0>(done), std::get<1>(done), std::get<6>(done), std::get<7>(done)};
  }
  int64_t group = q.size(1) / k.size(1);
  auto done = at::_scaled_dot_product_flash_attention_for_cpu(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), 0.0,
                                                              causal, {}, scale);
  return {std::get<0>(done), std::get<1>(done), {}, {}};
}

inline std::tuple<at::Tensor, at::Tensor, at::Tensor> attention_part_gradient(const at::Tensor& dout, const at::Tensor& q,
                                                                              const at::Tensor& k, const at::Tensor& v,
                                                                              const AttentionPart& part, bool causal,
                                                                              double scale) {
  if (q.is_cuda()) {
    // Without padding inside the batch there are no cumulated lengths.
    return at::_scaled_dot_product_flash_attention_backward(dout, q, k, v, part.out, part.lse, {}, {}, q.size(2), k.size(2), 0.0,
                                                            causal, part.seed, part.offset, scale);
  }
  int64_t kv = k.size(1), group = q.size(1) / kv;
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
      dout, q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), part.out, part.lse, 0.0, causal, {}, scale);
  auto grouped = [&](const at::Tensor& g) { return g.view({g.size(0), kv, group, g.size(2), g.size(3)}).sum(2); };
  return {dq, grouped(dk), grouped(dv)};
}

/// Gradients of the sum (with `dh`, which may be undefined, added) and of a weight that is trained.
inline std::tuple<at::Tensor, at::Tensor> trained_norm_gradients(const at::Tensor& dout, const at::Tensor& dh,
                                                                 const Normed& part, const at::Tensor& weight) {
#if LATENTWIRE_TORCH_AT_LEAST(2, 9)
  if (dout.is_cuda() && weight.scalar_type() == dout.scalar_type()) {
    std::vector<int64_t> rows = part.sum.sizes().vec();
    rows.back() = 1;
    auto [dx, dw] = at::_fused_rms_norm_backward(dout, part.sum, {part.sum.size(-1)}, part.rstd.view(rows), weight, {true, true});
    return {dh.defined() ? dx + dh : dx, dw};
  }
#endif
  at::Tensor n = part.sum.to(at::kFloat) * part.rstd.view({dout.size(0), dout.size(1), 1});
  at::Tensor dw = at::sum((dout.to(at::kFloat) * n).flatten(0, 1), 0).to(weight.scalar_type());
  return {norm_part_gradient(dout, dh, part, weight), dw};
}

struct LayerShape {
  int64_t heads, kv_heads;
  double eps, scale;
  bool gelu, causal;
};

using OptionalTensor = std::optional<at::Tensor>;

inline at::Tensor given(const OptionalTensor& x) { return x.has_value() ? *x : at::Tensor(); }

/// Weights: norm before attention, qkv, output, norm before the MLP, gate | up, down; `trained` has a bit for each, and one for the
/// bias. Norms of heads and after a part, which not every family has, are not trained here.
struct DecoderLayer : torch::autograd::Function<DecoderLayer> {
  using Context = torch::autograd::AutogradContext;
  using List = torch::autograd::variable_list;
  static constexpr size_t kWeights = 6, kArguments = 16;

  static List forward(Context* context, const at::Tensor& residual_in, const OptionalTensor& delta_in, at::TensorList w,
                      const OptionalTensor& qkv_bias, const OptionalTensor& qk_norm_in, const OptionalTensor& post_attn_norm_in,
                      const OptionalTensor& post_ffn_norm_in, const at::Tensor& cos_in, const at::Tensor& sin_in,
                      const LayerShape& shape, int64_t trained) {
    at::AutoDispatchBelowADInplaceOrView guard;
    at::Tensor delta = given(delta_in), bias = given(qkv_bias), qk_norm = given(qk_norm_in);
    at::Tensor post_attn_norm = given(post_attn_norm_in), post_ffn_norm = given(post_ffn_norm_in);
    at::Tensor residual = residual_in.contiguous(), cos = cos_in.contiguous(), sin = sin_in.contiguous();
    int64_t b = residual.size(0), t = residual.size(1), d = residual.size(2), all = shape.heads + 2 * shape.kv_heads;
    auto flat = [&](const at::Tensor& x) { return x.reshape({b * t, -1}); };

    Normed first = norm_part(residual, delta.defined() ? delta.contiguous() : delta, w[0], shape.eps);
    at::Tensor joined = bias.defined() ? at::addmm(bias, flat(first.out), w[1].t()) : at::mm(flat(first.out), w[1].t());
    at::Tensor qkv = joined.view({b, t, all, -1});
    Normed normed_q, normed_k;
    if (qk_norm.defined()) {
      at::Tensor q = qkv.narrow(2, 0, shape.heads).contiguous(), k = qkv.narrow(2, shape.heads, shape.kv_heads).contiguous();
      normed_q = norm_part(q, {}, qk_norm.select(0, 0), shape.eps);
      normed_k = norm_part(k, {}, qk_norm.select(0, shape.heads), shape.eps);
      qkv = at::cat({normed_q.out, normed_k.out, qkv.narrow(2, shape.heads + shape.kv_heads, shape.kv_heads)}, 2);
    }
    auto heads = rotary_part(qkv, cos, sin, shape.heads, shape.kv_heads);
    at::Tensor q = heads[0].transpose(1, 2), k = heads[1].transpose(1, 2), v = heads[2].transpose(1, 2);
    AttentionPart attended = attention_part(q, k, v, shape.causal, shape.scale);
    at::Tensor a = at::mm(flat(attended.out.transpose(1, 2)), w[2].t());
    Normed after_attention;
    if (post_attn_norm.defined()) {
      after_attention = norm_part(a, {}, post_attn_norm, shape.eps);
      a = after_attention.out;
    }
    Normed second = norm_part(first.sum, a.view({b, t, d}), w[3], shape.eps);
    at::Tensor gate_up = at::mm(flat(second.out), w[4].t());
    at::Tensor out = at::mm(gated_part(gate_up, shape.gelu), w[5].t());
    Normed after_ffn;
    if (post_ffn_norm.defined()) {
      after_ffn = norm_part(out, {}, post_ffn_norm, shape.eps);
      out = after_ffn.out;
    }

    // Gradients of weights need what the products were made from.
    at::Tensor none, first_out = trained ? first.out : none, second_out = trained ? second.out : none;
    context->save_for_backward({first.sum, first.rstd, normed_q.sum, normed_q.rstd, normed_k.sum, normed_k.rstd, q, k, v,
                                attended.out, attended.lse, attended.seed, attended.offset, after_attention.sum,
                                after_attention.rstd, second.sum, second.rstd, gate_up, after_ffn.sum, after_ffn.rstd, cos, sin,
                                w[0], w[1], w[2], w[3], w[4], w[5], qk_norm, post_attn_norm, post_ffn_norm, first_out, second_out});
    auto& data = context->saved_data;
    data["heads"] = shape.heads;
    data["kv"] = shape.kv_heads;
    data["scale"] = shape.scale;
    data["gelu"] = shape.gelu;
    data["causal"] = shape.causal;
    data["adds"] = delta.defined();
    data["trained"] = trained;
    return {second.sum, out.view({b, t, d})};
  }

  static List backward(Context* context, List gradients) {
    auto s = context->get_saved_variables();
    auto& data = context->saved_data;
    int64_t heads = data["heads"].toInt(), kv = data["kv"].toInt();
    bool gelu = data["gelu"].toBool(), causal = data["causal"].toBool();
    int64_t trained = data["trained"].toInt();
    Normed first{s[0], {}, s[1]}, normed_q{s[2], {}, s[3]}, normed_k{s[4], {}, s[5]}, after_attention{s[13], {}, s[14]};
    Normed second{s[15], {}, s[16]}, after_ffn{s[18], {}, s[19]};
    const at::Tensor &q = s[6], &k = s[7], &v = s[8], &gate_up = s[17], &cos = s[20], &sin = s[21];
    AttentionPart attended{s[9], s[10], s[11], s[12]};
    const at::Tensor* w = &s[22];
    const at::Tensor &qk_norm = s[28], &post_attn_norm = s[29], &post_ffn_norm = s[30], &first_out = s[31], &second_out = s[32];
    int64_t b = first.sum.size(0), t = first.sum.size(1), d = first.sum.size(2);
    auto flat = [&](const at::Tensor& x) { return x.reshape({b * t, -1}); };
    List out(kArguments);
    auto trains = [&](size_t i) { return (trained >> i & 1) != 0; };
    auto weight = [&](size_t i, const at::Tensor& dy, const at::Tensor& x) { out[2 + i] = at::mm(dy.t(), flat(x)); };
    auto norm = [&](size_t i, const at::Tensor& dy, const at::Tensor& dh, const Normed& part) {
      if (!trains(i)) return norm_part_gradient(dy, dh, part, w[i]);
      auto [dx, dw] = trained_norm_gradients(dy, dh, part, w[i]);
      out[2 + i] = dw;
      return dx;
    };

    at::Tensor dout = flat(gradients[1]);
    if (post_ffn_norm.defined()) dout = norm_part_gradient(dout, {}, after_ffn, post_ffn_norm);
    if (trains(5)) weight(5, dout, gated_part(gate_up, gelu));
    at::Tensor dgate_up = gated_part_gradient(gate_up, at::mm(dout, w[5]), gelu);
    if (trains(4)) weight(4, dgate_up, second_out);
    at::Tensor dsecond = norm(3, at::mm(dgate_up, w[4]).view({b, t, d}), gradients[0], second);
    at::Tensor da = flat(dsecond);
    if (post_attn_norm.defined()) da = norm_part_gradient(da, {}, after_attention, post_attn_norm);
    if (trains(2)) weight(2, da, attended.out.transpose(1, 2));
    at::Tensor dattended = at::mm(da, w[2]).view({b, t, heads, -1}).transpose(1, 2);
    auto [dq, dk, dv] = attention_part_gradient(dattended, q, k, v, attended, causal, data["scale"].toDouble());
    at::Tensor dqkv = rotary_part_gradient(dq.transpose(1, 2), dk.transpose(1, 2), dv.transpose(1, 2), cos, sin);
    if (qk_norm.defined()) {
      at::Tensor by_q = dqkv.narrow(2, 0, heads).contiguous(), by_k = dqkv.narrow(2, heads, kv).contiguous();
      dqkv = at::cat({norm_part_gradient(by_q, {}, normed_q, qk_norm.select(0, 0)),
                      norm_part_gradient(by_k, {}, normed_k, qk_norm.select(0, heads)), dqkv.narrow(2, heads + kv, kv)},
                     2);
    }
    at::Tensor djoined = flat(dqkv);
    if (trains(1)) weight(1, djoined, first_out);
    if (trains(kWeights)) out[2 + kWeights] = at::sum(djoined, 0);
    at::Tensor dx = norm(0, at::mm(djoined, w[1]).view({b, t, d}), dsecond, first);
    out[0] = dx;
    if (data["adds"].toBool()) out[1] = dx;
    return out;
  }
};

inline std::tuple<at::Tensor, at::Tensor> decoder_layer_op(const at::Tensor& residual, const OptionalTensor& delta,
                                                           at::TensorList w, const OptionalTensor& qkv_bias,
                                                           const OptionalTensor& qk_norm, const OptionalTensor& post_attn_norm,
                                                           const OptionalTensor& post_ffn_norm, const at::Tensor& cos,
                                                           const at::Tensor& sin, int64_t heads, int64_t kv_heads, double eps,
                                                           double scale, bool gelu, bool causal) {
  TORCH_CHECK(w.size() == DecoderLayer::kWeights, "decoder_layer: expected 6 weights, got ", w.size());
  int64_t trained = 0;
  for (size_t i = 0; i < w.size(); i++) trained |= static_cast<int64_t>(w[i].requires_grad()) << i;
  if (given(qkv_bias).defined()) trained |= static_cast<int64_t>(qkv_bias->requires_grad()) << w.size();
  for (const OptionalTensor* norm : {&qk_norm, &post_attn_norm, &post_ffn_norm}) {
    TORCH_CHECK(!given(*norm).defined() || !given(*norm).requires_grad(),
                "decoder_layer: norms of heads and after a part are frozen");
  }
  auto out = DecoderLayer::apply(residual, delta, w, qkv_bias, qk_norm, post_attn_norm, post_ffn_norm, cos, sin,
                                 LayerShape{heads, kv_heads, eps, scale, gelu, causal}, at::GradMode::is_enabled() ? trained : 0);
  return {out[0], out[1]};
}

}  // namespace latentwire

TORCH_LIBRARY_FRAGMENT(latentwire, library) {
  library.def(
      "decoder_layer(Tensor residual, Tensor? delta, Tensor[] weights, Tensor? qkv_bias, Tensor? qk_norm, Tensor? post_attn_norm, "
      "Tensor? post_ffn_norm, Tensor cos, Tensor sin, int heads, int kv_heads, float eps, float scale, bool gelu, bool causal) -> "
      "(Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(latentwire, Autograd, library) { library.impl("decoder_layer", latentwire::decoder_layer_op); }
TORCH_LIBRARY_IMPL(latentwire, CPU, library) { library.impl("decoder_layer", latentwire::decoder_layer_op); }
TORCH_LIBRARY_IMPL(latentwire, CUDA, library) { library.impl("decoder_layer", latentwire::decoder_layer_op); }
