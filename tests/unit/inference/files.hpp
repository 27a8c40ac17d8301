#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace penstock::tests {

/// A folder of its own for a test, gone afterwards.
class scratch_folder {
 public:
  scratch_folder() {
    auto name = (std::filesystem::temp_directory_path() / "penstock-inference-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::filesystem::filesystem_error{"mkdtemp", {}};
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] std::filesystem::path write(std::string_view name, std::string_view content) const {
    auto file = path_ / name;
    std::ofstream{file, std::ios::binary} << content;
    return file;
  }

 private:
  std::filesystem::path path_;
};

/// A file of the shared test data; the test skips, with a warning, where it does not exist.
inline std::filesystem::path shared_file(std::string_view name) {
  const auto* folder = std::getenv("PENSTOCK_SHARED");
  return std::filesystem::path{folder != nullptr ? folder : "../shared"} / name;
}

} // namespace penstock::tests

/// Leaves the test case, with a warning, where a file of the shared test data is absent.
#define PENSTOCK_NEEDS(file)                                                                                           \
  if (!std::filesystem::exists(file)) {                                                                                \
    WARN("skipped: " << (file).string() << " does not exist; set PENSTOCK_SHARED");                                    \
    return;                                                                                                            \
  }
