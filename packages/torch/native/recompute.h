// Recomputation (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174): a stretch of operators runs without a graph
// and is noted as a program; of what it computes only its results stay. Backward runs the program again, with a graph
// this time, and differentiates that. The program is replayed by the dispatcher, never by JavaScript: backward of a GPU
// runs in threads of its own. Everything from outside that wants a gradient is an input, so that one node stands for
// the stretch and autograd needs to know nothing of it.
#pragma once

#include "handles.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <unordered_map>
#include <utility>

namespace latentwire {

/// Operator calls whose tensor arguments are constants or numbered values: first the inputs, then results in order.
struct Program {
  struct Call {
    c10::OperatorHandle op;
    torch::jit::Stack arguments;                        // constants; tensors that are values are left out
    std::vector<std::pair<size_t, size_t>> values;      // argument, value
    std::vector<std::pair<size_t, std::vector<int64_t>>> lists;  // argument, value of each item or -1: constant
  };
  std::vector<Call> calls;
  std::vector<at::Tensor> inputs;  // detached
  std::vector<uint32_t> versions;  // of the inputs, when they were read
  std::vector<size_t> outputs;

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& leaves) const {
    std::unordered_map<size_t, at::Tensor> values;
    size_t next = 0;
    for (const at::Tensor& leaf : leaves) values[next++] = leaf;
    next = kFirstResult;
    for (const Call& call : calls) {
      torch::jit::Stack stack = call.arguments;
      for (auto [argument, value] : call.values) stack[argument] = values.at(value);
      for (const auto& [argument, items] : call.lists) {
        c10::List<at::Tensor> list = stack[argument].toTensorList().copy();
        for (size_t i = 0; i < items.size(); i++) {
          if (items[i] >= 0) list.set(i, values.at(static_cast<size_t>(items[i])));
        }
        stack[argument] = list;
      }
      call.op.callBoxed(&stack);
      for (const c10::IValue& result : stack) for_each_result(result, [&](const at::Tensor& t) { values[next++] = t; });
    }
    std::vector<at::Tensor> out;
    for (size_t output : outputs) out.push_back(values.at(output));
    return out;
  }

  template <class Visit>
  static void for_each_result(const c10::IValue& result, Visit visit) {
    if (result.isTensor()) visit(result.toTensor());
    else if (result.isTensorList()) {
      for (const at::Tensor& t : result.toTensorVector()) visit(t);
    }
  }

  static constexpr size_t kFirstResult = size_t{1} << 32;
};

/// Notes the calls of a stretch under way.
class ProgramRecorder {
 public:
  /// Before a call: where its tensors come from.
  void begin_call(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
    Program::Call call{op, stack, {}, {}};
    for (size_t i = 0; i < stack.size(); i++) {
      if (stack[i].isTensor() && stack[i].toTensor().defined()) {
        int64_t value = value_of(stack[i].toTensor());
        if (value < 0) continue;
        call.values.emplace_back(i, static_cast<size_t>(value));
        call.arguments[i] = c10::IValue();
      } else if (stack[i].isTensorList()) {
        std::vector<int64_t> items;
        c10::List<at::Tensor> constants;
        for (const at::Tensor& t : stack[i].toTensorVector()) {
          items.push_back(value_of(t));
          constants.push_back(items.back() < 0 ? t : at::Tensor());
        }
        call.arguments[i] = constants;
        call.lists.emplace_back(i, std::move(items));
      } else if (stack[i].isList()) {
        for (const c10::IValue& item : stack[i].toListRef()) {
          if (item.isTensor()) throw BridgeError("an operator with a list of optional tensors cannot be recomputed");
        }
      }
    }
    program_->calls.push_back(std::move(call));
  }

  void end_call(const torch::jit::Stack& stack) {
    for (const c10::IValue& result : stack) Program::for_each_result(result, [&](const at::Tensor& t) { add_value(t, next_++); });
  }

  /// The results, as the outputs of one node over all inputs; as they are where nothing wants a gradient.
  std::vector<at::Tensor> finish(const std::vector<at::Tensor>& results);

 private:
  /// -1: a constant
  int64_t value_of(const at::Tensor& t) {
    auto known = values_.find(t.unsafeGetTensorImpl());
    if (known != values_.end()) return static_cast<int64_t>(known->second);
    if (!t.defined() || !t.requires_grad()) return -1;
    size_t value = program_->inputs.size();
    edges_.push_back(torch::autograd::impl::gradient_edge(t));
    program_->versions.push_back(static_cast<uint32_t>(t._version()));
    program_->inputs.push_back(t.detach());
    add_value(t, value);
    return static_cast<int64_t>(value);
  }

  void add_value(const at::Tensor& t, size_t value) {
    if (!t.defined()) return;
    values_[t.unsafeGetTensorImpl()] = value;
    // Its memory may go, its address may not be that of another tensor meanwhile.
    addresses_.emplace_back(t.getIntrusivePtr());
  }

  std::shared_ptr<Program> program_ = std::make_shared<Program>();
  std::unordered_map<c10::TensorImpl*, size_t> values_;
  std::vector<c10::weak_intrusive_ptr<c10::TensorImpl>> addresses_;
  torch::autograd::edge_list edges_;
  size_t next_ = Program::kFirstResult;
};

struct Recompute : torch::autograd::Node {
  std::shared_ptr<Program> program;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    if (!program) throw BridgeError("a recomputed stretch can be differentiated once; pass retainGraph for more");
    const auto& inputs = program->inputs;
    at::AutoGradMode with_graph(true);
    std::vector<at::Tensor> leaves;
    for (size_t i = 0; i < inputs.size(); i++) {
      if (static_cast<uint32_t>(inputs[i]._version()) != program->versions[i]) {
        throw BridgeError("an input of a recomputed stretch was changed in place before backward");
      }
      leaves.push_back(inputs[i].detach().requires_grad_());
    }
    auto results = program->run(leaves);
    torch::autograd::variable_list roots, given;
    for (size_t i = 0; i < results.size(); i++) {
      if (!gradients[i].defined() || !results[i].requires_grad()) continue;
      roots.push_back(std::move(results[i]));
      given.push_back(std::move(gradients[i]));
    }
    results.clear();
    if (roots.empty()) return torch::autograd::variable_list(leaves.size());
    return torch::autograd::grad(roots, leaves, given, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
  }

  void release_variables() override { program.reset(); }
  std::string name() const override { return "latentwire::Recompute"; }
};

/// Nodes are held by std::shared_ptr up to torch 2.11, by c10::intrusive_ptr in later ones.
template <class Pointer>
struct NodeMaker;
template <class N>
struct NodeMaker<std::shared_ptr<N>> {
  template <class T>
  static std::shared_ptr<T> make() { return std::make_shared<T>(); }
};
template <class N, class Null>
struct NodeMaker<c10::intrusive_ptr<N, Null>> {
  template <class T>
  static c10::intrusive_ptr<T> make() { return c10::make_intrusive<T>(); }
};

inline std::vector<at::Tensor> ProgramRecorder::finish(const std::vector<at::Tensor>& results) {
  if (program_->inputs.empty()) return results;
  for (const at::Tensor& result : results) {
    auto known = values_.find(result.unsafeGetTensorImpl());
    if (known == values_.end()) throw BridgeError("a result of a recomputed stretch was not computed in it");
    program_->outputs.push_back(known->second);
  }
  auto node = NodeMaker<decltype(torch::autograd::Edge::function)>::make<Recompute>();
  node->set_next_edges(std::move(edges_));
  node->program = std::move(program_);
  std::vector<at::Tensor> out;
  for (const at::Tensor& result : results) {
    out.push_back(result.detach());
    torch::autograd::create_gradient_edge(out.back(), node);
  }
  return out;
}

inline thread_local std::unique_ptr<ProgramRecorder> program_recorder;

/// recomputeBegin(): operators from now on are noted. Call it with gradients turned off.
inline napi_value recompute_begin(napi_env env, const Arguments&) {
  if (program_recorder) throw BridgeError("recomputed stretches cannot be nested");
  program_recorder = std::make_unique<ProgramRecorder>();
  return undefined(env);
}

/// recomputeEnd(results) -> the same tensors as functions of what the stretch read
inline napi_value recompute_end(napi_env env, const Arguments& args) {
  auto recorder = std::move(program_recorder);
  return make_tensor_list(env, recorder->finish(get_tensor_list(env, args[0], "results")));
}

/// recomputeAbort(): after an error inside
inline napi_value recompute_abort(napi_env env, const Arguments&) {
  program_recorder.reset();
  return undefined(env);
}

}  // namespace latentwire
