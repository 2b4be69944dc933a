// Tape: the sequence of native calls that one run of a JavaScript function makes. A recorded tape is walked again
// instead of executed: each call must repeat its recorded arguments and gets its recorded result, and new host data
// lands where the recorded device work reads it. With that work captured as a CUDA graph (graph.h), a training step
// costs one launch instead of thousands, and model code needs no second form. A call that differs stops the walk
// before anything ran.
#pragma once

#include "napi_support.h"

#include <ATen/core/Tensor.h>

#include <cstring>
#include <functional>
#include <memory>

namespace latentwire {

/// Host data that a recorded copy reads at every launch.
struct Upload {
  at::Tensor host;               // pinned when the device is a GPU; its address is in the graph
  std::vector<uint8_t> pending;  // bytes of the walk under way: the last launch may still read `host`
};

struct Tape {
  struct Entry {
    size_t arguments_end;  // in `arguments`
    size_t results_end;    // in `results`
    napi_valuetype result;
    bool list;
  };
  std::vector<Entry> entries;
  std::vector<double> arguments;
  std::vector<double> results;
  std::vector<Upload> uploads;
  std::vector<double> owned;  // handles of tensors made while recording
  size_t next_entry = 0;
  size_t next_upload = 0;
};

enum class TapeMode : uint8_t { kOff, kRecord, kWalk, kBroken };

/// By itself, not in the state below: every operator call asks for it, and a constant needs no check of "made yet?".
inline thread_local TapeMode tape_mode = TapeMode::kOff;

struct TapeState {
  Tape* tape = nullptr;
  std::vector<double> scratch;
  std::function<at::Tensor(c10::IntArrayRef, at::ScalarType)> allocate_host;
};

inline TapeState& tape_state() {
  thread_local TapeState state;
  return state;
}

inline bool recording() { return tape_mode == TapeMode::kRecord; }

struct TapeMismatch : BridgeError {
  using BridgeError::BridgeError;
};

inline constexpr double kAbsent = -7e300, kTrue = -6e300, kFalse = -5e300, kText = -4e300, kArray = -3e300,
                        kBytes = -2e300;

/// Appends what identifies an argument. Packed lists are defined later, hence the hook.
inline bool (*append_packed_list)(double, std::vector<double>&) = nullptr;

inline void append_argument(napi_env env, napi_value v, std::vector<double>& out) {
  switch (type_of(env, v)) {
    case napi_number: {
      double d;
      napi_get_value_double(env, v, &d);
      if (!append_packed_list(d, out)) out.push_back(d);
      return;
    }
    case napi_boolean: {
      bool b;
      napi_get_value_bool(env, v, &b);
      out.push_back(b ? kTrue : kFalse);
      return;
    }
    case napi_string: {
      std::string s = get_string(env, v, "text");
      out.push_back(kText);
      out.push_back(static_cast<double>(std::hash<std::string>{}(s) >> 11));
      return;
    }
    case napi_bigint: {
      int64_t i = 0;
      bool lossless;
      napi_get_value_bigint_int64(env, v, &i, &lossless);
      out.push_back(kText);
      out.push_back(static_cast<double>(i));
      return;
    }
    case napi_object: {
      bool typed = false;
      napi_is_typedarray(env, v, &typed);
      if (typed) {  // contents are an upload; its length is checked against the shape
        out.push_back(kBytes);
        return;
      }
      uint32_t n = array_length(env, v, "list");
      out.push_back(kArray);
      out.push_back(n);
      for (uint32_t i = 0; i < n; i++) append_argument(env, element(env, v, i), out);
      return;
    }
    default: out.push_back(kAbsent);
  }
}

inline void append_arguments(napi_env env, const void* function, const Arguments& args, std::vector<double>& out) {
  out.push_back(static_cast<double>(reinterpret_cast<uintptr_t>(function) & 0xffffffffffffull));
  size_t count = args.count;
  for (size_t i = 0; i < count; i++) append_argument(env, args[i], out);
}

/// Notes a call and its result. Results are handles, numbers, booleans, nothing, or lists of handles.
inline void tape_record(napi_env env, const void* function, const Arguments& args, napi_value result) {
  Tape& tape = *tape_state().tape;
  append_arguments(env, function, args, tape.arguments);
  Tape::Entry entry{};
  entry.result = type_of(env, result);
  if (entry.result == napi_number) {
    tape.results.push_back(get_double(env, result, "result"));
  } else if (entry.result == napi_boolean) {
    tape.results.push_back(get_bool(env, result, "result") ? 1 : 0);
  } else if (entry.result == napi_object) {
    entry.list = true;
    uint32_t n = array_length(env, result, "result");
    for (uint32_t i = 0; i < n; i++) {
      napi_value item = element(env, result, i);
      tape.results.push_back(is_absent(env, item) ? kAbsent : get_double(env, item, "result"));
    }
  }
  entry.arguments_end = tape.arguments.size();
  entry.results_end = tape.results.size();
  tape.entries.push_back(entry);
}

/// Checks a call against the tape and returns its recorded result.
inline napi_value tape_walk(napi_env env, const void* function, const Arguments& args) {
  TapeState& state = tape_state();
  Tape& tape = *state.tape;
  size_t i = tape.next_entry;
  if (i < tape.entries.size()) {
    const Tape::Entry& entry = tape.entries[i];
    size_t begin = i == 0 ? 0 : tape.entries[i - 1].arguments_end;
    state.scratch.clear();
    append_arguments(env, function, args, state.scratch);
    size_t n = entry.arguments_end - begin;
    if (state.scratch.size() == n && std::memcmp(state.scratch.data(), tape.arguments.data() + begin, n * sizeof(double)) == 0) {
      tape.next_entry++;
      size_t from = i == 0 ? 0 : tape.entries[i - 1].results_end;
      if (entry.list) {
        napi_value array;
        napi_create_array_with_length(env, entry.results_end - from, &array);
        for (size_t r = from; r < entry.results_end; r++) {
          double d = tape.results[r];
          napi_set_element(env, array, static_cast<uint32_t>(r - from), d == kAbsent ? null_value(env) : make_number(env, d));
        }
        return array;
      }
      switch (entry.result) {
        case napi_number: return make_number(env, tape.results[from]);
        case napi_boolean: return make_bool(env, tape.results[from] != 0);
        case napi_null: return null_value(env);
        default: return undefined(env);
      }
    }
  }
  tape_mode = TapeMode::kBroken;
  throw TapeMismatch("the recorded step and this one differ at call " + std::to_string(i));
}

/// As `guarded`, for functions that a tape records.
template <napi_value (*F)(napi_env, const Arguments&)>
napi_value taped(napi_env env, const Arguments& args) {
  if (tape_mode == TapeMode::kOff) return F(env, args);
  const void* id = reinterpret_cast<const void*>(F);
  if (tape_mode == TapeMode::kWalk) return tape_walk(env, id, args);
  if (tape_mode == TapeMode::kBroken) return undefined(env);  // unwinding: finally blocks still call
  napi_value result = F(env, args);
  tape_record(env, id, args, result);
  return result;
}

/// For functions whose result depends on values: they wait for the device, which a tape must not.
template <napi_value (*F)(napi_env, const Arguments&)>
napi_value untaped(napi_env env, const Arguments& args) {
  if (tape_mode == TapeMode::kRecord || tape_mode == TapeMode::kWalk) {
    throw BridgeError("values cannot be read inside a recorded step: read them after it");
  }
  return F(env, args);
}

}  // namespace latentwire
