// One process group per process: libtorch's own, Gloo for CPU tensors and NCCL for CUDA, over its key-value store. Which of
// them are compiled in is the set-up's choice (setup/addon-plan.mjs): LATENTWIRE_GLOO, LATENTWIRE_NCCL.
#pragma once

#include "handles.h"

#if defined(LATENTWIRE_GLOO) || defined(LATENTWIRE_NCCL)
#define LATENTWIRE_DISTRIBUTED 1
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef LATENTWIRE_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef LATENTWIRE_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#endif

#include <csignal>
#include <cstdlib>
#include <map>

namespace latentwire {

/// distributedBackends() -> names of the backends in this addon
inline napi_value distributed_backends(napi_env env, const Arguments&) {
  std::vector<std::string> names;
#ifdef LATENTWIRE_GLOO
  names.push_back("gloo");
#endif
#ifdef LATENTWIRE_NCCL
  names.push_back("nccl");
#endif
  napi_value array;
  napi_create_array_with_length(env, names.size(), &array);
  for (size_t i = 0; i < names.size(); i++) {
    napi_set_element(env, array, static_cast<uint32_t>(i), make_string(env, names[i]));
  }
  return array;
}

#ifdef LATENTWIRE_DISTRIBUTED

struct ProcessGroupState {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> group;
  /// Sums that may be under way, by ticket.
  std::map<int64_t, c10::intrusive_ptr<c10d::Work>> sums;
  int64_t next_ticket = 0;
};

/// Leaked on purpose: after a failure the group's threads may wait for peers that are gone, and exit must not join them.
inline ProcessGroupState& process_group_state() {
  static auto* state = new ProcessGroupState;
  return *state;
}

/// Threads that libtorch starts meanwhile take no signals: those are for the main thread (signals.h).
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

inline std::chrono::milliseconds get_milliseconds(napi_env env, napi_value v) {
  return std::chrono::milliseconds(get_int(env, v, "timeout"));
}

inline c10d::Store& store() {
  auto& s = process_group_state().store;
  if (!s) throw BridgeError("no store is open");
  return *s;
}

inline c10d::Backend& group() {
  auto& g = process_group_state().group;
  if (!g) throw BridgeError("this process is in no process group");
  return *g;
}

/// storeOpen(host, port, serves, timeoutMs): one process serves the store, the others connect to it.
inline napi_value store_open(napi_env env, const Arguments& args) {
  auto& state = process_group_state();
  if (state.store) throw BridgeError("a store is open already");
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(get_int(env, args[1], "port"));
  options.isServer = get_bool(env, args[2], "serves");
  options.waitWorkers = false;
  options.timeout = get_milliseconds(env, args[3]);
  options.useLibUV = false;  // every build has the other server
  SignalsBlocked blocked;
  // A peer that ends is told of as a warning with a C++ stack; who reads the error learns more from the caller's.
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = 2;  // errors
  state.store = c10::make_intrusive<c10d::TCPStore>(get_string(env, args[0], "host"), options);
  return undefined(env);
}

/// storeSet(key, text); storeHas(keys) -> whether all are there; storeGet(key) waits for the key.
inline napi_value store_set(napi_env env, const Arguments& args) {
  store().set(get_string(env, args[0], "key"), get_string(env, args[1], "text"));
  return undefined(env);
}

inline napi_value store_has(napi_env env, const Arguments& args) {
  std::vector<std::string> keys;
  for (uint32_t i = 0, n = array_length(env, args[0], "keys"); i < n; i++) {
    keys.push_back(get_string(env, element(env, args[0], i), "key"));
  }
  return make_bool(env, store().check(keys));
}

inline napi_value store_get(napi_env env, const Arguments& args) {
  return make_string(env, store().get_to_str(get_string(env, args[0], "key")));
}

#ifdef LATENTWIRE_GLOO
/// The network interface is the loopback one on one machine, else that of GLOO_SOCKET_IFNAME, else the host name's.
inline c10::intrusive_ptr<c10d::Backend> open_gloo(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                                                   std::chrono::milliseconds timeout, const std::string& host) {
  using c10d::ProcessGroupGloo;
  auto options = ProcessGroupGloo::Options::create(timeout);
  options->threads = 1;
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  if (interface != nullptr && *interface != 0) {
    options->devices.push_back(ProcessGroupGloo::createDeviceForInterface(interface));
  } else if (host == "127.0.0.1" || host == "localhost") {
    options->devices.push_back(ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  } else {
    options->devices.push_back(ProcessGroupGloo::createDefaultDevice());
  }
  return c10::make_intrusive<ProcessGroupGloo>(store, rank, size, options);
}
#endif

/// groupOpen(backend, rank, size, timeoutMs, host): all processes call it; needs an open store.
inline napi_value group_open(napi_env env, const Arguments& args) {
  auto& state = process_group_state();
  if (state.group) throw BridgeError("this process is in a process group already");
  std::string backend = get_string(env, args[0], "backend");
  int rank = static_cast<int>(get_int(env, args[1], "rank"));
  int size = static_cast<int>(get_int(env, args[2], "size"));
  auto timeout = get_milliseconds(env, args[3]);
  store();
  auto prefixed = c10::make_intrusive<c10d::PrefixStore>("group", state.store);
  SignalsBlocked blocked;
#ifdef LATENTWIRE_GLOO
  if (backend == "gloo") {
    state.group = open_gloo(prefixed, rank, size, timeout, get_string(env, args[4], "host"));
    return undefined(env);
  }
#endif
#ifdef LATENTWIRE_NCCL
  if (backend == "nccl") {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeout;
    state.group = c10::make_intrusive<c10d::ProcessGroupNCCL>(prefixed, rank, size, options);
    return undefined(env);
  }
#endif
  throw BridgeError("this addon was built without the backend " + backend);
}

/// allReduce(tensor) -> ticket: its sum over all processes, in place. Gloo: returns when it is there. NCCL: the stream
/// waits, not we.
inline napi_value all_reduce(napi_env env, const Arguments& args) {
  std::vector<at::Tensor> tensors{get_tensor(env, args[0], "tensor")};
  SignalsBlocked blocked;
  auto work = group().allreduce(tensors, c10d::AllreduceOptions());
  work->wait();
  auto& state = process_group_state();
  state.sums.emplace(state.next_ticket, std::move(work));
  return make_number(env, static_cast<double>(state.next_ticket++));
}

/// isReduced(ticket) -> whether that sum is there, on the device too. Does not wait.
inline napi_value is_reduced(napi_env env, const Arguments& args) {
  auto& sums = process_group_state().sums;
  auto found = sums.find(get_int(env, args[0], "ticket"));
  if (found == sums.end()) return make_bool(env, true);
  auto work = found->second;
  if (!work->isCompleted()) return make_bool(env, false);
  sums.erase(found);
  if (work->exception()) std::rethrow_exception(work->exception());
  return make_bool(env, true);
}

/// broadcast(tensor, root): the root's tensor into everybody's, in place
inline napi_value broadcast(napi_env env, const Arguments& args) {
  std::vector<at::Tensor> tensors{get_tensor(env, args[0], "tensor")};
  c10d::BroadcastOptions options;
  options.rootRank = get_int(env, args[1], "root");
  SignalsBlocked blocked;
  group().broadcast(tensors, options)->wait();
  return undefined(env);
}

/// groupClose(): leaves the group; all processes call it, with nothing under way.
inline napi_value group_close(napi_env env, const Arguments&) {
  auto& state = process_group_state();
#ifdef LATENTWIRE_NCCL
  if (auto* nccl = dynamic_cast<c10d::ProcessGroupNCCL*>(state.group.get())) nccl->shutdown();
#endif
  state.sums.clear();
  state.group.reset();
  return undefined(env);
}

inline napi_value store_close(napi_env env, const Arguments&) {
  process_group_state().store.reset();
  return undefined(env);
}

#endif

}  // namespace latentwire
