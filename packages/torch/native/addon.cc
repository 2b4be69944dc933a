// @latentwire/torch native bridge: the only translation unit (torch headers cost ~15 s each time they are parsed).
// Exports are documented where they are defined: handles.h, lists.h, tape.h, graph.h, dispatch.h, autograd.h, tensor_io.h, later_read.h,
// device.h, recompute.h, digest.h, save.h, signals.h, capture.h, process_group.h.
#include "autograd.h"
#include "capture.h"
#include "cast_op.h"
#include "device.h"
#include "digest.h"
#include "dispatch.h"
#include "decode_op.h"
#include "fused_ops.h"
#include "graph.h"
#include "handles.h"
#include "later_read.h"
#include "layer_op.h"
#include "lists.h"
#include "nll_op.h"
#include "process_group.h"
#include "save.h"
#include "signals.h"
#include "tensor_io.h"
#include "tensor_read.h"

namespace latentwire {
namespace {

/// setErrorFactory((message, operator, schema, arguments) => Error)
napi_value set_error_factory(napi_env env, const Arguments& args) {
  if (error_factory != nullptr) napi_delete_reference(env, error_factory);
  check(napi_create_reference(env, args[0], 1, &error_factory), "error factory");
  return undefined(env);
}

void define(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

napi_value init(napi_env env, napi_value exports) {
  append_packed_list = append_list_items;
  prefer_flash_attention();
  define(env, exports, "setErrorFactory", guarded<set_error_factory>);
  define(env, exports, "listBuffer", guarded<make_list_buffer>);
  define(env, exports, "resolve", guarded<resolve>);
  define(env, exports, "schema", guarded<schema>);
  define(env, exports, "call", call<false>);
  define(env, exports, "callInPlace", call<true>);

  define(env, exports, "scopeEnter", guarded<taped<scope_enter>>);
  define(env, exports, "scopeExit", guarded<taped<scope_exit>>);
  define(env, exports, "keep", guarded<taped<keep>>);
  define(env, exports, "release", guarded<taped<release>>);
  define(env, exports, "isAlive", guarded<is_alive>);
  define(env, exports, "liveTensors", guarded<live_tensors>);

  define(env, exports, "backward", guarded<taped<backward>>);
  define(env, exports, "grad", guarded<taped<grad>>);
  define(env, exports, "setRequiresGrad", guarded<taped<set_requires_grad>>);
  define(env, exports, "requiresGrad", guarded<taped<requires_grad>>);
  define(env, exports, "gradient", guarded<taped<gradient>>);
  define(env, exports, "setGradient", guarded<taped<set_gradient>>);
  define(env, exports, "clearGradients", guarded<taped<clear_gradients>>);
  define(env, exports, "setGradEnabled", guarded<taped<set_grad_enabled>>);

  define(env, exports, "recomputeBegin", guarded<taped<recompute_begin>>);
  define(env, exports, "recomputeEnd", guarded<taped<recompute_end>>);
  define(env, exports, "recomputeAbort", guarded<recompute_abort>);

  define(env, exports, "fromBytes", guarded<upload>);
  define(env, exports, "toBytes", guarded<untaped<to_bytes>>);
  define(env, exports, "readBegin", guarded<untaped<read_begin>>);
  define(env, exports, "readEnd", guarded<untaped<read_end>>);
  define(env, exports, "item", guarded<untaped<item>>);
  define(env, exports, "shape", guarded<shape>);
  define(env, exports, "dtype", guarded<dtype>);
  define(env, exports, "device", guarded<device_of>);
  define(env, exports, "isContiguous", guarded<taped<is_contiguous>>);
  define(env, exports, "sameStorage", guarded<taped<same_storage>>);
  define(env, exports, "mapOpen", guarded<map_open>);
  define(env, exports, "mapTensor", guarded<map_tensor>);
  define(env, exports, "mapRelease", guarded<map_release>);
  define(env, exports, "readTensor", guarded<read_tensor>);
  define(env, exports, "readsToDevice", guarded<reads_to_device>);
  define(env, exports, "mapClose", guarded<map_close>);
  define(env, exports, "writeTensor", guarded<untaped<write_tensor>>);

  define(env, exports, "fileDigest", guarded<file_digest>);
  define(env, exports, "tensorDigests", guarded<tensor_digests>);
  define(env, exports, "saveReserve", guarded<save_reserve>);
  define(env, exports, "saveStart", guarded<save_start>);
  define(env, exports, "saveSnapshotWait", guarded<save_snapshot_wait>);
  define(env, exports, "saveFinished", guarded<save_finished>);
  define(env, exports, "saveWait", guarded<save_wait>);

  define(env, exports, "watchSignals", guarded<watch_signals>);
  define(env, exports, "unwatchSignals", guarded<unwatch_signals>);
  define(env, exports, "signalWhenParentEnds", guarded<signal_when_parent_ends>);
  define(env, exports, "receivedSignal", guarded<received_signal>);
  define(env, exports, "signalTimes", guarded<signal_times>);
  define(env, exports, "signalCount", guarded<signal_count>);
  define(env, exports, "captureStart", guarded<capture_start>);
  define(env, exports, "captureStop", guarded<capture_stop>);

  define(env, exports, "computeCapability", guarded<compute_capability>);
  define(env, exports, "graphsAvailable", guarded<graphs_available>);
  define(env, exports, "useOwnStream", guarded<use_own_stream>);
  define(env, exports, "recordBegin", guarded<record_begin>);
  define(env, exports, "recordEnd", guarded<record_end>);
  define(env, exports, "recordAbort", guarded<record_abort>);
  define(env, exports, "walkBegin", guarded<walk_begin>);
  define(env, exports, "walkEnd", guarded<walk_end>);
  define(env, exports, "launch", guarded<launch>);
  define(env, exports, "forgetStep", guarded<forget_step>);

  define(env, exports, "distributedBackends", guarded<distributed_backends>);
#ifdef LATENTWIRE_DISTRIBUTED
  define(env, exports, "storeOpen", guarded<store_open>);
  define(env, exports, "storeSet", guarded<store_set>);
  define(env, exports, "storeHas", guarded<store_has>);
  define(env, exports, "storeGet", guarded<store_get>);
  define(env, exports, "storeClose", guarded<store_close>);
  define(env, exports, "groupOpen", guarded<group_open>);
  define(env, exports, "allReduce", guarded<untaped<all_reduce>>);
  define(env, exports, "isReduced", guarded<untaped<is_reduced>>);
  define(env, exports, "broadcast", guarded<untaped<broadcast>>);
  define(env, exports, "groupClose", guarded<group_close>);
#endif

  define(env, exports, "torchVersion", guarded<torch_version>);
  define(env, exports, "cudaDeviceCount", guarded<cuda_device_count>);
  define(env, exports, "synchronize", guarded<untaped<synchronize>>);
  define(env, exports, "getNumThreads", guarded<get_num_threads>);
  define(env, exports, "setNumThreads", guarded<set_num_threads>);
  define(env, exports, "setDeterministic", guarded<set_deterministic>);
  define(env, exports, "setMatmulPrecision", guarded<set_matmul_precision>);
  define(env, exports, "manualSeed", guarded<manual_seed>);
  define(env, exports, "createGenerator", guarded<create_generator>);
  define(env, exports, "generatorState", guarded<generator_state>);
  define(env, exports, "setGeneratorState", guarded<set_generator_state>);
  define(env, exports, "seedGenerator", guarded<seed_generator>);
  define(env, exports, "memoryStatistics", guarded<memory_statistics>);
  define(env, exports, "limitMemory", guarded<limit_memory>);
  define(env, exports, "resetPeakMemory", guarded<reset_peak_memory>);
  define(env, exports, "emptyCache", guarded<empty_cache>);
  return exports;
}

}  // namespace
}  // namespace latentwire

NAPI_MODULE(latentwire_torch, latentwire::init)
