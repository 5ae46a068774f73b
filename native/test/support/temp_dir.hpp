// TempDir: a directory of its own for a test, removed with what is in it. openFdCount: descriptors this
// process holds, to find leaks.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>

namespace pollwire::test {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pollwire-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::size_t openFdCount() {
  const std::filesystem::directory_iterator first("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(first, std::filesystem::directory_iterator()));
}

}  // namespace pollwire::test
