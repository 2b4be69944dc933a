// Saves tensors to a file from a thread of its own, atomically and durably, while JavaScript goes on.
//
// The tensors are copied first ("snapshot"); they must not change until snapshotWait returns, so a training loop can
// already compute the next gradients and waits only before it updates the weights. Then: temporary file in the same
// folder, fsync, digest compared with what was read back, current -> backup, temporary -> current, fsync of the folder,
// backup removed. At every moment current or backup is a whole file, and never more than two files are there.
//
// Every system call can be made to fail (Fault), so that tests see what each failure leaves behind.
#pragma once

#include "digest.h"
#include "tensor_io.h"

#include <csignal>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace latentwire {

/// Makes call number `at` (from 0) go wrong.
struct Fault {
  enum Kind { kNone, kError, kKill, kShortThenError, kShort, kKillAfter };
  int64_t at = -1;
  Kind kind = kNone;
  int error = 0;
};

class SaveJob {
 public:
  struct Source {
    const uint8_t* data;
    size_t length;
  };
  struct Result {
    size_t bytes = 0;
    /// total: until the file is durable under its name; cleanup: removing the backup after that
    double snapshot_s = 0, write_s = 0, sync_s = 0, publish_s = 0, cleanup_s = 0, total_s = 0;
    int64_t calls = 0;
    std::string digest;
    /// System call and errno of the failure; empty when all went well.
    std::string failed_call;
    int error = 0;
  };

  std::string temporary, current, backup;
  std::vector<uint8_t> header;
  size_t digest_at = 0;
  std::vector<at::Tensor> tensors;
  bool snapshot = true;
  Fault fault;

  /// Kept from save to save: fresh pages cost as much as the copy itself, and while memory is being pinned nothing can be
  /// issued to a GPU. Only one save runs at a time.
  static at::Tensor& snapshot_memory(size_t bytes, bool pinned) {
    static at::Tensor memory;
    if (!memory.defined() || static_cast<size_t>(memory.numel()) < bytes || memory.is_pinned() != pinned) {
      memory = at::empty({static_cast<int64_t>(bytes)}, at::TensorOptions().dtype(at::kByte).pinned_memory(pinned));
    }
    return memory;
  }

  void start() { thread_ = std::thread([this] { run(); }); }

  void wait_snapshot() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return snapshot_done_; });
  }

  bool finished() const { return finished_.load(); }

  Result wait() {
    if (thread_.joinable()) thread_.join();
    return result_;
  }

  ~SaveJob() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Failure {
    std::string call;
    int error;
  };

  static double now() { return static_cast<double>(nanoseconds_now()) / 1e9; }
  static int64_t nanoseconds_now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
  }

  void run() {
    began_ = now();
    try {
      std::vector<Source> sources = collect();
      mark_snapshot(now() - began_);
      write_and_publish(sources);
    } catch (const Failure& failure) {
      result_.failed_call = failure.call;
      result_.error = failure.error;
    } catch (const std::exception& e) {
      result_.failed_call = std::string("snapshot: ") + e.what();
      result_.error = ENOMEM;
    }
    mark_snapshot(0);
    tensors.clear();
    result_.calls = calls_;
    finished_.store(true);
  }

  void mark_snapshot(double seconds) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!snapshot_done_) result_.snapshot_s = seconds;
      snapshot_done_ = true;
    }
    changed_.notify_all();
  }

  /// Host memory that holds the bytes, in order. Without a snapshot it is the tensors' own, where possible.
  std::vector<Source> collect() {
    at::NoGradGuard guard;
    bool direct = !snapshot;
    bool cuda = false;
    size_t total = 0;
    for (const auto& t : tensors) {
      direct = direct && t.is_cpu() && t.is_contiguous();
      cuda = cuda || t.is_cuda();
      total += t.nbytes();
    }
    std::vector<Source> sources;
    if (direct) {
      for (const auto& t : tensors) sources.push_back({static_cast<const uint8_t*>(t.const_data_ptr()), t.nbytes()});
      return sources;
    }
    uint8_t* place = static_cast<uint8_t*>(snapshot_memory(total, cuda).mutable_data_ptr());
    for (const auto& t : tensors) {
      if (t.nbytes() == 0) continue;
      if (t.is_cpu() && t.is_contiguous()) {
        std::memcpy(place, t.const_data_ptr(), t.nbytes());
      } else {
        auto options = t.options().device(at::kCPU);
        at::Tensor target = at::from_blob(place, t.sizes(), options);
        target.copy_(t.detach());
      }
      sources.push_back({place, t.nbytes()});
      place += t.nbytes();
    }
    return sources;
  }

  void write_and_publish(const std::vector<Source>& sources) {
    double began = now();
    size_t total = header.size();
    for (const Source& s : sources) total += s.length;
    int fd = -1;
    try {
      fd = system_call("open", [&] { return ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644); });
      write_contents(fd, sources);
      double written = now();
      result_.write_s = written - began;
      // Read back while the device takes the bytes: both have to succeed before anything is replaced.
      std::string read_back;
      std::thread reader([&] { read_back = digest_of_file(fd, digest_at); });
      try {
        system_call("fsync", [&] { return ::fsync(fd); });
      } catch (...) {
        reader.join();
        throw;
      }
      reader.join();
      result_.sync_s = now() - written;
      if (read_back != result_.digest) throw Failure{"verify", EIO};
      int closing = fd;
      fd = -1;
      system_call("close", [&] { return ::close(closing); });
      publish();
    } catch (...) {
      if (fd >= 0) ::close(fd);
      ::unlink(temporary.c_str());
      throw;
    }
    result_.bytes = total;
  }

  /// The header comes last: it holds the digest of everything.
  void write_contents(int fd, const std::vector<Source>& sources) {
    FileDigest digest;
    digest.update(header.data(), header.size());
    size_t position = header.size();
    for (const Source& s : sources) {
      // Pieces that stay in the processor's cache between hashing and writing.
      for (size_t done = 0; done < s.length; done += kPiece) {
        size_t piece = std::min(kPiece, s.length - done);
        digest.update(s.data + done, piece);
        write_all(fd, s.data + done, piece, position + done);
      }
      position += s.length;
    }
    result_.digest = digest.finish();
    std::memcpy(header.data() + digest_at, result_.digest.data(), 16);
    write_all(fd, header.data(), header.size(), 0);
  }

  void write_all(int fd, const uint8_t* data, size_t length, size_t position) {
    while (length > 0) {
      size_t piece = length;
      if (calls_ == fault.at && (fault.kind == Fault::kShort || fault.kind == Fault::kShortThenError)) {
        piece = std::max<size_t>(1, piece / 2);
      }
      ssize_t written = 0;
      system_call("write", [&] {
        written = ::pwrite(fd, data, piece, static_cast<off_t>(position));
        return written < 0 ? -1 : 0;
      });
      if (written == 0) throw Failure{"write", EIO};
      data += written;
      position += static_cast<size_t>(written);
      unflushed_ += static_cast<size_t>(written);
      if (unflushed_ >= kFlush) {
        // Starts the device early, so that the fsync at the end has little left to do. Only a hint.
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        unflushed_ = 0;
      }
      length -= static_cast<size_t>(written);
    }
  }

  void publish() {
    double began = now();
    bool had_current = ::access(current.c_str(), F_OK) == 0;
    try {
      if (had_current) system_call("rename", [&] { return ::rename(current.c_str(), backup.c_str()); });
      system_call("rename", [&] { return ::rename(temporary.c_str(), current.c_str()); });
    } catch (...) {
      // A network file system may have renamed and still report an error.
      if (::access(current.c_str(), F_OK) != 0) ::rename(backup.c_str(), current.c_str());
      throw;
    }
    sync_folder();
    double durable = now();
    result_.publish_s = durable - began;
    result_.total_s = durable - began_;
    // The new file is the checkpoint now; a failure below only leaves the backup for the next save.
    if (had_current) system_call("unlink", [&] { return ::unlink(backup.c_str()); });
    result_.cleanup_s = now() - durable;
  }

  /// Makes the renames durable. Some network file systems cannot sync a folder; they order renames themselves.
  void sync_folder() {
    std::string folder = current.substr(0, current.find_last_of('/'));
    int fd = system_call("open", [&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    try {
      system_call("fsync", [&] { return ::fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1; });
    } catch (...) {
      ::close(fd);
      throw;
    }
    ::close(fd);
  }

  template <class F>
  int system_call(const char* name, F call) {
    bool hit = calls_++ == fault.at;
    if (hit && fault.kind == Fault::kKill) ::kill(getpid(), SIGKILL);
    if (hit && fault.kind == Fault::kError) throw Failure{name, fault.error};
    int value;
    do {
      value = call();
    } while (value < 0 && errno == EINTR);
    if (value < 0) throw Failure{name, errno};
    if (hit && fault.kind == Fault::kKillAfter) ::kill(getpid(), SIGKILL);
    if (hit && fault.kind == Fault::kShortThenError) throw Failure{name, fault.error};
    return value;
  }

  static constexpr size_t kPiece = size_t{1} << 18;
  static constexpr size_t kFlush = size_t{1} << 23;

  double began_ = 0;
  size_t unflushed_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool snapshot_done_ = false;
  std::atomic<bool> finished_{false};
  int64_t calls_ = 0;
  Result result_;
};

inline std::vector<std::unique_ptr<SaveJob>>& save_jobs() {
  thread_local std::vector<std::unique_ptr<SaveJob>> jobs;
  return jobs;
}

inline SaveJob& save_job(napi_env env, napi_value id) {
  auto& job = save_jobs().at(static_cast<size_t>(get_int(env, id, "save")));
  if (!job) throw BridgeError("the save was already taken");
  return *job;
}

/// saveReserve(tensors): makes the memory that their snapshot will need, where some are on a GPU
inline napi_value save_reserve(napi_env env, const Arguments& args) {
  for (auto& other : save_jobs()) {
    if (other && !other->finished()) throw BridgeError("a save is under way");
  }
  bool cuda = false;
  size_t total = 0;
  for (const auto& t : get_tensor_list(env, args[0], "tensors")) {
    cuda = cuda || t.is_cuda();
    total += t.nbytes();
  }
  if (cuda) SaveJob::snapshot_memory(total, true);
  return undefined(env);
}

/// saveStart(temporary, current, backup, header, digestPosition, tensors, snapshot, [at, kind, errno] | null) -> id
inline napi_value save_start(napi_env env, const Arguments& args) {
  auto job = std::make_unique<SaveJob>();
  job->temporary = get_string(env, args[0], "temporary");
  job->current = get_string(env, args[1], "current");
  job->backup = get_string(env, args[2], "backup");
  Bytes header = get_bytes(env, args[3], "header");
  job->header.assign(header.data, header.data + header.length);
  job->digest_at = static_cast<size_t>(get_int(env, args[4], "digestPosition"));
  if (job->digest_at + 16 > job->header.size()) throw BridgeError("digestPosition: outside the header");
  job->tensors = get_tensor_list(env, args[5], "tensors");
  job->snapshot = get_bool(env, args[6], "snapshot");
  if (!is_absent(env, args[7])) {
    auto number = [&](uint32_t i) { return get_int(env, element(env, args[7], i), "fault"); };
    job->fault = {number(0), static_cast<Fault::Kind>(number(1)), static_cast<int>(number(2))};
  }
  auto& jobs = save_jobs();
  for (auto& other : jobs) {
    if (other && !other->finished()) throw BridgeError("another save is still under way");
  }
  job->start();
  for (size_t i = 0; i < jobs.size(); i++) {
    if (!jobs[i]) {
      jobs[i] = std::move(job);
      return make_number(env, static_cast<double>(i));
    }
  }
  jobs.push_back(std::move(job));
  return make_number(env, static_cast<double>(jobs.size() - 1));
}

/// saveSnapshotWait(id): returns when the tensors may change again
inline napi_value save_snapshot_wait(napi_env env, const Arguments& args) {
  save_job(env, args[0]).wait_snapshot();
  return undefined(env);
}

/// saveFinished(id) -> boolean
inline napi_value save_finished(napi_env env, const Arguments& args) {
  return make_bool(env, save_job(env, args[0]).finished());
}

/// saveWait(id) -> result; the id is free afterwards
inline napi_value save_wait(napi_env env, const Arguments& args) {
  SaveJob::Result r = save_job(env, args[0]).wait();
  save_jobs()[static_cast<size_t>(get_int(env, args[0], "save"))].reset();
  napi_value out;
  napi_create_object(env, &out);
  set_property(env, out, "bytes", make_number(env, static_cast<double>(r.bytes)));
  set_property(env, out, "snapshotSeconds", make_number(env, r.snapshot_s));
  set_property(env, out, "writeSeconds", make_number(env, r.write_s));
  set_property(env, out, "syncSeconds", make_number(env, r.sync_s));
  set_property(env, out, "publishSeconds", make_number(env, r.publish_s));
  set_property(env, out, "cleanupSeconds", make_number(env, r.cleanup_s));
  set_property(env, out, "seconds", make_number(env, r.total_s));
  set_property(env, out, "calls", make_number(env, static_cast<double>(r.calls)));
  set_property(env, out, "digest", make_string(env, r.digest));
  if (!r.failed_call.empty()) {
    const char* name = strerrorname_np(r.error);
    set_property(env, out, "failedCall", make_string(env, r.failed_call));
    set_property(env, out, "errorCode", make_string(env, name ? name : "EIO"));
    set_property(env, out, "errorMessage", make_string(env, std::strerror(r.error)));
  }
  return out;
}

}  // namespace latentwire
