// Reading a tensor when more was issued to its device meanwhile. A copy goes where all work goes, behind what was issued
// before it: whoever reads the numbers of one step after issuing the next would wait for both, and the device for the
// host. So the place is marked at once, and the copy made later, on a stream of its own. Device-neutral headers only.
#pragma once

#include "tensor_io.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>

#include <unordered_map>

namespace latentwire {

struct LaterRead {
  at::Tensor tensor;
  std::optional<c10::Event> ready;  // absent: the CPU has computed it
};

struct LaterReads {
  std::unordered_map<int64_t, LaterRead> open;
  int64_t next = 0;
};

inline LaterReads& later_reads() {
  thread_local LaterReads reads;
  return reads;
}

/// readBegin(tensor) -> ticket. The tensor may be freed, but not changed.
inline napi_value read_begin(napi_env env, const Arguments& args) {
  LaterRead read{get_tensor(env, args[0], "tensor").detach(), std::nullopt};
  if (!read.tensor.is_cpu()) {
    c10::Device device = read.tensor.device();
    read.ready.emplace(device.type());
    read.ready->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  }
  LaterReads& reads = later_reads();
  reads.open.emplace(reads.next, std::move(read));
  return make_number(env, static_cast<double>(reads.next++));
}

/// readEnd(ticket) -> ArrayBuffer as of toBytes, once the device is past what was issued before readBegin
inline napi_value read_end(napi_env env, const Arguments& args) {
  auto& open = later_reads().open;
  auto found = open.find(get_int(env, args[0], "ticket"));
  if (found == open.end()) throw BridgeError("this tensor was read already");
  LaterRead read = std::move(found->second);
  open.erase(found);
  std::optional<c10::StreamGuard> aside;
  if (read.ready) {
    read.ready->synchronize();
    c10::Device device = read.tensor.device();
    // Streams of high priority are nobody else's here.
    aside.emplace(c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device, /*isHighPriority=*/true));
  }
  return buffer_of(env, read.tensor);
}

}  // namespace latentwire
