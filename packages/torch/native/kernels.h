// CUDA kernels compiled at run time (NVRTC, which every CUDA build of torch brings along) and launched on torch's
// current stream: the set-up needs no nvcc, and a machine compiles only for its own device.
#pragma once

#ifdef LATENTWIRE_CUDA
#include "kernel_types.h"
#include "napi_support.h"

#include <ATen/core/Tensor.h>
#include <ATen/cuda/CUDAContext.h>

#include <dlfcn.h>

#include <array>
#include <map>
#include <mutex>

namespace latentwire {

/// The few functions of NVRTC and of the driver that are needed, found through the library that torch loads them with.
struct KernelCompiler {
  using Program = void*;
  int (*create)(Program*, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile)(Program, int, const char* const*);
  int (*log_size)(Program, size_t*);
  int (*log)(Program, char*);
  int (*cubin_size)(Program, size_t*);
  int (*cubin)(Program, char*);
  int (*destroy)(Program*);
  int (*load)(void**, const void*);
  int (*function)(void**, void*, const char*);
  int (*launch)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);

  KernelCompiler() {
    void* library = dlopen("libcaffe2_nvrtc.so", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw BridgeError(std::string("NVRTC is not there: ") + dlerror());
    auto find = [&](auto& pointer, const char* name) {
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(dlsym(library, name));
      if (pointer == nullptr) throw BridgeError(std::string("NVRTC lacks ") + name);
    };
    find(create, "nvrtcCreateProgram");
    find(compile, "nvrtcCompileProgram");
    find(log_size, "nvrtcGetProgramLogSize");
    find(log, "nvrtcGetProgramLog");
    find(cubin_size, "nvrtcGetCUBINSize");
    find(cubin, "nvrtcGetCUBIN");
    find(destroy, "nvrtcDestroyProgram");
    find(load, "cuModuleLoadData");
    find(function, "cuModuleGetFunction");
    find(launch, "cuLaunchKernel");
  }
};

inline KernelCompiler& kernel_compiler() {
  static KernelCompiler compiler;
  return compiler;
}

/// Binary of `source` for the current device. @throws BridgeError with the compiler's log.
inline std::string compile_kernels(const std::string& source, const std::vector<std::string>& defines) {
  KernelCompiler& nvrtc = kernel_compiler();
  const auto* device = at::cuda::getCurrentDeviceProperties();
  std::vector<std::string> options = {"--std=c++17", "--gpu-architecture=sm_" + std::to_string(device->major * 10 + device->minor)};
  options.insert(options.end(), defines.begin(), defines.end());
  std::vector<const char*> raw;
  for (const std::string& option : options) raw.push_back(option.c_str());
  KernelCompiler::Program program;
  if (nvrtc.create(&program, source.c_str(), "latentwire.cu", 0, nullptr, nullptr) != 0) throw BridgeError("NVRTC: no program");
  if (nvrtc.compile(program, static_cast<int>(raw.size()), raw.data()) != 0) {
    size_t n = 0;
    nvrtc.log_size(program, &n);
    std::string log(n, '\0');
    nvrtc.log(program, log.data());
    nvrtc.destroy(&program);
    throw BridgeError("NVRTC: " + log);
  }
  size_t n = 0;
  nvrtc.cubin_size(program, &n);
  std::string binary(n, '\0');
  nvrtc.cubin(program, binary.data());
  nvrtc.destroy(&program);
  return binary;
}

/// A kernel of `source` (after kernel_types.h) for one element type and other definitions, compiled at its first use on a
/// device.
inline void* kernel(const char* source, const char* name, at::ScalarType type, std::vector<std::string> defines = {}) {
  static std::mutex mutex;
  using Key = std::tuple<const char*, std::vector<std::string>, at::ScalarType, int>;
  static std::map<Key, void*> modules;
  static std::map<std::tuple<Key, std::string>, void*> functions;
  std::lock_guard<std::mutex> lock(mutex);
  int device = at::cuda::current_device();
  Key module_key{source, defines, type, device};
  auto key = std::make_tuple(module_key, std::string(name));
  if (auto found = functions.find(key); found != functions.end()) return found->second;
  auto loaded = modules.find(module_key);
  if (loaded == modules.end()) {
    int kind = type == at::kFloat ? 0 : type == at::kBFloat16 ? 1 : 2;
    defines.push_back("-DELEMENT=" + std::to_string(kind));
    std::string binary = compile_kernels(std::string(kKernelTypes) + source, defines);
    void* module = nullptr;
    if (kernel_compiler().load(&module, binary.data()) != 0) throw BridgeError("the compiled kernels do not load");
    loaded = modules.emplace(module_key, module).first;
  }
  void* function = nullptr;
  if (kernel_compiler().function(&function, loaded->second, name) != 0) throw BridgeError(std::string("no kernel ") + name);
  functions.emplace(key, function);
  return function;
}

template <class... Args>
void launch_kernel(void* function, int64_t blocks, unsigned threads, Args... args) {
  void* pointers[] = {static_cast<void*>(&args)...};
  auto stream = at::cuda::getCurrentCUDAStream().stream();
  int status = kernel_compiler().launch(function, static_cast<unsigned>(blocks), 1, 1, threads, 1, 1, 0, stream, pointers, nullptr);
  if (status != 0) throw BridgeError("a kernel could not be launched: CUDA driver error " + std::to_string(status));
}

}  // namespace latentwire
#endif
