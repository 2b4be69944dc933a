// What the dispatcher does not offer of autograd: backward, grad, leaf flags, gradient slots, grad mode.
#pragma once

#include "handles.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

namespace latentwire {

inline std::vector<at::Tensor> get_optional_tensor_list(napi_env env, napi_value v, const char* what) {
  if (is_absent(env, v)) return {};
  uint32_t n = array_length(env, v, what);
  std::vector<at::Tensor> out;
  for (uint32_t i = 0; i < n; i++) {
    napi_value item = element(env, v, i);
    out.push_back(is_absent(env, item) ? at::Tensor() : get_tensor(env, item, what));
  }
  return out;
}

/// backward(roots, gradients | null, retainGraph)
inline napi_value backward(napi_env env, const Arguments& args) {
  auto roots = get_tensor_list(env, args[0], "roots");
  auto gradients = get_optional_tensor_list(env, args[1], "gradients");
  if (gradients.empty()) gradients.resize(roots.size());
  torch::autograd::backward(roots, gradients, get_bool(env, args[2], "retainGraph"));
  return undefined(env);
}

/// grad(outputs, inputs, gradOutputs | null, retainGraph, createGraph) -> (handle | null)[]
inline napi_value grad(napi_env env, const Arguments& args) {
  auto outputs = get_tensor_list(env, args[0], "outputs");
  auto inputs = get_tensor_list(env, args[1], "inputs");
  auto gradients = get_optional_tensor_list(env, args[2], "gradOutputs");
  if (gradients.empty()) gradients.resize(outputs.size());
  return make_tensor_list(env, torch::autograd::grad(outputs, inputs, gradients, get_bool(env, args[3], "retainGraph"),
                                                     get_bool(env, args[4], "createGraph"), /*allow_unused=*/true));
}

inline napi_value set_requires_grad(napi_env env, const Arguments& args) {
  at::Tensor t = get_tensor(env, args[0], "tensor");
  t.requires_grad_(get_bool(env, args[1], "requiresGrad"));
  return undefined(env);
}

inline napi_value requires_grad(napi_env env, const Arguments& args) {
  return make_bool(env, get_tensor(env, args[0], "tensor").requires_grad());
}

/// gradient(tensor) -> handle | null
inline napi_value gradient(napi_env env, const Arguments& args) {
  return make_tensor(env, get_tensor(env, args[0], "tensor").grad());
}

/// setGradient(tensor, gradient | null)
inline napi_value set_gradient(napi_env env, const Arguments& args) {
  at::Tensor t = get_tensor(env, args[0], "tensor");
  t.mutable_grad() = is_absent(env, args[1]) ? at::Tensor() : get_tensor(env, args[1], "gradient");
  return undefined(env);
}

inline napi_value clear_gradients(napi_env env, const Arguments& args) {
  for (at::Tensor& t : get_tensor_list(env, args[0], "tensors")) t.mutable_grad() = at::Tensor();
  return undefined(env);
}

/// setGradEnabled(enabled) -> the mode before
inline napi_value set_grad_enabled(napi_env env, const Arguments& args) {
  bool before = at::GradMode::is_enabled();
  at::GradMode::set_enabled(get_bool(env, args[0], "enabled"));
  return make_bool(env, before);
}

}  // namespace latentwire
