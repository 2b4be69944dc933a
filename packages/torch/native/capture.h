// Captures what native code (libtorch's warnings, glibc, CUDA, child processes) writes straight to file descriptors 1
// and 2: both become pipes, and one thread copies what arrives to the original descriptor and to the log, at once.
// JavaScript output does not come this way (telemetry/log-tee.ts writes it to the log itself, synchronously, so that
// nothing is lost when the process is killed); it goes to the saved descriptors that captureStart returns.
#pragma once

#include "napi_support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

namespace latentwire {

class OutputCapture {
 public:
  bool active() const { return active_; }
  int saved(int i) const { return saved_[i]; }

  void start(int log) {
    log_ = dup_above(log);
    for (int i = 0; i < 2; i++) {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC) != 0) throw BridgeError(std::string("pipe: ") + std::strerror(errno));
      saved_[i] = dup_above(i + 1);
      read_[i] = ends[0];
      fcntl(read_[i], F_SETFL, O_NONBLOCK);
      dup2(ends[1], i + 1);  // without O_CLOEXEC: child processes inherit it
      close(ends[1]);
    }
    if (pipe2(stop_, O_CLOEXEC) != 0) throw BridgeError(std::string("pipe: ") + std::strerror(errno));
    active_ = true;
    install_abort_handler();
    thread_ = std::thread([this] { drain(); });
  }

  void stop() {
    if (!active_) return;
    active_ = false;
    for (int i = 0; i < 2; i++) dup2(saved_[i], i + 1);
    close(stop_[1]);
    thread_.join();
    for (int i = 0; i < 2; i++) {
      close(read_[i]);
      close(saved_[i]);
    }
    close(stop_[0]);
    close(log_);
    sigaction(SIGABRT, &abort_before_, nullptr);
  }

  /// For the handler of SIGABRT: waits up to 200 ms until the thread has taken what is in the pipes.
  void wait_empty() const {
    for (int round = 0; round < 200 && active_; round++) {
      int left = 0;
      for (int i = 0; i < 2; i++) {
        int bytes = 0;
        if (ioctl(read_[i], FIONREAD, &bytes) == 0) left += bytes;
      }
      timespec millisecond{0, 1'000'000};
      nanosleep(&millisecond, nullptr);
      if (left == 0) return;
    }
  }

 private:
  static int dup_above(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) throw BridgeError(std::string("dup: ") + std::strerror(errno));
    return copy;
  }

  static void write_fully(int fd, const char* data, ssize_t length) {
    while (length > 0) {
      ssize_t n = write(fd, data, static_cast<size_t>(length));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        pollfd ready{fd, POLLOUT, 0};
        poll(&ready, 1, 1000);
        continue;
      }
      if (n <= 0) return;  // nobody reads it any more, or the disk is full: never a reason to stop
      data += n;
      length -= n;
    }
  }

  void drain() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    char buffer[16384];
    for (bool stopping = false;;) {
      pollfd watched[3] = {{read_[0], POLLIN, 0}, {read_[1], POLLIN, 0}, {stopping ? -1 : stop_[0], POLLIN, 0}};
      if (poll(watched, 3, stopping ? 0 : -1) < 0 && errno != EINTR) return;
      bool any = false;
      for (int i = 0; i < 2; i++) {
        ssize_t n = read(read_[i], buffer, sizeof(buffer));
        if (n <= 0) continue;
        any = true;
        write_fully(log_, buffer, n);
        write_fully(saved_[i], buffer, n);
      }
      // A child process may hold the other end open for ever, so the end is told by stop(), not by end of file.
      if (stopping && !any) return;
      if (watched[2].revents != 0) stopping = true;
    }
  }

  static void on_abort(int);
  void install_abort_handler() {
    struct sigaction action {};
    action.sa_handler = on_abort;
    action.sa_flags = SA_RESETHAND;  // abort() raises again after this returns, with the default action
    sigaction(SIGABRT, &action, &abort_before_);
  }

  std::atomic<bool> active_{false};
  int log_ = -1, saved_[2] = {-1, -1}, read_[2] = {-1, -1}, stop_[2] = {-1, -1};
  struct sigaction abort_before_ {};
  std::thread thread_;
};

/// Leaked on purpose: the thread may still run while static objects are destroyed.
inline OutputCapture& output_capture() {
  static auto* capture = new OutputCapture;
  return *capture;
}

inline void OutputCapture::on_abort(int) { output_capture().wait_empty(); }

/// captureStart(logFd) -> [fd of the original stdout, fd of the original stderr]
inline napi_value capture_start(napi_env env, const Arguments& args) {
  OutputCapture& capture = output_capture();
  if (capture.active()) throw BridgeError("output is captured already");
  capture.start(static_cast<int>(get_int(env, args[0], "log")));
  napi_value out;
  napi_create_array_with_length(env, 2, &out);
  for (int i = 0; i < 2; i++) napi_set_element(env, out, static_cast<uint32_t>(i), make_number(env, capture.saved(i)));
  return out;
}

/// captureStop(): gives descriptors 1 and 2 back after everything was copied
inline napi_value capture_stop(napi_env env, const Arguments&) {
  output_capture().stop();
  return undefined(env);
}

}  // namespace latentwire
