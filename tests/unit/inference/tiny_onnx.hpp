#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

/// Enough of ONNX to write small models: onnx.proto's messages, in protobuf's wire format, by hand.
namespace penstock::tests::onnx {

/// TensorProto.DataType.
enum class type : std::uint8_t { f32 = 1, u8 = 2, i8 = 3, i32 = 6, i64 = 7, f16 = 10, f64 = 11 };

class message {
 public:
  message& number(std::uint32_t field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }

  message& bytes(std::uint32_t field, std::string_view value) {
    varint((field << 3) | 2);
    varint(value.size());
    out_ += value;
    return *this;
  }

  message& message_in(std::uint32_t field, const message& value) { return bytes(field, value.out_); }

  [[nodiscard]] const std::string& str() const { return out_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }

  std::string out_;
};

inline message attribute(std::string_view name, std::int64_t value) {
  return message{}.bytes(1, name).number(3, static_cast<std::uint64_t>(value)).number(20, 2);
}

inline message attribute(std::string_view name, const std::vector<std::int64_t>& values) {
  message m;
  m.bytes(1, name);
  for (auto v : values) m.number(8, static_cast<std::uint64_t>(v));
  return m.number(20, 7);
}

/// A graph in the making. Extents of -1 become symbolic.
class graph {
 public:
  graph& input(std::string_view name, type t, const std::vector<std::int64_t>& shape) {
    graph_.message_in(11, value_info(name, t, shape));
    return *this;
  }

  graph& output(std::string_view name, type t, const std::vector<std::int64_t>& shape) {
    graph_.message_in(12, value_info(name, t, shape));
    return *this;
  }

  graph& node(std::string_view op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
              const std::vector<message>& attributes = {}) {
    message n;
    for (const auto& i : inputs) n.bytes(1, i);
    for (const auto& o : outputs) n.bytes(2, o);
    n.bytes(3, std::string{op} + "_" + outputs.front()).bytes(4, op);
    for (const auto& a : attributes) n.message_in(5, a);
    graph_.message_in(1, n);
    return *this;
  }

  graph& constant(std::string_view name, const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
    return initializer(name, type::f32, shape, values.data(), values.size() * sizeof(float));
  }

  graph& constant(std::string_view name, const std::vector<std::int64_t>& values) {
    return initializer(name, type::i64, {static_cast<std::int64_t>(values.size())}, values.data(),
                       values.size() * sizeof(std::int64_t));
  }

  /// The serialised ModelProto.
  [[nodiscard]] std::string model() const {
    auto named = graph_;
    named.bytes(2, "tiny");
    return message{}
        .number(1, 7)
        .bytes(2, "penstock")
        .message_in(7, named)
        .message_in(8, message{}.number(2, 13))
        .str();
  }

 private:
  static message value_info(std::string_view name, type t, const std::vector<std::int64_t>& shape) {
    message dims;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      message dim;
      if (shape[i] < 0) {
        dim.bytes(2, std::string{"d"}.append(std::to_string(i)));
      } else {
        dim.number(1, static_cast<std::uint64_t>(shape[i]));
      }
      dims.message_in(1, dim);
    }
    const auto tensor = message{}.number(1, static_cast<std::uint64_t>(t)).message_in(2, dims);
    return message{}.bytes(1, name).message_in(2, message{}.message_in(1, tensor));
  }

  graph& initializer(std::string_view name, type t, const std::vector<std::int64_t>& shape, const void* data,
                     std::size_t size) {
    message tensor;
    for (auto extent : shape) tensor.number(1, static_cast<std::uint64_t>(extent));
    tensor.number(2, static_cast<std::uint64_t>(t)).bytes(8, name);
    tensor.bytes(9, std::string_view{static_cast<const char*>(data), size});
    graph_.message_in(5, tensor);
    return *this;
  }

  message graph_;
};

} // namespace penstock::tests::onnx
