// Reads part of a file into a tensor with several threads. On a GPU each thread reads into pinned memory of its own, two
// pieces in turn, so that disk, page cache and the way to the device are busy at the same time; the file is never mapped
// for it, so host memory holds the pieces alone.
#pragma once

#include "tensor_io.h"

#ifdef LATENTWIRE_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#endif

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

namespace latentwire {

struct FileRead {
  int fd;
  size_t offset;
  uint8_t* to;
  size_t bytes;
  size_t piece;
  std::atomic<size_t> next{0};
  std::atomic<int> failed{0};  // errno; ENODATA when the file ends early

  /// Takes the next piece. @returns its length; 0 when there is none, or something failed
  size_t take(size_t& at) {
    if (failed != 0) return 0;
    at = next.fetch_add(piece);
    return at >= bytes ? 0 : std::min(piece, bytes - at);
  }

  bool read(uint8_t* into, size_t at, size_t length) {
    // Threads that share a descriptor look like random access to the kernel: it would read ahead in small steps.
    posix_fadvise(fd, static_cast<off_t>(offset + at), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
    while (length > 0) {
      ssize_t n = pread(fd, into, length, static_cast<off_t>(offset + at));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        failed = n == 0 ? ENODATA : errno;
        return false;
      }
      into += n;
      at += static_cast<size_t>(n);
      length -= static_cast<size_t>(n);
    }
    return true;
  }
};

#ifdef LATENTWIRE_CUDA
/// Pinned memory and a stream of one thread.
struct Staging {
  uint8_t* pieces[2] = {nullptr, nullptr};
  cudaEvent_t copied[2];
  cudaStream_t stream;

  explicit Staging(size_t piece) {
    for (int i = 0; i < 2; i++) {
      void* memory = nullptr;
      check(cudaHostAlloc(&memory, piece, cudaHostAllocDefault), "pinned memory");
      pieces[i] = static_cast<uint8_t*>(memory);
      check(cudaEventCreateWithFlags(&copied[i], cudaEventDisableTiming), "an event");
    }
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  }
  Staging(const Staging&) = delete;
  ~Staging() {
    cudaStreamDestroy(stream);
    for (int i = 0; i < 2; i++) {
      cudaEventDestroy(copied[i]);
      cudaFreeHost(pieces[i]);
    }
  }
  static void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) throw BridgeError(std::string(what) + ": " + cudaGetErrorString(status));
  }

  void run(FileRead& job) {
    size_t at;
    for (int turn = 0; size_t length = job.take(at); turn ^= 1) {
      if (cudaEventSynchronize(copied[turn]) != cudaSuccess || !job.read(pieces[turn], at, length)) break;
      if (cudaMemcpyAsync(job.to + at, pieces[turn], length, cudaMemcpyHostToDevice, stream) != cudaSuccess ||
          cudaEventRecord(copied[turn], stream) != cudaSuccess) {
        job.failed = EIO;
      }
    }
    if (cudaStreamSynchronize(stream) != cudaSuccess) job.failed = EIO;
  }
};

inline std::vector<std::unique_ptr<Staging>>& staging() {
  thread_local std::vector<std::unique_ptr<Staging>> table;
  return table;
}
#endif

/// Frees the pinned memory, when no file is open any more.
inline void release_staging() {
#ifdef LATENTWIRE_CUDA
  for (const auto& mapping : mappings()) {
    if (mapping) return;
  }
  staging().clear();
#endif
}

/// readTensor(mapping, byteOffset, tensor, threads, pieceBytes): fills a contiguous tensor from the file.
inline napi_value read_tensor(napi_env env, const Arguments& args) {
  auto mapping = mappings().at(static_cast<size_t>(get_int(env, args[0], "mapping")));
  if (!mapping) throw BridgeError("the file was closed");
  const at::Tensor& t = get_tensor(env, args[2], "tensor");
  if (!t.is_contiguous()) throw BridgeError("expected a contiguous tensor");
  size_t offset = static_cast<size_t>(get_int(env, args[1], "byteOffset"));
  if (offset > mapping->length || t.nbytes() > mapping->length - offset) throw BridgeError("tensor lies outside the file");
  FileRead job{mapping->fd, offset, static_cast<uint8_t*>(t.mutable_data_ptr()), t.nbytes(),
               static_cast<size_t>(get_int(env, args[4], "pieceBytes"))};
  size_t pieces = (job.bytes + job.piece - 1) / job.piece;
  size_t threads = std::min(pieces, static_cast<size_t>(get_int(env, args[3], "threads")));
  std::function<void(size_t)> work = [&job](size_t) {
    size_t at;
    while (size_t length = job.take(at)) {
      if (!job.read(job.to + at, at, length)) break;
    }
  };
#ifdef LATENTWIRE_CUDA
  if (t.is_cuda()) {
    c10::cuda::CUDAGuard guard(t.device());
    while (staging().size() < threads) staging().push_back(std::make_unique<Staging>(job.piece));
    // The memory may still be used by what was issued before it was freed.
    at::cuda::CUDAEvent free;
    free.record();
    for (auto& own : staging()) Staging::check(cudaStreamWaitEvent(own->stream, free.event(), 0), "a stream");
    auto* lanes = &staging();
    work = [&job, lanes, device = t.get_device()](size_t i) {
      if (cudaSetDevice(device) == cudaSuccess) (*lanes)[i]->run(job);
      else job.failed = EIO;
    };
  }
#endif
  if (!t.is_cpu() && !t.is_cuda()) throw BridgeError("expected a tensor on the CPU or a GPU");
  std::vector<std::thread> running;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);  // signals belong to the main thread
  for (size_t i = 0; i < threads; i++) running.emplace_back(work, i);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (auto& thread : running) thread.join();
  if (int code = job.failed) {
    if (code == ENODATA) throw BridgeError("ENODATA: the file became shorter while it was open");
    const char* name = strerrorname_np(code);
    throw BridgeError(std::string(name ? name : "EIO") + ": read failed: " + std::strerror(code));
  }
  return undefined(env);
}

/// readsToDevice() -> whether readTensor takes tensors on a GPU
inline napi_value reads_to_device(napi_env env, const Arguments&) {
#ifdef LATENTWIRE_CUDA
  return make_bool(env, true);
#else
  return make_bool(env, false);
#endif
}

/// mapClose(mapping)
inline napi_value map_close(napi_env env, const Arguments& args) {
  mappings().at(static_cast<size_t>(get_int(env, args[0], "mapping"))).reset();
  release_staging();
  return undefined(env);
}

}  // namespace latentwire
