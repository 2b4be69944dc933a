// Digests of memory and files at the speed of memory. XXH64 (Yann Collet, xxHash specification 0.1.1, public):
// not cryptographic; it finds damage, not forgery. A file's digest is the XXH64 over the XXH64 of every 4 MiB block, so
// that blocks can be hashed while others are written or read.
#pragma once

#include "handles.h"

#include <ATen/Functions.h>
#include <c10/core/Event.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

namespace latentwire {

class Xxh64 {
 public:
  Xxh64() { reset(); }

  void reset() {
    total_ = 0;
    filled_ = 0;
    lanes_[0] = P1 + P2;
    lanes_[1] = P2;
    lanes_[2] = 0;
    lanes_[3] = 0 - P1;
  }

  void update(const void* data, size_t length) {
    const uint8_t* p = static_cast<const uint8_t*>(data);
    total_ += length;
    if (filled_ > 0) {
      size_t take = std::min(length, sizeof(buffer_) - filled_);
      std::memcpy(buffer_ + filled_, p, take);
      filled_ += take;
      p += take;
      length -= take;
      if (filled_ < sizeof(buffer_)) return;
      stripes(buffer_, 1);
      filled_ = 0;
    }
    size_t whole = length / 32;
    stripes(p, whole);
    size_t rest = length - whole * 32;
    if (rest > 0) std::memcpy(buffer_, p + whole * 32, rest);
    filled_ = rest;
  }

  uint64_t finish() const {
    uint64_t h = P5;
    if (total_ >= 32) {
      h = rotate(lanes_[0], 1) + rotate(lanes_[1], 7) + rotate(lanes_[2], 12) + rotate(lanes_[3], 18);
      for (uint64_t lane : lanes_) h = (h ^ round(0, lane)) * P1 + P4;
    }
    h += total_;
    const uint8_t* p = buffer_;
    size_t left = filled_;
    for (; left >= 8; p += 8, left -= 8) h = rotate(h ^ round(0, read64(p)), 27) * P1 + P4;
    if (left >= 4) {
      uint32_t word;
      std::memcpy(&word, p, 4);
      h = rotate(h ^ word * P1, 23) * P2 + P3;
      p += 4;
      left -= 4;
    }
    for (; left > 0; p++, left--) h = rotate(h ^ *p * P5, 11) * P1;
    h = (h ^ (h >> 33)) * P2;
    h = (h ^ (h >> 29)) * P3;
    return h ^ (h >> 32);
  }

 private:
  static constexpr uint64_t P1 = 0x9E3779B185EBCA87ull, P2 = 0xC2B2AE3D27D4EB4Full, P3 = 0x165667B19E3779F9ull,
                            P4 = 0x85EBCA77C2B2AE63ull, P5 = 0x27D4EB2F165667C5ull;

  static uint64_t rotate(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }
  static uint64_t round(uint64_t lane, uint64_t input) { return rotate(lane + input * P2, 31) * P1; }
  static uint64_t read64(const uint8_t* p) {
    uint64_t value;
    std::memcpy(&value, p, 8);
    return value;
  }

  void stripes(const uint8_t* p, size_t count) {
    uint64_t a = lanes_[0], b = lanes_[1], c = lanes_[2], d = lanes_[3];
    for (; count > 0; count--, p += 32) {
      a = round(a, read64(p));
      b = round(b, read64(p + 8));
      c = round(c, read64(p + 16));
      d = round(d, read64(p + 24));
    }
    lanes_[0] = a, lanes_[1] = b, lanes_[2] = c, lanes_[3] = d;
  }

  uint64_t lanes_[4];
  uint64_t total_;
  uint8_t buffer_[32];
  size_t filled_;
};

/// Digest of a file that is given piece by piece.
class FileDigest {
 public:
  static constexpr size_t kBlock = size_t{1} << 22;

  void update(const uint8_t* data, size_t length) {
    while (length > 0) {
      size_t take = std::min(length, kBlock - in_block_);
      block_.update(data, take);
      in_block_ += take;
      data += take;
      length -= take;
      if (in_block_ == kBlock) end_block();
    }
  }

  /// 16 hex digits
  std::string finish() {
    if (in_block_ > 0) end_block();
    return hex(all_.finish());
  }

  static std::string hex(uint64_t value) {
    char text[17];
    snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
    return text;
  }

 private:
  void end_block() {
    uint64_t value = block_.finish();
    all_.update(&value, 8);
    block_.reset();
    in_block_ = 0;
  }

  Xxh64 block_, all_;
  size_t in_block_ = 0;
};

/// Digest of the file behind `fd`, the bytes [blank, blank + 16) taken as '0'. Returns "" with errno on a read error.
inline std::string digest_of_file(int fd, size_t blank) {
  std::vector<uint8_t> chunk(size_t{1} << 18);  // stays in the processor's cache
  FileDigest digest;
  size_t position = 0;
  for (;;) {
    ssize_t got = pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(position));
    if (got < 0) {
      if (errno == EINTR) continue;
      return "";
    }
    if (got == 0) return digest.finish();
    size_t length = static_cast<size_t>(got);
    for (size_t i = std::max(blank, position); i < std::min(blank + 16, position + length); i++) chunk[i - position] = '0';
    digest.update(chunk.data(), length);
    position += length;
  }
}

/// fileDigest(path, blankPosition) -> 16 hex digits
inline napi_value file_digest(napi_env env, const Arguments& args) {
  std::string path = get_string(env, args[0], "path");
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw BridgeError("cannot open " + path + ": " + std::strerror(errno));
  std::string digest = digest_of_file(fd, static_cast<size_t>(get_int(env, args[1], "blankPosition")));
  int read_errno = errno;
  close(fd);
  if (digest.empty()) throw BridgeError("cannot read " + path + ": " + std::strerror(read_errno));
  return make_string(env, digest);
}

/// Bytes of tensors that do not lie in this process's memory in one piece, through two buffers: one piece is on its way while
/// the one before is hashed. A copy of each tensor as a whole would go through pageable memory, at a tenth of the speed.
class StagedBytes {
 public:
  static constexpr int64_t kPiece = int64_t{1} << 24;

  /// Calls `take(index, data, length)` for all bytes of all tensors in order.
  template <typename Take>
  static void read(const std::vector<at::Tensor>& tensors, Take take) {
    StagedBytes stage;
    size_t issued = 0;
    for (size_t i = 0; i < tensors.size(); i++) {
      if (tensors[i].nbytes() == 0) continue;
      at::Tensor bytes = tensors[i].detach().contiguous().reshape({-1}).view(at::kByte);
      for (int64_t begin = 0; begin < bytes.numel(); begin += kPiece) {
        stage.issue(issued % 2, i, bytes.narrow(0, begin, std::min(kPiece, bytes.numel() - begin)));
        if (issued++ > 0) stage.hand_on(issued % 2, take);
      }
    }
    if (issued > 0) stage.hand_on((issued - 1) % 2, take);
  }

 private:
  struct Place {
    at::Tensor memory;
    size_t index = 0, length = 0;
    std::optional<c10::Event> copied;
  };

  void issue(size_t which, size_t index, const at::Tensor& piece) {
    Place& place = places_[which];
    bool device = !piece.is_cpu();
    if (!place.memory.defined() || place.memory.is_pinned() != device) {
      place.memory = at::empty({kPiece}, at::TensorOptions().dtype(at::kByte).pinned_memory(device));
    }
    place.memory.narrow(0, 0, piece.numel()).copy_(piece, /*non_blocking=*/device);
    place.index = index;
    place.length = static_cast<size_t>(piece.numel());
    place.copied.reset();
    if (device) {
      place.copied.emplace(piece.device().type());
      place.copied->record(c10::impl::VirtualGuardImpl(piece.device().type()).getStream(piece.device()));
    }
  }

  template <typename Take>
  void hand_on(size_t which, Take take) {
    Place& place = places_[which];
    if (place.copied) place.copied->synchronize();
    take(place.index, static_cast<const uint8_t*>(place.memory.const_data_ptr()), place.length);
  }

  Place places_[2];
};

/// tensorDigests(tensors) -> ArrayBuffer of one little-endian XXH64 per tensor over its contiguous bytes
inline napi_value tensor_digests(napi_env env, const Arguments& args) {
  at::NoGradGuard guard;
  auto tensors = get_tensor_list(env, args[0], "tensors");
  std::vector<Xxh64> digests(tensors.size());
  std::vector<at::Tensor> staged(tensors.size());
  for (size_t i = 0; i < tensors.size(); i++) {
    const at::Tensor& t = tensors[i];
    if (t.is_cpu() && t.is_contiguous()) {
      if (t.nbytes() > 0) digests[i].update(t.const_data_ptr(), t.nbytes());
      staged[i] = at::empty({0});
    } else {
      staged[i] = t;
    }
  }
  StagedBytes::read(staged, [&](size_t i, const uint8_t* data, size_t length) { digests[i].update(data, length); });
  void* data;
  napi_value buffer;
  check(napi_create_arraybuffer(env, tensors.size() * 8, &data, &buffer), "array buffer");
  for (size_t i = 0; i < tensors.size(); i++) {
    uint64_t value = digests[i].finish();
    std::memcpy(static_cast<uint8_t*>(data) + i * 8, &value, 8);
  }
  return buffer;
}

}  // namespace latentwire
