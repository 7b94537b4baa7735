// The files of a directory of outputs, each with a stamp of what it was made from, so that a later
// call knows which of them still hold.
#pragma once

#include <string>
#include <vector>

namespace fathom::dedup {

// OUTPUT/<directory>/<name>.jsonl.zst, with stamps in OUTPUT/.<directory>-stamps/<name>. The caller
// holds the output's lock.
class StampedFiles {
 public:
  StampedFiles(const std::string& output, const std::string& directory);  // makes both directories

  std::string path(const std::string& name) const;
  bool exists(const std::string& name) const;
  bool is_current(const std::string& name, const std::string& stamp) const;

  // Calls write(path), which has to replace the file by one rename. Stopped at any moment it leaves
  // the old file or the new one, and no stamp of another.
  template <class Write>
  void replace(const std::string& name, const std::string& stamp, Write&& write) {
    remove_stamp(name);
    write(path(name));
    save_stamp(name, stamp);
  }
  void remove(const std::string& name);
  std::vector<std::string> names() const;  // of the files, sorted

 private:
  void remove_stamp(const std::string& name);
  void save_stamp(const std::string& name, const std::string& stamp);

  std::string files_, stamps_;
};

}  // namespace fathom::dedup
