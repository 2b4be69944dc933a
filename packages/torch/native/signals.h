// Signals seen by synchronous code. Node runs JavaScript handlers only when the event loop turns, so a handler there
// would not be noticed during a training step. This one stores number and time in lock-free atomics (all that POSIX
// allows a handler to do), and JavaScript polls them with one cheap call. A handler that was installed before (Node's
// own, when there are listeners) is called too.
#pragma once

#include "napi_support.h"

#include <csignal>
#include <ctime>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <atomic>

namespace latentwire {

struct SignalRecord {
  /// First signal since installation or clearing; 0 = none.
  std::atomic<int> first{0};
  std::atomic<int64_t> monotonic_ns{0};
  std::atomic<int64_t> wall_ns{0};
  std::atomic<int> counts[NSIG]{};
};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<int64_t>::is_always_lock_free,
              "a signal handler may only touch lock-free atomics");

inline SignalRecord signal_record;
inline struct sigaction signal_previous[NSIG];
inline bool signal_installed[NSIG];
/// A second one of these ends the process at once, as if there were no handler.
inline bool signal_second_stops[NSIG];

inline int64_t nanoseconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

inline void on_signal(int number, siginfo_t* info, void* context) {
  int saved_errno = errno;
  int earlier = signal_record.counts[number].fetch_add(1);
  if (earlier > 0 && signal_second_stops[number]) {
    signal(number, SIG_DFL);
    raise(number);  // blocked while this handler runs: takes effect when it returns
    errno = saved_errno;
    return;
  }
  // The times come first: whoever sees `first` set sees them too.
  if (signal_record.first.load() == 0) {
    signal_record.monotonic_ns.store(nanoseconds(CLOCK_MONOTONIC));
    signal_record.wall_ns.store(nanoseconds(CLOCK_REALTIME));
    int none = 0;
    signal_record.first.compare_exchange_strong(none, number);
  }
  const struct sigaction& before = signal_previous[number];
  if (before.sa_flags & SA_RESETHAND) {
    // Node's own way to end at SIGINT and SIGTERM when there are no listeners: just what is to be prevented.
  } else if (before.sa_flags & SA_SIGINFO) {
    if (before.sa_sigaction != nullptr) before.sa_sigaction(number, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(number);
  }
  errno = saved_errno;
}

/// watchSignals(numbers, secondStops: number[]): from now on these set the flag instead of ending the process
inline napi_value watch_signals(napi_env env, const Arguments& args) {
  auto numbers = [&](napi_value list) {
    std::vector<int> out;
    for (uint32_t i = 0, n = array_length(env, list, "signals"); i < n; i++) {
      int64_t number = get_int(env, element(env, list, i), "signal");
      if (number < 1 || number >= NSIG) throw BridgeError("signal: out of range");
      out.push_back(static_cast<int>(number));
    }
    return out;
  };
  for (int number : numbers(args[1])) signal_second_stops[number] = true;
  for (int number : numbers(args[0])) {
    if (signal_installed[number]) continue;
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    // No signal interrupts another's handler: Node's, which this one calls, waits for a lock that the first would hold.
    sigfillset(&action.sa_mask);
    if (sigaction(number, &action, &signal_previous[number]) != 0) throw BridgeError("sigaction failed");
    signal_installed[number] = true;
  }
  return undefined(env);
}

/// unwatchSignals(): gives every signal back to whoever had it before, and forgets what was received
inline napi_value unwatch_signals(napi_env env, const Arguments&) {
  for (int number = 1; number < NSIG; number++) {
    if (signal_installed[number]) sigaction(number, &signal_previous[number], nullptr);
    signal_installed[number] = false;
    signal_second_stops[number] = false;
    signal_record.counts[number].store(0);
  }
  signal_record.first.store(0);
  return undefined(env);
}

/// signalWhenParentEnds(number): this process gets the signal when the one that started it ends, however it ends. Linux
/// only; elsewhere nothing happens.
inline napi_value signal_when_parent_ends(napi_env env, const Arguments& args) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(get_int(env, args[0], "signal")));
#endif
  return undefined(env);
}

/// receivedSignal() -> number of the first signal, or 0. The call that is made at every micro-batch.
inline napi_value received_signal(napi_env env, const Arguments&) {
  return make_number(env, signal_record.first.load(std::memory_order_acquire));
}

/// signalTimes() -> {monotonicMs, wallMs} of the first signal, on CLOCK_MONOTONIC and as Unix time
inline napi_value signal_times(napi_env env, const Arguments&) {
  napi_value out;
  napi_create_object(env, &out);
  set_property(env, out, "monotonicMs", make_number(env, static_cast<double>(signal_record.monotonic_ns.load()) / 1e6));
  set_property(env, out, "wallMs", make_number(env, static_cast<double>(signal_record.wall_ns.load()) / 1e6));
  return out;
}

/// signalCount(number) -> how often it came
inline napi_value signal_count(napi_env env, const Arguments& args) {
  int64_t number = get_int(env, args[0], "signal");
  return make_number(env, number > 0 && number < NSIG ? signal_record.counts[number].load() : 0);
}

}  // namespace latentwire
