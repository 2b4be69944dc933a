// Thin N-API support: argument reading, value making, and the one place where C++ exceptions become
// JavaScript errors. Raw C API on purpose: a wrapper class per value costs more than the calls it hides.
#pragma once

#include <node_api.h>

#include <c10/util/Exception.h>

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace latentwire {

/// Wrong use of the bridge itself (stale handle, wrong JavaScript type); becomes a TorchError like libtorch's own.
struct BridgeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Context of the operator call under way, for the error message. Cleared by non-operator functions.
struct ErrorContext {
  std::string op;
  std::string schema;
  std::string arguments;
};

inline thread_local napi_ref error_factory = nullptr;

inline void check(napi_status status, const char* what) {
  if (status != napi_ok) throw BridgeError(std::string("unexpected value: ") + what);
}

inline napi_value undefined(napi_env env) {
  napi_value v;
  napi_get_undefined(env, &v);
  return v;
}

inline napi_value null_value(napi_env env) {
  napi_value v;
  napi_get_null(env, &v);
  return v;
}

inline napi_value make_number(napi_env env, double d) {
  napi_value v;
  napi_create_double(env, d, &v);
  return v;
}

inline napi_value make_bool(napi_env env, bool b) {
  napi_value v;
  napi_get_boolean(env, b, &v);
  return v;
}

inline napi_value make_string(napi_env env, const std::string& s) {
  napi_value v;
  napi_create_string_utf8(env, s.data(), s.size(), &v);
  return v;
}

inline double get_double(napi_env env, napi_value v, const char* what) {
  double d;
  if (napi_get_value_double(env, v, &d) != napi_ok) throw BridgeError(std::string(what) + ": expected a number");
  return d;
}

inline int64_t to_int(double d, const char* what) {
  if (d != static_cast<double>(static_cast<int64_t>(d))) {
    throw BridgeError(std::string(what) + ": expected an integer, got " + std::to_string(d));
  }
  return static_cast<int64_t>(d);
}

inline int64_t get_int(napi_env env, napi_value v, const char* what) { return to_int(get_double(env, v, what), what); }

inline bool get_bool(napi_env env, napi_value v, const char* what) {
  bool b;
  if (napi_get_value_bool(env, v, &b) != napi_ok) throw BridgeError(std::string(what) + ": expected a boolean");
  return b;
}

inline std::string get_string(napi_env env, napi_value v, const char* what) {
  size_t n = 0;
  if (napi_get_value_string_utf8(env, v, nullptr, 0, &n) != napi_ok) {
    throw BridgeError(std::string(what) + ": expected a string");
  }
  std::string s(n, '\0');
  napi_get_value_string_utf8(env, v, s.data(), n + 1, &n);
  return s;
}

inline uint32_t array_length(napi_env env, napi_value v, const char* what) {
  uint32_t n;
  if (napi_get_array_length(env, v, &n) != napi_ok) throw BridgeError(std::string(what) + ": expected an array");
  return n;
}

inline napi_value element(napi_env env, napi_value array, uint32_t i) {
  napi_value v;
  napi_get_element(env, array, i, &v);
  return v;
}

inline napi_valuetype type_of(napi_env env, napi_value v) {
  napi_valuetype t = napi_undefined;
  napi_typeof(env, v, &t);
  return t;
}

inline bool is_absent(napi_env env, napi_value v) {
  napi_valuetype t = type_of(env, v);
  return t == napi_undefined || t == napi_null;
}

inline void set_property(napi_env env, napi_value object, const char* name, napi_value v) {
  napi_set_named_property(env, object, name, v);
}

/// Throws a JavaScript error made by the factory that src/error.ts registered.
inline void throw_js(napi_env env, const std::string& message, const ErrorContext& context) {
  if (error_factory == nullptr) {
    napi_throw_error(env, "TORCH", message.c_str());
    return;
  }
  napi_value factory, error;
  napi_get_reference_value(env, error_factory, &factory);
  napi_value args[4] = {make_string(env, message), make_string(env, context.op), make_string(env, context.schema),
                        make_string(env, context.arguments)};
  if (napi_call_function(env, undefined(env), factory, 4, args, &error) == napi_ok) napi_throw(env, error);
}

/// Up to 16 arguments of one call. Absent ones read as undefined.
struct Arguments {
  static constexpr size_t kMax = 16;
  napi_value values[kMax];
  size_t count = kMax;

  Arguments(napi_env env, napi_callback_info info) {
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
    if (count > kMax) throw BridgeError("more than 16 arguments in one call");
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

/// Wraps a bridge function so that every C++ exception ends as a JavaScript error and none crosses N-API.
template <napi_value (*F)(napi_env, const Arguments&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  static const ErrorContext none;
  try {
    Arguments args(env, info);
    return F(env, args);
  } catch (const c10::Error& e) {
    throw_js(env, e.what_without_backtrace(), none);
  } catch (const std::bad_alloc&) {
    throw_js(env, "out of host memory", none);
  } catch (const std::exception& e) {
    throw_js(env, e.what(), none);
  }
  return nullptr;
}

}  // namespace latentwire
