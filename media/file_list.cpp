#include "media/file_list.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <glob.h>

namespace penstock::media {

namespace fs = std::filesystem;

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

std::vector<std::string> match(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), GLOB_NOSORT | GLOB_BRACE | GLOB_TILDE, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  std::erase_if(paths, [](const std::string& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
  });
  return paths;
}

} // namespace

bool natural_less(std::string_view a, std::string_view b) noexcept {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const auto number = [](std::string_view text, std::size_t& at) {
        while (at + 1 < text.size() && text[at] == '0' && digit(text[at + 1])) ++at;
        const auto begin = at;
        while (at < text.size() && digit(text[at])) ++at;
        return text.substr(begin, at - begin);
      };
      const auto x = number(a, i);
      const auto y = number(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
      ++i, ++j;
    }
  }
  if ((i < a.size()) != (j < b.size())) return j < b.size();
  return a < b; // equal but for leading zeros
}

std::string_view codec_of_name(std::string_view path) noexcept {
  const auto dot = path.rfind('.');
  if (dot == path.npos) return {};
  std::string ending{path.substr(dot + 1)};
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  if (ending == "jpg" || ending == "jpeg") return "mjpeg";
  if (ending == "png") return "png";
  if (ending == "webp") return "webp";
  if (ending == "bmp") return "bmp";
  return {};
}

bool is_pattern(const std::string& path) {
  std::error_code ignored;
  return path.find_first_of("*?[") != path.npos && !fs::exists(path, ignored);
}

core::expected<std::vector<std::string>> list_files(const std::string& path) {
  std::vector<std::string> paths;
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  if (folder) {
    fs::directory_iterator entry{path, error};
    for (; !error && entry != fs::directory_iterator{}; entry.increment(error))
      if (!codec_of_name(entry->path().native()).empty() && !entry->is_directory()) paths.push_back(entry->path());
    if (error) return core::fail(core::errc::io, path + ": " + error.message());
  } else {
    paths = match(path);
  }
  if (paths.empty())
    return core::fail(core::errc::not_found,
                      path + (folder ? ": no JPEG, PNG, WebP or BMP in this folder" : ": no file matches"));
  std::sort(paths.begin(), paths.end(), natural_less);
  return paths;
}

} // namespace penstock::media
