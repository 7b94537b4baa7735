// A file of JSON lines, each of a step of a run: appended while the run trains, cut back when it
// resumes. metrics.jsonl and samples.jsonl are such files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

class StepLog {
 public:
  // Opens `path` for appending. `resumed_step`: the last step to keep; later records, and
  // a line that a killed process left half-written, are cut off (0: a fresh run, which keeps
  // none). Throws a runtime Error that names the file.
  explicit StepLog(std::string path, std::int64_t resumed_step = 0);
  ~StepLog();
  StepLog(const StepLog&) = delete;
  StepLog& operator=(const StepLog&) = delete;

  // Appends `object`, a JSON object with a "step", as one line, and hands it to the operating
  // system at once: it survives the process's death. A failure (a full disk) is a warning,
  // once: training continues.
  void write(std::int64_t step, std::string_view object);
  // Flushes to the disk: survives the machine's. Call it when a checkpoint starts.
  void sync();

 private:
  std::string path_;
  int file_ = -1;
  bool failed_ = false;
};

// Calls f(line, offset of its end) for each line of `text` that ends in a newline.
template <class F>
void for_each_whole_line(std::string_view text, F&& f) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return;
    f(text.substr(begin, end - begin), end + 1);
    begin = end + 1;
  }
}

}  // namespace fathom
