// CUDA graphs of recorded steps (tape.h). On the CPU a recorded step runs as it is recorded and cannot be launched.
#pragma once

#include "handles.h"
#include "tape.h"

#include <ATen/Functions.h>

#ifdef LATENTWIRE_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <set>
#endif

namespace latentwire {

struct RecordedStep {
  Tape tape;
#ifdef LATENTWIRE_CUDA
  std::unique_ptr<at::cuda::CUDAGraph> graph;
  at::cuda::CUDAEvent launched;
#endif
};

inline std::vector<std::unique_ptr<RecordedStep>>& recorded_steps() {
  thread_local std::vector<std::unique_ptr<RecordedStep>> table;
  return table;
}

inline RecordedStep& recorded_step(napi_env env, napi_value v) {
  auto& step = recorded_steps().at(static_cast<size_t>(get_int(env, v, "step")));
  if (!step) throw BridgeError("the recorded step was freed");
  return *step;
}

/// graphsAvailable() -> whether recorded steps can be launched: built with CUDA's headers, and a device is there
inline napi_value graphs_available(napi_env env, const Arguments&) {
#ifdef LATENTWIRE_CUDA
  return make_bool(env, at::hasCUDA() && c10::cuda::device_count() > 0);
#else
  return make_bool(env, false);
#endif
}

/// useOwnStream(device): the device becomes this thread's current one, and work on it goes to a stream of its own from now
/// on; the default stream cannot be captured.
inline napi_value use_own_stream(napi_env env, const Arguments& args) {
#ifdef LATENTWIRE_CUDA
  thread_local std::set<c10::DeviceIndex> own;
  c10::Device device(get_string(env, args[0], "device"));
  if (device.is_cuda()) {
    if (device.has_index()) c10::cuda::set_device(device.index());
    c10::DeviceIndex index = c10::cuda::current_device();
    if (own.insert(index).second) {
      c10::cuda::device_synchronize();
      c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, index));
    }
  }
#endif
  (void)args;
  return undefined(env);
}

#ifdef LATENTWIRE_CUDA
/// All graphs share one pool: they run one after another, and what they return is read before the next one runs. A pool
/// goes with its last graph, and torch refuses to capture into one that is gone.
struct GraphPool {
  at::cuda::MempoolId_t id{};
  size_t graphs = 0;
};

inline GraphPool& graph_pool() {
  thread_local GraphPool pool;
  return pool;
}

inline at::cuda::MempoolId_t join_graph_pool() {
  GraphPool& pool = graph_pool();
  if (pool.graphs++ == 0) pool.id = at::cuda::graph_pool_handle();
  return pool.id;
}

/// Host memory that copies inside a graph may read. Allocated by the driver directly: torch's caching allocator may
/// not be used while a stream is captured.
inline at::Tensor allocate_pinned(c10::IntArrayRef shape, at::ScalarType type) {
  size_t bytes = c10::elementSize(type);
  for (int64_t n : shape) bytes *= static_cast<size_t>(n);
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  cudaThreadExchangeStreamCaptureMode(&mode);
  void* data = nullptr;
  cudaError_t status = cudaHostAlloc(&data, std::max<size_t>(bytes, 1), cudaHostAllocDefault);
  cudaThreadExchangeStreamCaptureMode(&mode);
  if (status != cudaSuccess) throw BridgeError(std::string("pinned memory: ") + cudaGetErrorString(status));
  return at::from_blob(data, shape, [](void* p) { cudaFreeHost(p); }, at::TensorOptions().dtype(type));
}
#endif

/// recordBegin(capture) -> step. Calls from now on are executed (captured, not executed, with `capture`) and noted.
inline napi_value record_begin(napi_env env, const Arguments& args) {
  TapeState& state = tape_state();
  if (tape_mode != TapeMode::kOff) throw BridgeError("a step is being recorded already");
  auto step = std::make_unique<RecordedStep>();
  state.allocate_host = [](c10::IntArrayRef shape, at::ScalarType type) {
    return at::empty(shape, at::TensorOptions().dtype(type));
  };
  if (get_bool(env, args[0], "capture")) {
#ifdef LATENTWIRE_CUDA
    state.allocate_host = allocate_pinned;
    step->graph = std::make_unique<at::cuda::CUDAGraph>();
    // Relaxed: other threads (a snapshot writer, a monitor) may call CUDA meanwhile.
    step->graph->capture_begin(join_graph_pool(), cudaStreamCaptureModeRelaxed);
#else
    throw BridgeError("this addon was built without CUDA graphs");
#endif
  }
  state.tape = &step->tape;
  tape_mode = TapeMode::kRecord;
  recorded_steps().push_back(std::move(step));
  return make_number(env, static_cast<double>(recorded_steps().size() - 1));
}

/// recordEnd(step): what is still alive of the tensors made inside now belongs to the step.
inline napi_value record_end(napi_env env, const Arguments& args) {
  RecordedStep& step = recorded_step(env, args[0]);
  tape_mode = TapeMode::kOff;
  for (double handle : step.tape.owned) handles().own(handle);
#ifdef LATENTWIRE_CUDA
  if (step.graph) step.graph->capture_end();
#endif
  return undefined(env);
}

inline void free_step(size_t index) {
  auto& step = recorded_steps().at(index);
  if (!step) return;
  for (double handle : step->tape.owned) handles().release(handle);
#ifdef LATENTWIRE_CUDA
  if (step->graph) graph_pool().graphs--;
#endif
  step.reset();
}

/// recordAbort(step): after an error while recording
inline napi_value record_abort(napi_env env, const Arguments& args) {
  RecordedStep& step = recorded_step(env, args[0]);
  tape_mode = TapeMode::kOff;
#ifdef LATENTWIRE_CUDA
  if (step.graph) {
    try {
      step.graph->capture_end();
    } catch (const std::exception&) {  // the capture was invalidated: that is why we are here
    }
  }
#endif
  (void)step;
  free_step(static_cast<size_t>(get_int(env, args[0], "step")));
  return undefined(env);
}

inline napi_value walk_begin(napi_env env, const Arguments& args) {
  TapeState& state = tape_state();
  if (tape_mode != TapeMode::kOff) throw BridgeError("a step is being recorded already");
  Tape& tape = recorded_step(env, args[0]).tape;
  tape.next_entry = 0;
  tape.next_upload = 0;
  state.tape = &tape;
  tape_mode = TapeMode::kWalk;
  return undefined(env);
}

/// walkEnd() -> whether the walk reached the end of the tape
inline napi_value walk_end(napi_env env, const Arguments&) {
  const Tape* tape = tape_state().tape;
  bool whole = tape_mode == TapeMode::kWalk && tape->next_entry == tape->entries.size();
  tape_mode = TapeMode::kOff;
  return make_bool(env, whole);
}

/// launch(step, walked): runs the captured work on the data of the last walk, or else of the recording.
inline napi_value launch(napi_env env, const Arguments& args) {
  RecordedStep& step = recorded_step(env, args[0]);
  bool walked = get_bool(env, args[1], "walked");
#ifdef LATENTWIRE_CUDA
  // Only host data has to wait until the last launch has read what it replaces.
  if (step.graph && walked && !step.tape.uploads.empty()) step.launched.synchronize();
#endif
  if (walked) {
    for (Upload& upload : step.tape.uploads) {
      std::memcpy(upload.host.mutable_data_ptr(), upload.pending.data(), upload.pending.size());
    }
  }
#ifdef LATENTWIRE_CUDA
  if (step.graph) {
    step.graph->replay();
    step.launched.record();
  }
#endif
  return undefined(env);
}

inline napi_value forget_step(napi_env env, const Arguments& args) {
  free_step(static_cast<size_t>(get_int(env, args[0], "step")));
  return undefined(env);
}

}  // namespace latentwire
