// Operator calls by schema: resolve once in c10::Dispatcher, convert JavaScript values by the schema's types,
// callBoxed. Autograd, autocast and every backend hang on the same dispatcher, so a new operator needs no C++.
#pragma once

#include "handles.h"
#include "recompute.h"

#include <ATen/core/Generator.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <c10/util/irange.h>

#include <cmath>
#include <optional>
#include <sstream>

namespace latentwire {

enum class Kind : uint8_t {
  kTensor, kTensorList, kOptionalTensorList, kScalar, kInt, kFloat, kBool, kString, kDevice, kGenerator,
  kIntList, kFloatList, kBoolList, kUnsupported,
};

struct Parameter {
  Kind kind;
  bool optional;
  std::optional<c10::IValue> fallback;
  std::string name;
};

struct Operator {
  std::string name;    // "aten::add.Tensor"
  std::string schema;  // empty when this torch has no such operator
  std::optional<c10::OperatorHandle> handle;
  std::vector<Parameter> parameters;
};

inline std::vector<Operator>& operators() {
  static std::vector<Operator> table;
  return table;
}

inline std::vector<at::Generator>& generators() {
  thread_local std::vector<at::Generator> table;
  return table;
}

inline Kind kind_of(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType: return Kind::kTensor;
    case c10::TypeKind::NumberType: return Kind::kScalar;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
    case c10::TypeKind::ScalarTypeType:
    case c10::TypeKind::LayoutType:
    case c10::TypeKind::MemoryFormatType: return Kind::kInt;
    case c10::TypeKind::FloatType: return Kind::kFloat;
    case c10::TypeKind::BoolType: return Kind::kBool;
    case c10::TypeKind::StringType: return Kind::kString;
    case c10::TypeKind::DeviceObjType: return Kind::kDevice;
    case c10::TypeKind::GeneratorType: return Kind::kGenerator;
    case c10::TypeKind::ListType: {
      const auto& item = *type.containedType(0);
      if (item.kind() == c10::TypeKind::OptionalType) {
        return kind_of(*item.containedType(0)) == Kind::kTensor ? Kind::kOptionalTensorList : Kind::kUnsupported;
      }
      switch (kind_of(item)) {
        case Kind::kTensor: return Kind::kTensorList;
        case Kind::kInt: return Kind::kIntList;
        case Kind::kFloat: return Kind::kFloatList;
        case Kind::kBool: return Kind::kBoolList;
        default: return Kind::kUnsupported;
      }
    }
    default: return Kind::kUnsupported;
  }
}

inline Operator resolve_operator(const std::string& full) {
  Operator op;
  op.name = full;
  auto dot = full.find('.');
  std::string name = full.substr(0, dot);
  std::string overload = dot == std::string::npos ? "" : full.substr(dot + 1);
  op.handle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!op.handle) return op;
  const auto& schema = op.handle->schema();
  std::ostringstream text;
  text << schema;
  op.schema = text.str();
  for (const auto& argument : schema.arguments()) {
    Parameter p;
    p.name = argument.name();
    p.fallback = argument.default_value();
    c10::TypePtr type = argument.type();
    p.optional = type->kind() == c10::TypeKind::OptionalType;
    if (p.optional) type = type->containedType(0);
    p.kind = kind_of(*type);
    op.parameters.push_back(std::move(p));
  }
  return op;
}

inline c10::IValue to_scalar(napi_env env, napi_value v, const char* what) {
  double d;
  if (napi_get_value_double(env, v, &d) == napi_ok) {
    // A whole number is an int64 Scalar, as in Python, so integer tensors keep their dtype.
    if (std::abs(d) < 9007199254740992.0 && d == std::trunc(d)) return static_cast<int64_t>(d);
    return d;
  }
  bool b;
  if (napi_get_value_bool(env, v, &b) == napi_ok) return b;
  int64_t i;
  bool lossless;
  if (napi_get_value_bigint_int64(env, v, &i, &lossless) == napi_ok && lossless) return i;
  throw BridgeError(std::string(what) + ": expected a number, boolean or int64 bigint");
}

inline c10::IValue to_ivalue(napi_env env, napi_value v, const Parameter& p) {
  const char* what = p.name.c_str();
  switch (p.kind) {
    case Kind::kTensor: return get_tensor(env, v, what);
    case Kind::kTensorList: {
      c10::List<at::Tensor> list;
      for_each_tensor(env, v, what, [&](size_t n) { list.reserve(n); }, [&](const at::Tensor& t) { list.push_back(t); });
      return list;
    }
    case Kind::kOptionalTensorList: {
      uint32_t n = array_length(env, v, what);
      c10::List<std::optional<at::Tensor>> list;
      list.reserve(n);
      for (uint32_t i = 0; i < n; i++) {
        napi_value item = element(env, v, i);
        if (is_absent(env, item)) list.push_back(std::nullopt);
        else list.push_back(get_tensor(env, item, what));
      }
      return list;
    }
    case Kind::kScalar: return to_scalar(env, v, what);
    case Kind::kInt: {
      if (type_of(env, v) == napi_bigint) return to_scalar(env, v, what);
      return get_int(env, v, what);
    }
    case Kind::kFloat: return get_double(env, v, what);
    case Kind::kBool: return get_bool(env, v, what);
    case Kind::kString: return get_string(env, v, what);
    case Kind::kDevice: return c10::Device(get_string(env, v, what));
    case Kind::kGenerator: {
      int64_t i = get_int(env, v, what);
      if (i < 0 || static_cast<size_t>(i) >= generators().size()) throw BridgeError("unknown generator");
      return generators()[static_cast<size_t>(i)];
    }
    case Kind::kIntList: {
      // A single number stands for a one-element list, as in `sum(dim=1)`.
      double d;
      if (napi_get_value_double(env, v, &d) == napi_ok && !is_packed_list(d)) return std::vector<int64_t>{to_int(d, what)};
      return get_int_list(env, v, what);
    }
    case Kind::kFloatList: {
      uint32_t n = array_length(env, v, what);
      std::vector<double> list(n);
      for (uint32_t i = 0; i < n; i++) list[i] = get_double(env, element(env, v, i), what);
      return list;
    }
    case Kind::kBoolList: {
      uint32_t n = array_length(env, v, what);
      c10::List<bool> list;
      for (uint32_t i = 0; i < n; i++) list.push_back(get_bool(env, element(env, v, i), what));
      return list;
    }
    case Kind::kUnsupported: break;
  }
  throw BridgeError("argument '" + p.name + "' has a type the bridge cannot pass");
}

inline napi_value from_ivalue(napi_env env, c10::IValue value) {
  if (value.isTensor()) return make_tensor(env, std::move(value).toTensor());
  if (value.isNone()) return null_value(env);
  if (value.isInt()) return make_number(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return make_number(env, value.toDouble());
  if (value.isBool()) return make_bool(env, value.toBool());
  if (value.isTensorList()) return make_tensor_list(env, std::move(value).toTensorVector());
  if (value.isIntList()) {
    auto list = value.toIntVector();
    napi_value array;
    napi_create_array_with_length(env, list.size(), &array);
    for (size_t i = 0; i < list.size(); i++) {
      napi_set_element(env, array, static_cast<uint32_t>(i), make_number(env, static_cast<double>(list[i])));
    }
    return array;
  }
  if (value.isScalar()) return make_number(env, value.toScalar().toDouble());
  if (value.isString()) return make_string(env, value.toStringRef());
  throw BridgeError("the operator returns a " + value.tagKind() + ", which the bridge cannot pass");
}

inline void print_tensor(std::ostream& out, const at::Tensor& t) {
  if (!t.defined()) {
    out << "none";
    return;
  }
  out << c10::toString(t.scalar_type()) << t.sizes() << "@" << t.device();
}

inline std::string describe(const Operator& op, const torch::jit::Stack& stack) {
  std::ostringstream out;
  for (size_t i = 0; i < stack.size() && i < op.parameters.size(); i++) {
    if (i > 0) out << ", ";
    out << op.parameters[i].name << "=";
    const auto& v = stack[i];
    if (v.isTensor()) print_tensor(out, v.toTensor());
    else if (v.isTensorList()) {
      out << "[";
      auto list = v.toTensorVector();
      for (size_t j = 0; j < list.size() && j < 4; j++) {
        if (j > 0) out << ", ";
        print_tensor(out, list[j]);
      }
      out << (list.size() > 4 ? ", …" : "") << "]";
    } else if (v.isGenerator()) out << "Generator";
    else out << v;
  }
  return out.str();
}

/// call(operatorId, ...arguments). Missing or undefined arguments take the schema's default.
/// With `discard` the results are dropped without a handle (in-place operators).
template <bool discard>
napi_value call(napi_env env, napi_callback_info info) {
  thread_local torch::jit::Stack stack;
  stack.clear();
  const Operator* op = nullptr;
  std::string message;
  try {
    Arguments args(env, info);
    if (tape_mode != TapeMode::kOff && tape_mode != TapeMode::kRecord) {
      if (tape_mode == TapeMode::kWalk) return tape_walk(env, reinterpret_cast<const void*>(&call<discard>), args);
      throw TapeMismatch("the recorded step and this one differ");
    }
    int64_t id = get_int(env, args[0], "operator");
    op = &operators().at(static_cast<size_t>(id));
    if (!op->handle) throw BridgeError("this torch has no operator " + op->name);
    size_t given = args.count - 1;
    if (given > op->parameters.size()) throw BridgeError("too many arguments");
    for (size_t i = 0; i < op->parameters.size(); i++) {
      const Parameter& p = op->parameters[i];
      napi_value v = i < given ? args[i + 1] : nullptr;
      if (v != nullptr && p.kind == Kind::kTensor) {
        double d;
        if (napi_get_value_double(env, v, &d) == napi_ok) {
          stack.emplace_back(handles().get(d));
          continue;
        }
      }
      if (v == nullptr || is_absent(env, v)) {
        if (p.fallback && (v == nullptr || type_of(env, v) == napi_undefined || !p.optional)) stack.push_back(*p.fallback);
        else if (p.optional) stack.emplace_back();
        else throw BridgeError("argument '" + p.name + "' is missing");
      } else {
        stack.push_back(to_ivalue(env, v, p));
      }
    }
    if (program_recorder) program_recorder->begin_call(*op->handle, stack);
    op->handle->callBoxed(&stack);
    if (program_recorder) program_recorder->end_call(stack);
    napi_value result;
    if constexpr (discard) {
      result = undefined(env);
    } else if (stack.size() == 1) {
      result = from_ivalue(env, std::move(stack[0]));
    } else {
      napi_create_array_with_length(env, stack.size(), &result);
      for (size_t i = 0; i < stack.size(); i++) {
        napi_set_element(env, result, static_cast<uint32_t>(i), from_ivalue(env, std::move(stack[i])));
      }
    }
    stack.clear();
    if (tape_mode == TapeMode::kRecord) tape_record(env, reinterpret_cast<const void*>(&call<discard>), args, result);
    return result;
  } catch (const c10::Error& e) {
    message = e.what_without_backtrace();
  } catch (const std::bad_alloc&) {
    message = "out of host memory";
  } catch (const std::exception& e) {
    message = e.what();
  }
  ErrorContext context;
  if (op != nullptr) context = {op->name, op->schema, op->handle ? describe(*op, stack) : ""};
  stack.clear();
  throw_js(env, message, context);
  return nullptr;
}

/// resolve("aten::add.Tensor") -> operator id; an unknown operator gets an id too and fails when called.
inline napi_value resolve(napi_env env, const Arguments& args) {
  operators().push_back(resolve_operator(get_string(env, args[0], "name")));
  return make_number(env, static_cast<double>(operators().size() - 1));
}

/// schema(operatorId) -> text, "" when this torch has no such operator.
inline napi_value schema(napi_env env, const Arguments& args) {
  return make_string(env, operators().at(static_cast<size_t>(get_int(env, args[0], "operator"))).schema);
}

}  // namespace latentwire
