// Tensors in and out of JavaScript memory and files: copies, metadata, memory-mapped reads, streamed writes.
#pragma once

#include "handles.h"

#include <ATen/Functions.h>
#include <ATen/ops/from_blob.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace latentwire {

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

inline Bytes get_bytes(napi_env env, napi_value v, const char* what) {
  Bytes bytes;
  bool is = false;
  napi_is_typedarray(env, v, &is);
  if (!is) throw BridgeError(std::string(what) + ": expected a typed array");
  napi_typedarray_type type;
  size_t length, offset;
  napi_value buffer;
  void* data;
  napi_get_typedarray_info(env, v, &type, &length, &data, &buffer, &offset);
  static const size_t width[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  bytes.data = static_cast<uint8_t*>(data);
  bytes.length = length * (type <= napi_biguint64_array ? width[type] : 1);
  return bytes;
}

/// fromBytes(typedArray, shape, dtypeCode, pinned) -> CPU tensor that owns a copy; pinned: a GPU copies out of it without
/// the processor, and torch's allocator keeps it until that is done
inline napi_value from_bytes(napi_env env, const Arguments& args) {
  Bytes bytes = get_bytes(env, args[0], "data");
  auto shape = get_int_list(env, args[1], "shape");
  auto dtype = static_cast<at::ScalarType>(get_int(env, args[2], "dtype"));
  at::Tensor t = recording() ? tape_state().allocate_host(shape, dtype)
                             : at::empty(shape, at::TensorOptions().dtype(dtype).pinned_memory(get_bool(env, args[3], "pinned")));
  if (t.nbytes() != bytes.length) {
    throw BridgeError("data has " + std::to_string(bytes.length) + " bytes, shape and dtype need " + std::to_string(t.nbytes()));
  }
  if (bytes.length > 0) std::memcpy(t.mutable_data_ptr(), bytes.data, bytes.length);
  if (recording()) tape_state().tape->uploads.push_back({t, {}});
  return make_tensor(env, std::move(t));
}

/// fromBytes inside a walk: the data waits until the last launch has read what it replaces.
inline napi_value upload(napi_env env, const Arguments& args) {
  if (tape_mode == TapeMode::kWalk) {
    TapeState& state = tape_state();
    napi_value result = tape_walk(env, reinterpret_cast<const void*>(from_bytes), args);
    Upload& upload = state.tape->uploads.at(state.tape->next_upload++);
    Bytes bytes = get_bytes(env, args[0], "data");
    if (bytes.length != upload.host.nbytes()) {
      tape_mode = TapeMode::kBroken;
      throw TapeMismatch("host data differs in size from that of the recorded step");
    }
    upload.pending.assign(bytes.data, bytes.data + bytes.length);
    return result;
  }
  return taped<from_bytes>(env, args);
}

/// The contiguous little-endian bytes, copied from any device; waits for the current stream.
inline napi_value buffer_of(napi_env env, const at::Tensor& tensor) {
  at::NoGradGuard guard;
  at::Tensor t = tensor.detach().cpu().contiguous();
  void* data;
  napi_value buffer;
  check(napi_create_arraybuffer(env, t.nbytes(), &data, &buffer), "array buffer");
  if (t.nbytes() > 0) std::memcpy(data, t.const_data_ptr(), t.nbytes());
  return buffer;
}

/// toBytes(tensor) -> ArrayBuffer
inline napi_value to_bytes(napi_env env, const Arguments& args) { return buffer_of(env, get_tensor(env, args[0], "tensor")); }

/// item(tensor) -> number | boolean of a one-element tensor (int64 beyond 2^53 loses precision)
inline napi_value item(napi_env env, const Arguments& args) {
  const at::Tensor& t = get_tensor(env, args[0], "tensor");
  at::Scalar s = t.item();
  if (s.isBoolean()) return make_bool(env, s.toBool());
  if (s.isIntegral(false)) return make_number(env, static_cast<double>(s.toLong()));
  return make_number(env, s.toDouble());
}

inline napi_value shape(napi_env env, const Arguments& args) {
  auto sizes = describe_tensor(env, args[0]).sizes();
  napi_value array;
  napi_create_array_with_length(env, sizes.size(), &array);
  for (size_t i = 0; i < sizes.size(); i++) {
    napi_set_element(env, array, static_cast<uint32_t>(i), make_number(env, static_cast<double>(sizes[i])));
  }
  return array;
}

inline napi_value dtype(napi_env env, const Arguments& args) {
  return make_number(env, static_cast<double>(describe_tensor(env, args[0]).scalar_type()));
}

inline napi_value device_of(napi_env env, const Arguments& args) {
  return make_string(env, handles().device(get_double(env, args[0], "tensor")).str());
}

inline napi_value is_contiguous(napi_env env, const Arguments& args) {
  return make_bool(env, get_tensor(env, args[0], "tensor").is_contiguous());
}

/// sameStorage(a, b): whether two tensors share memory (views, tied weights)
inline napi_value same_storage(napi_env env, const Arguments& args) {
  return make_bool(env, get_tensor(env, args[0], "a").is_alias_of(get_tensor(env, args[1], "b")));
}

struct Mapping {
  void* address = nullptr;
  size_t length = 0;
  int fd = -1;
  ~Mapping() {
    if (fd >= 0) close(fd);
    if (address != nullptr && length > 0) munmap(address, length);
  }
};

inline std::vector<std::shared_ptr<Mapping>>& mappings() {
  thread_local std::vector<std::shared_ptr<Mapping>> table;
  return table;
}

/// mapOpen(path) -> mapping id. Private copy-on-write pages: the file never changes, RAM is shared page cache.
inline napi_value map_open(napi_env env, const Arguments& args) {
  std::string path = get_string(env, args[0], "path");
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw BridgeError("cannot open " + path + ": " + std::strerror(errno));
  struct stat info;
  if (fstat(fd, &info) != 0 || info.st_size == 0) {
    close(fd);
    throw BridgeError("cannot map " + path + ": empty or unreadable");
  }
  auto mapping = std::make_shared<Mapping>();
  mapping->fd = fd;
  mapping->length = static_cast<size_t>(info.st_size);
  void* address = mmap(nullptr, mapping->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  if (address == MAP_FAILED) throw BridgeError("cannot map " + path + ": " + std::strerror(errno));
  mapping->address = address;
  auto& table = mappings();
  for (size_t i = 0; i < table.size(); i++) {
    if (!table[i]) {
      table[i] = mapping;
      return make_number(env, static_cast<double>(i));
    }
  }
  table.push_back(mapping);
  return make_number(env, static_cast<double>(table.size() - 1));
}

/// mapTensor(mapping, byteOffset, shape, dtypeCode) -> tensor over the mapped bytes; it keeps the mapping alive.
/// An offset that is not aligned to the element size is copied instead of viewed.
inline napi_value map_tensor(napi_env env, const Arguments& args) {
  auto mapping = mappings().at(static_cast<size_t>(get_int(env, args[0], "mapping")));
  if (!mapping) throw BridgeError("the mapping was closed");
  int64_t offset = get_int(env, args[1], "byteOffset");
  auto sizes = get_int_list(env, args[2], "shape");
  auto type = static_cast<at::ScalarType>(get_int(env, args[3], "dtype"));
  size_t bytes = c10::elementSize(type);
  for (int64_t n : sizes) {
    if (n < 0) throw BridgeError("shape: negative dimension");
    if (n > 0 && bytes > mapping->length / static_cast<size_t>(n) + 1) throw BridgeError("tensor is larger than the file");
    bytes *= static_cast<size_t>(n);
  }
  if (offset < 0 || static_cast<size_t>(offset) > mapping->length || bytes > mapping->length - static_cast<size_t>(offset)) {
    throw BridgeError("tensor lies outside the mapped file");
  }
  auto options = at::TensorOptions().dtype(type);
  uint8_t* address = static_cast<uint8_t*>(mapping->address) + offset;
  if (reinterpret_cast<uintptr_t>(address) % c10::elementSize(type) != 0) {
    at::Tensor copy = at::empty(sizes, options);
    if (bytes > 0) std::memcpy(copy.mutable_data_ptr(), address, bytes);
    return make_tensor(env, std::move(copy));
  }
  return make_tensor(env, at::from_blob(address, sizes, [mapping](void*) {}, options));
}

/// mapRelease(mapping, byteOffset, length): tells the kernel that these pages are not needed again soon.
inline napi_value map_release(napi_env env, const Arguments& args) {
  auto mapping = mappings().at(static_cast<size_t>(get_int(env, args[0], "mapping")));
  if (!mapping) return undefined(env);
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t begin = static_cast<size_t>(get_int(env, args[1], "byteOffset"));
  size_t end = std::min(mapping->length, begin + static_cast<size_t>(get_int(env, args[2], "length")));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (end > begin) madvise(static_cast<uint8_t*>(mapping->address) + begin, end - begin, MADV_DONTNEED);
  return undefined(env);
}

/// writeTensor(fd, tensor) -> bytes written; streams the contiguous bytes without a JavaScript copy.
/// Errors carry the errno name first ("ENOSPC: …").
inline napi_value write_tensor(napi_env env, const Arguments& args) {
  at::NoGradGuard guard;
  int fd = static_cast<int>(get_int(env, args[0], "fd"));
  at::Tensor t = get_tensor(env, args[1], "tensor").detach().cpu().contiguous();
  const uint8_t* data = static_cast<const uint8_t*>(t.const_data_ptr());
  size_t left = t.nbytes();
  while (left > 0) {
    ssize_t n = write(fd, data, std::min<size_t>(left, size_t{1} << 30));
    if (n < 0) {
      if (errno == EINTR) continue;
      const char* name = strerrorname_np(errno);
      throw BridgeError(std::string(name ? name : "EIO") + ": write failed: " + std::strerror(errno));
    }
    data += n;
    left -= static_cast<size_t>(n);
  }
  return make_number(env, static_cast<double>(t.nbytes()));
}

}  // namespace latentwire
