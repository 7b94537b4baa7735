// The system calls by which files reach the disk and get their names, noted in their
// order, so that a test can tell a file that was flushed before its rename from one that
// was not. A call can be made to fail.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fathom::test {

// While it lives, calls of this process are noted: "fsync NAME", "begin NAME OFFSET" and "await
// NAME OFFSET" of sync_file_range(), "rename FROM TO", "exchange A B"; and advice for reading:
// "will need NAME OFFSET BYTES", "sequential BYTES", "random BYTES". Names are relative to
// `directory`, with numbers of temporaries left out: "a.tmp".
class RecordedCalls {
 public:
  explicit RecordedCalls(std::string directory);
  ~RecordedCalls();
  RecordedCalls(const RecordedCalls&) = delete;
  RecordedCalls& operator=(const RecordedCalls&) = delete;

  // Called with each call as it is noted, before it is made; returns an errno with which
  // it fails instead, or 0.
  std::function<int(const std::string& call)> on_call;

  const std::vector<std::string>& calls() const { return calls_; }
  int note(const std::string& call);  // what on_call says
  std::string name_of(const std::string& path) const;

 private:
  std::string directory_;
  std::vector<std::string> calls_;
};

}  // namespace fathom::test
