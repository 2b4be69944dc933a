// latentwire::cast_all: many tensors in another type, as one operator with one gradient. A model that is trained in
// bfloat16 keeps its weights in float32 and casts all of them in every step: tensor by tensor, each takes the host a call,
// autograd a node and the device two kernels. Values and gradients are those of `to`.
#pragma once

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <vector>

namespace latentwire {

/// One kernel for many tensors where torch has one for this pair of types; strides stay, since it asks for equal ones.
inline std::vector<at::Tensor> cast_each(const std::vector<at::Tensor>& tensors, at::ScalarType type) {
  std::vector<at::Tensor> out;
  out.reserve(tensors.size());
  for (const at::Tensor& t : tensors) out.push_back(at::empty_like(t, t.options().dtype(type)));
  if (!out.empty()) at::_foreach_copy_(out, tensors);
  return out;
}

struct CastAll : torch::autograd::Function<CastAll> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                at::TensorList tensors, at::ScalarType type) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->saved_data["type"] = static_cast<int64_t>(tensors[0].scalar_type());
    context->set_materialize_grads(false);  // what is not used gets none, as with `to`
    return cast_each(tensors.vec(), type);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    std::vector<at::Tensor> given;
    for (const at::Tensor& g : gradients) {
      if (g.defined()) given.push_back(g);
    }
    std::vector<at::Tensor> cast = cast_each(given, type);
    torch::autograd::variable_list out;
    size_t next = 0;
    for (const at::Tensor& g : gradients) out.push_back(g.defined() ? cast[next++] : at::Tensor());
    out.emplace_back();  // of the type
    return out;
  }
};

inline std::vector<at::Tensor> cast_all_op(at::TensorList tensors, at::ScalarType type) {
  for (const at::Tensor& t : tensors) {
    TORCH_CHECK(t.scalar_type() == tensors[0].scalar_type(), "cast_all: expected tensors of one type, got ",
                tensors[0].scalar_type(), " and ", t.scalar_type());
  }
  return CastAll::apply(tensors, type);
}

}  // namespace latentwire

TORCH_LIBRARY_FRAGMENT(latentwire, library) {
  library.def("cast_all(Tensor[] tensors, ScalarType dtype) -> Tensor[]");
}
TORCH_LIBRARY_IMPL(latentwire, Autograd, library) { library.impl("cast_all", latentwire::cast_all_op); }
TORCH_LIBRARY_IMPL(latentwire, CPU, library) { library.impl("cast_all", latentwire::cast_all_op); }
TORCH_LIBRARY_IMPL(latentwire, CUDA, library) { library.impl("cast_all", latentwire::cast_all_op); }
