#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Enough of TorchScript's file format to write small models: an archive of stored files, with the program as its text.
namespace penstock::tests::torch_script {

/// A zip archive without compression.
class archive {
 public:
  archive& add(const std::string& name, std::string_view content) {
    const auto offset = out_.size();
    const auto size = static_cast<std::uint32_t>(content.size());
    const auto crc = crc32(content);
    const auto common = [&](std::string& to) {
      u16(to, 20); // version
      u16(to, 0);
      u16(to, 0); // stored
      u32(to, 0); // time
      u32(to, crc);
      u32(to, size);
      u32(to, size);
      u16(to, static_cast<std::uint16_t>(name.size()));
      u16(to, 0); // extra
    };
    u32(out_, 0x04034b50);
    common(out_);
    out_.append(name).append(content);
    u32(directory_, 0x02014b50);
    u16(directory_, 20);
    common(directory_);
    u16(directory_, 0); // comment
    u16(directory_, 0); // disk
    u16(directory_, 0);
    u32(directory_, 0);
    u32(directory_, static_cast<std::uint32_t>(offset));
    directory_ += name;
    ++files_;
    return *this;
  }

  [[nodiscard]] std::string str() const {
    auto all = out_ + directory_;
    u32(all, 0x06054b50);
    u16(all, 0);
    u16(all, 0);
    u16(all, files_);
    u16(all, files_);
    u32(all, static_cast<std::uint32_t>(directory_.size()));
    u32(all, static_cast<std::uint32_t>(out_.size()));
    u16(all, 0);
    return all;
  }

 private:
  static void u16(std::string& to, std::uint16_t value) {
    to += static_cast<char>(value & 0xff);
    to += static_cast<char>(value >> 8);
  }
  static void u32(std::string& to, std::uint32_t value) {
    u16(to, static_cast<std::uint16_t>(value & 0xffff));
    u16(to, static_cast<std::uint16_t>(value >> 16));
  }
  static std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = ~0U;
    for (const auto c : bytes) {
      crc ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
    }
    return ~crc;
  }

  std::string out_;
  std::string directory_;
  std::uint16_t files_ = 0;
};

/// A model without weights. `forward` is its method, indented as a class's: "  def forward(self, x: Tensor) -> Tensor:
/// …".
inline std::string model(const std::string& forward) {
  using namespace std::string_literals;
  const auto code = "class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n" + forward;
  // pickle: M.__setstate__({"training": False})
  const auto object = "\x80\x02"s + "c__torch__\nM\n" + ")\x81}(" + "X\x08\x00\x00\x00training"s + "\x89" + "ub.";
  return archive{}
      .add("m/data.pkl", object)
      .add("m/code/__torch__.py", code)
      .add("m/constants.pkl", "\x80\x02)."s)
      .add("m/version", "3\n")
      .str();
}

/// What torch.save writes of weights alone.
inline std::string weights() {
  using namespace std::string_literals;
  return archive{}.add("m/data.pkl", "\x80\x02}."s).add("m/version", "3\n").str();
}

} // namespace penstock::tests::torch_script
