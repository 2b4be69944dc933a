// Tensor handles and scopes. A handle is generation * 2^32 + slot, carried as a JavaScript number, so passing
// a tensor costs no object wrap, no finaliser, and a use after free is detected instead of read.
// One table per thread: every Node environment (main, worker) owns its tensors.
#pragma once

#include "lists.h"
#include "tape.h"

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>

namespace latentwire {

class HandleTable {
 public:
  double add(at::Tensor tensor) {
    uint32_t index;
    if (free_.empty()) {
      index = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.tensor = std::move(tensor);
    slot.depth = depth();
    slot.used = true;
    live_++;
    double handle = encode(index, slot.generation);
    if (slot.depth > 0) scoped_.push_back(handle);
    slot.taped = recording();
    if (slot.taped) tape_state().tape->owned.push_back(handle);
    return handle;
  }

  const at::Tensor& get(double handle) const {
    const Slot* slot = find(handle);
    if (slot == nullptr || slot->shell) throw BridgeError("a tensor was used after it was freed (by its scope or by dispose)");
    return slot->tensor;
  }

  /// For sizes and types only: also answers for tensors of a recorded step, whose memory is gone.
  const at::Tensor& describe(double handle) const {
    const Slot* slot = find(handle);
    return slot != nullptr && slot->shell ? slot->tensor : get(handle);
  }

  c10::Device device(double handle) const {
    const Slot* slot = find(handle);
    return slot != nullptr && slot->shell ? slot->device : get(handle).device();
  }

  /// Takes over a tensor of a recorded step: no scope frees it.
  void own(double handle) {
    if (Slot* slot = const_cast<Slot*>(find(handle))) {
      slot->depth = 0;
      slot->taped = false;
    }
  }

  bool alive(double handle) const { return find(handle) != nullptr; }

  void release(double handle) {
    Slot* slot = const_cast<Slot*>(find(handle));
    if (slot == nullptr) return;
    if (recording()) {
      if (!slot->taped) throw BridgeError("a tensor from outside a recorded step cannot be freed inside it");
      // The memory goes, sizes and type stay: the walk over the tape will ask for them.
      if (slot->shell) return;
      slot->device = slot->tensor.device();
      slot->tensor = at::empty(slot->tensor.sizes(), slot->tensor.options().device(at::kMeta));
      slot->shell = true;
      slot->depth = 0;
      return;
    }
    slot->tensor.reset();
    slot->shell = false;
    slot->taped = false;
    slot->used = false;
    slot->generation = (slot->generation + 1) & kGenerationMask;
    free_.push_back(index_of(handle));
    live_--;
  }

  /// Takes a tensor out of every scope: it lives until released.
  void keep(double handle) {
    Slot* slot = const_cast<Slot*>(find(handle));
    if (slot == nullptr) throw BridgeError("keep: the tensor was already freed");
    slot->depth = 0;
  }

  void enter_scope() { marks_.push_back(scoped_.size()); }

  /// Frees all tensors made in the innermost scope except `kept`, which move to the scope around it.
  void exit_scope(const std::vector<double>& kept) {
    if (marks_.empty()) throw BridgeError("scope exit without a matching enter");
    uint32_t depth_now = depth();
    for (double handle : kept) {
      Slot* slot = const_cast<Slot*>(find(handle));
      if (slot != nullptr && slot->depth == depth_now) slot->depth = depth_now - 1;
    }
    size_t mark = marks_.back();
    size_t write = mark;
    for (size_t i = mark; i < scoped_.size(); i++) {
      const Slot* slot = find(scoped_[i]);
      if (slot == nullptr) continue;
      if (slot->depth == depth_now) {
        release(scoped_[i]);
      } else if (slot->depth == depth_now - 1 && depth_now > 1) {
        scoped_[write++] = scoped_[i];
      }
    }
    scoped_.resize(write);
    marks_.pop_back();
  }

  size_t live() const { return live_; }
  uint32_t depth() const { return static_cast<uint32_t>(marks_.size()); }

 private:
  struct Slot {
    at::Tensor tensor;
    uint32_t generation = 1;
    uint32_t depth = 0;
    bool used = false;
    bool taped = false;                     // made by the step being recorded
    bool shell = false;                     // freed inside a recorded step: `tensor` is a meta tensor
    c10::Device device = c10::Device(c10::kCPU);  // of a shell
  };
  static constexpr uint32_t kGenerationMask = (1u << 20) - 1;
  static constexpr double kTwo32 = 4294967296.0;

  static double encode(uint32_t index, uint32_t generation) { return generation * kTwo32 + index; }
  static uint32_t index_of(double handle) { return static_cast<uint32_t>(static_cast<uint64_t>(handle)); }

  const Slot* find(double handle) const {
    if (!(handle >= 0 && handle < 9007199254740992.0)) return nullptr;
    uint64_t bits = static_cast<uint64_t>(handle);
    uint32_t index = static_cast<uint32_t>(bits);
    if (index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[index];
    return slot.used && slot.generation == static_cast<uint32_t>(bits >> 32) ? &slot : nullptr;
  }

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<double> scoped_;   // handles made inside any open scope, oldest first
  std::vector<size_t> marks_;    // where each open scope starts in scoped_
  size_t live_ = 0;
};

inline HandleTable& handles() {
  thread_local HandleTable table;
  return table;
}

inline const at::Tensor& describe_tensor(napi_env env, napi_value v) {
  return handles().describe(get_double(env, v, "tensor"));
}

inline const at::Tensor& get_tensor(napi_env env, napi_value v, const char* what) {
  double d;
  if (napi_get_value_double(env, v, &d) != napi_ok) throw BridgeError(std::string(what) + ": expected a Tensor");
  return handles().get(d);
}

/// Calls `visit` with each tensor of a list of handles (packed or an array), after `reserve` with their number.
template <class Reserve, class Visit>
void for_each_tensor(napi_env env, napi_value v, const char* what, Reserve reserve, Visit visit) {
  PackedList packed = get_packed_list(env, v);
  if (packed.values != nullptr) {
    reserve(packed.length);
    for (size_t i = 0; i < packed.length; i++) visit(handles().get(packed.values[i]));
    return;
  }
  uint32_t n = array_length(env, v, what);
  reserve(n);
  for (uint32_t i = 0; i < n; i++) visit(get_tensor(env, element(env, v, i), what));
}

inline std::vector<at::Tensor> get_tensor_list(napi_env env, napi_value v, const char* what) {
  std::vector<at::Tensor> out;
  for_each_tensor(env, v, what, [&](size_t n) { out.reserve(n); }, [&](const at::Tensor& t) { out.push_back(t); });
  return out;
}

/// An undefined tensor (an absent gradient, say) is null in JavaScript.
inline napi_value make_tensor(napi_env env, at::Tensor tensor) {
  if (!tensor.defined()) return null_value(env);
  return make_number(env, handles().add(std::move(tensor)));
}

inline napi_value make_tensor_list(napi_env env, std::vector<at::Tensor> tensors) {
  napi_value array;
  napi_create_array_with_length(env, tensors.size(), &array);
  for (size_t i = 0; i < tensors.size(); i++) {
    napi_set_element(env, array, static_cast<uint32_t>(i), make_tensor(env, std::move(tensors[i])));
  }
  return array;
}

inline napi_value scope_enter(napi_env env, const Arguments&) {
  handles().enter_scope();
  return undefined(env);
}

inline napi_value scope_exit(napi_env env, const Arguments& args) {
  std::vector<double> kept;
  uint32_t n = array_length(env, args[0], "kept");
  for (uint32_t i = 0; i < n; i++) kept.push_back(get_double(env, element(env, args[0], i), "kept"));
  handles().exit_scope(kept);
  return undefined(env);
}

inline napi_value keep(napi_env env, const Arguments& args) {
  handles().keep(get_double(env, args[0], "tensor"));
  return undefined(env);
}

inline napi_value release(napi_env env, const Arguments& args) {
  handles().release(get_double(env, args[0], "tensor"));
  return undefined(env);
}

inline napi_value is_alive(napi_env env, const Arguments& args) {
  return make_bool(env, handles().alive(get_double(env, args[0], "tensor")));
}

inline napi_value live_tensors(napi_env env, const Arguments&) {
  return make_number(env, static_cast<double>(handles().live()));
}

}  // namespace latentwire
