#include "inference/engines/onnx_signature.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

namespace penstock::inference {
namespace {

/// One field of a protobuf message: its number and either its varint or its bytes.
struct field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

/// Walks the fields of a protobuf message; stops, with `ok()` false, at the first that does not follow the format.
class message {
 public:
  explicit message(std::string_view bytes) : rest_{bytes} {}

  [[nodiscard]] bool ok() const { return ok_; }

  std::optional<field> next() {
    if (rest_.empty() || !ok_) return std::nullopt;
    field f;
    const auto key = varint();
    f.number = static_cast<std::uint32_t>(key >> 3);
    if (f.number == 0) ok_ = false;
    switch (key & 7) {
    case 0: f.value = varint(); break;
    case 1: f.bytes = take(8); break;
    case 2: f.bytes = take(varint()); break;
    case 5: f.bytes = take(4); break;
    default: ok_ = false;
    }
    if (!ok_) return std::nullopt;
    return f;
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

/// Calls `visit` for each field; false where the message is malformed.
template <class Visit>
bool each(std::string_view bytes, Visit visit) {
  message m{bytes};
  while (auto f = m.next()) visit(*f);
  return m.ok();
}

std::optional<core::element_type> element_of(std::uint64_t data_type) {
  switch (data_type) {
  case 1: return core::element_type::f32;
  case 2: return core::element_type::u8;
  case 3: return core::element_type::i8;
  case 6: return core::element_type::i32;
  case 7: return core::element_type::i64;
  case 10: return core::element_type::f16;
  default: return std::nullopt;
  }
}

struct value_info {
  tensor_info tensor;
  std::uint64_t data_type = 0;
  bool ok = true;
};

/// ValueInfoProto { name = 1, type = 2 }, TypeProto { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 {
/// dim_value = 1, dim_param = 2 } } } }.
value_info read_value_info(std::string_view bytes) {
  value_info v;
  const auto dim = [&](const field& f) {
    auto extent = dynamic_extent;
    v.ok &= each(f.bytes, [&](const field& d) {
      if (d.number == 1 && d.value > 0 && d.value <= INT_MAX) extent = static_cast<std::int64_t>(d.value);
    });
    v.tensor.shape.push_back(extent);
  };
  const auto tensor = [&](const field& f) {
    if (f.number == 1) v.data_type = f.value;
    if (f.number == 2) v.ok &= each(f.bytes, dim);
  };
  v.ok &= each(bytes, [&](const field& f) {
    if (f.number == 1) v.tensor.name = f.bytes;
    if (f.number != 2) return;
    v.ok &= each(f.bytes, [&](const field& t) {
      if (t.number == 1) v.ok &= each(t.bytes, tensor);
    });
  });
  return v;
}

/// TensorProto { name = 8 }.
std::string_view tensor_name(std::string_view bytes) {
  std::string_view name;
  each(bytes, [&](const field& f) {
    if (f.number == 8) name = f.bytes;
  });
  return name;
}

/// NodeProto { input = 1, op_type = 4 }: the input of an Identity node.
std::string_view identity_input(std::string_view bytes) {
  std::string_view input;
  std::string_view op;
  each(bytes, [&](const field& f) {
    if (f.number == 1 && input.empty()) input = f.bytes;
    if (f.number == 4) op = f.bytes;
  });
  return op == "Identity" ? input : std::string_view{};
}

} // namespace

core::expected<onnx_signature> read_onnx_signature(std::span<const std::byte> model) {
  const std::string_view bytes{reinterpret_cast<const char*>(model.data()), model.size()};
  std::string_view graph;
  // ModelProto { graph = 7 }.
  bool ok = each(bytes, [&](const field& f) {
    if (f.number == 7) graph = f.bytes;
  });
  std::vector<value_info> inputs;
  std::vector<value_info> outputs;
  std::set<std::string_view> initializers;
  std::set<std::string_view> identities;
  // GraphProto { node = 1, initializer = 5, input = 11, output = 12 }.
  ok = ok && each(graph, [&](const field& f) {
         if (f.number == 1) identities.insert(identity_input(f.bytes));
         if (f.number == 5) initializers.insert(tensor_name(f.bytes));
         if (f.number == 11) inputs.push_back(read_value_info(f.bytes));
         if (f.number == 12) outputs.push_back(read_value_info(f.bytes));
       });
  if (!ok || graph.empty() || outputs.empty()) return core::fail(core::errc::corrupt, "not an ONNX model, or damaged");
  onnx_signature signature;
  for (const auto& name : identities) signature.shares_initializers |= !name.empty() && initializers.contains(name);
  const auto add = [](value_info& v, std::vector<tensor_info>& to) -> core::expected<void> {
    if (!v.ok) return core::fail(core::errc::corrupt, "not an ONNX model, or damaged");
    const auto type = element_of(v.data_type);
    if (!type) {
      return core::fail(core::errc::unsupported, v.tensor.name + " has elements of ONNX type " +
                                                     std::to_string(v.data_type) +
                                                     "; known are f32, f16, i8, u8, i32 and i64");
    }
    v.tensor.type = *type;
    to.push_back(std::move(v.tensor));
    return {};
  };
  for (auto& v : inputs) {
    if (initializers.contains(v.tensor.name)) continue;
    if (auto added = add(v, signature.inputs); !added) return tl::unexpected{std::move(added).error()};
  }
  for (auto& v : outputs) {
    if (auto added = add(v, signature.outputs); !added) return tl::unexpected{std::move(added).error()};
  }
  return signature;
}

} // namespace penstock::inference
