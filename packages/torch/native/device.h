// Devices, threads, determinism, generators and memory statistics. Uses only device-neutral libtorch headers, so
// one source builds against CPU and CUDA wheels without a CUDA toolkit.
#pragma once

#include "dispatch.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/SDPBackend.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/version.h>

#include <cstdlib>
#include <vector>

#define LATENTWIRE_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#if LATENTWIRE_TORCH_AT_LEAST(2, 9)
#include <c10/core/CachingDeviceAllocator.h>
#endif

#ifdef LATENTWIRE_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace latentwire {

inline napi_value cuda_device_count(napi_env env, const Arguments&) {
  int n = at::hasCUDA() ? at::detail::getCUDAHooks().getNumGPUs() : 0;
  return make_number(env, n);
}

/// computeCapability(device) -> 10 major + minor; 0 without CUDA
inline napi_value compute_capability(napi_env env, const Arguments& args) {
  c10::Device device(get_string(env, args[0], "device"));
  int capability = 0;
#ifdef LATENTWIRE_CUDA
  if (device.is_cuda()) {
    const auto* properties = at::cuda::getDeviceProperties(device.has_index() ? device.index() : at::cuda::current_device());
    capability = 10 * properties->major + properties->minor;
  }
#endif
  return make_number(env, capability);
}

inline napi_value synchronize(napi_env env, const Arguments& args) {
  c10::Device device(get_string(env, args[0], "device"));
  if (device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device.has_index() ? device.index() : 0);
  return undefined(env);
}

inline napi_value torch_version(napi_env env, const Arguments&) { return make_string(env, TORCH_VERSION); }

inline napi_value get_num_threads(napi_env env, const Arguments&) { return make_number(env, at::get_num_threads()); }

inline napi_value set_num_threads(napi_env env, const Arguments& args) {
  at::set_num_threads(static_cast<int>(get_int(env, args[0], "threads")));
  return undefined(env);
}

/// Flash attention before cuDNN's. On Hopper and Blackwell torch asks cuDNN first (ATen/native/transformers/cuda/sdp_utils.cpp),
/// which builds a plan for every new shape and thread: batches of texts have many. What flash attention does not take
/// (masks) goes to cuDNN. TORCH_CUDNN_SDPA_DEPRIORITIZED=0 leaves torch's order, but for whole layers (layer_op.h).
inline void prefer_flash_attention() {
#if LATENTWIRE_TORCH_AT_LEAST(2, 7)
  // Torch sets its own order over this one at the first attention, unless it is told that cuDNN comes later.
  setenv("TORCH_CUDNN_SDPA_DEPRIORITIZED", "1", /*overwrite=*/0);
  std::vector<int64_t> order;
  for (at::SDPBackend each : {at::SDPBackend::flash_attention, at::SDPBackend::cudnn_attention,
                              at::SDPBackend::efficient_attention, at::SDPBackend::math}) {
    order.push_back(static_cast<int64_t>(each));
  }
  at::globalContext().setSDPPriorityOrder(order);
#endif
}

/// setDeterministic(on): bitwise reproducible kernels or an error where none exists.
inline napi_value set_deterministic(napi_env env, const Arguments& args) {
  bool on = get_bool(env, args[0], "on");
  at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/false);
  at::globalContext().setDeterministicCuDNN(on);
  at::globalContext().setBenchmarkCuDNN(false);
  return undefined(env);
}

inline napi_value set_matmul_precision(napi_env env, const Arguments& args) {
  at::globalContext().setFloat32MatmulPrecision(get_string(env, args[0], "precision"));
  return undefined(env);
}

inline at::Generator default_generator(const c10::Device& device) {
  if (device.is_cpu()) return at::detail::getDefaultCPUGenerator();
  return at::globalContext().defaultGenerator(device);
}

/// manualSeed(seed): the default generators of the CPU and of every CUDA device.
inline napi_value manual_seed(napi_env env, const Arguments& args) {
  at::manual_seed(static_cast<uint64_t>(get_int(env, args[0], "seed")));
  return undefined(env);
}

/// createGenerator(device, seed) -> id for operators with a `generator` argument
inline napi_value create_generator(napi_env env, const Arguments& args) {
  c10::Device device(get_string(env, args[0], "device"));
  if (device.is_cuda()) at::globalContext().lazyInitDevice(device.type());
  at::Generator source = default_generator(device);
  at::Generator generator = source.clone();
  generator.set_current_seed(static_cast<uint64_t>(get_int(env, args[1], "seed")));
  generators().push_back(generator);
  return make_number(env, static_cast<double>(generators().size() - 1));
}

inline at::Generator generator_of(napi_env env, napi_value v) {
  if (type_of(env, v) == napi_number) return generators().at(static_cast<size_t>(get_int(env, v, "generator")));
  return default_generator(c10::Device(get_string(env, v, "device")));
}

/// generatorState(id | device) -> uint8 tensor; setGeneratorState(id | device, state)
inline napi_value generator_state(napi_env env, const Arguments& args) {
  at::Generator g = generator_of(env, args[0]);
  std::lock_guard<std::mutex> lock(g.mutex());
  return make_tensor(env, g.get_state());
}

inline napi_value set_generator_state(napi_env env, const Arguments& args) {
  at::Generator g = generator_of(env, args[0]);
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_state(get_tensor(env, args[1], "state"));
  return undefined(env);
}

inline napi_value seed_generator(napi_env env, const Arguments& args) {
  at::Generator g = generator_of(env, args[0]);
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_current_seed(static_cast<uint64_t>(get_int(env, args[1], "seed")));
  return undefined(env);
}

/// memoryStatistics(device) -> {allocated, peakAllocated, reserved, peakReserved, free, total} in bytes, or null
inline napi_value memory_statistics(napi_env env, const Arguments& args) {
  c10::Device device(get_string(env, args[0], "device"));
  if (!device.is_cuda()) return null_value(env);
#if LATENTWIRE_TORCH_AT_LEAST(2, 9)
  c10::DeviceIndex index = device.has_index() ? device.index() : 0;
  auto* allocator = at::getDeviceAllocator(device.type());
  if (!allocator->initialized()) at::globalContext().lazyInitDevice(device.type());
  auto stats = allocator->getDeviceStats(index);
  auto [free_bytes, total_bytes] = allocator->getMemoryInfo(index);
  napi_value out;
  napi_create_object(env, &out);
  set_property(env, out, "allocated", make_number(env, static_cast<double>(stats.allocated_bytes[0].current)));
  set_property(env, out, "peakAllocated", make_number(env, static_cast<double>(stats.allocated_bytes[0].peak)));
  set_property(env, out, "reserved", make_number(env, static_cast<double>(stats.reserved_bytes[0].current)));
  set_property(env, out, "peakReserved", make_number(env, static_cast<double>(stats.reserved_bytes[0].peak)));
  set_property(env, out, "free", make_number(env, static_cast<double>(free_bytes)));
  set_property(env, out, "total", make_number(env, static_cast<double>(total_bytes)));
  return out;
#else
  throw BridgeError("memory statistics need torch 2.9 or newer, this is " TORCH_VERSION);
#endif
}

/// limitMemory(device, share): torch's allocator fails beyond this share of the device's memory
inline napi_value limit_memory(napi_env env, const Arguments& args) {
  c10::Device device(get_string(env, args[0], "device"));
  double share = get_double(env, args[1], "share");
#ifdef LATENTWIRE_CUDA
  if (device.is_cuda()) {
    at::globalContext().lazyInitDevice(device.type());
    c10::cuda::CUDACachingAllocator::setMemoryFraction(share, device.has_index() ? device.index() : 0);
    return undefined(env);
  }
#endif
  throw BridgeError("the memory of " + device.str() + " cannot be limited to " + std::to_string(share) + " here");
}

inline napi_value reset_peak_memory(napi_env env, const Arguments& args) {
  c10::Device device(get_string(env, args[0], "device"));
#if LATENTWIRE_TORCH_AT_LEAST(2, 9)
  if (device.is_cuda()) at::getDeviceAllocator(device.type())->resetPeakStats(device.has_index() ? device.index() : 0);
#endif
  return undefined(env);
}

inline napi_value empty_cache(napi_env env, const Arguments& args) {
  c10::Device device(get_string(env, args[0], "device"));
#if LATENTWIRE_TORCH_AT_LEAST(2, 9)
  if (device.is_cuda()) at::getDeviceAllocator(device.type())->emptyCache();
#endif
  return undefined(env);
}

}  // namespace latentwire
