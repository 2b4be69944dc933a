// Lists of integers. Short lists travel through a buffer that JavaScript writes and C++ reads, because reading one
// element of a JavaScript array costs about 30 ns through N-API: a fifth of the time of `view` or `cat`.
#pragma once

#include "tape.h"

#include <cmath>

namespace latentwire {

/// One buffer per thread; its ArrayBuffer is referenced for the life of the environment. See src/list.ts.
struct ListBuffer {
  static constexpr size_t kCapacity = 4096;
  double* values = nullptr;
};

inline ListBuffer& list_buffer() {
  thread_local ListBuffer buffer;
  return buffer;
}

/// listBuffer() -> the ArrayBuffer through which short lists travel
inline napi_value make_list_buffer(napi_env env, const Arguments&) {
  void* data;
  napi_value buffer;
  napi_ref forever;
  check(napi_create_arraybuffer(env, ListBuffer::kCapacity * sizeof(double), &data, &buffer), "list buffer");
  check(napi_create_reference(env, buffer, 1, &forever), "list buffer");
  list_buffer().values = static_cast<double*>(data);
  return buffer;
}

/// A list in the buffer arrives as the number -(2^33 + offset * 2^16 + length) - 0.5, which nothing else can be: it is
/// no integer, and far below every dimension.
struct PackedList {
  static constexpr double kBase = 8589934592.0;
  const double* values = nullptr;  // null: not packed, an ordinary array
  size_t length = 0;
};

inline bool is_packed_list(double d) { return d < -PackedList::kBase && d != std::trunc(d); }

inline PackedList get_packed_list(napi_env env, napi_value v) {
  double d;
  if (napi_get_value_double(env, v, &d) != napi_ok || !is_packed_list(d)) return {};
  double code = -(d + 0.5) - PackedList::kBase;
  // An empty list may start at the very end.
  if (!(code < (ListBuffer::kCapacity + 1) * 65536.0)) throw BridgeError("damaged list");
  auto bits = static_cast<uint64_t>(code);
  size_t offset = bits >> 16, length = bits & 0xffff;
  if (list_buffer().values == nullptr || offset + length > ListBuffer::kCapacity) throw BridgeError("damaged list");
  return {list_buffer().values + offset, length};
}

/// What a tape notes of a packed list: its items, not where they lie.
inline bool append_list_items(double d, std::vector<double>& out) {
  if (!is_packed_list(d)) return false;
  auto bits = static_cast<uint64_t>(-(d + 0.5) - PackedList::kBase);
  size_t offset = bits >> 16, length = bits & 0xffff;
  out.push_back(kArray);
  out.push_back(static_cast<double>(length));
  for (size_t i = 0; i < length; i++) out.push_back(list_buffer().values[offset + i]);
  return true;
}

inline std::vector<int64_t> get_int_list(napi_env env, napi_value v, const char* what) {
  PackedList packed = get_packed_list(env, v);
  if (packed.values != nullptr) {
    std::vector<int64_t> out(packed.length);
    for (size_t i = 0; i < packed.length; i++) out[i] = to_int(packed.values[i], what);
    return out;
  }
  uint32_t n = array_length(env, v, what);
  std::vector<int64_t> out(n);
  for (uint32_t i = 0; i < n; i++) out[i] = get_int(env, element(env, v, i), what);
  return out;
}

}  // namespace latentwire
