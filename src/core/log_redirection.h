// Lines of one thread that go elsewhere than to standard error.
#pragma once

#include <functional>
#include <string>

#include "core/log.h"

namespace fathom::log {

// While one lives, the lines of the thread that made it go to `sink`, and its status is not shown:
// for work of which several go on side by side. One a thread. A thread that works for this one may
// have the same: Redirection(Redirection::sink()); the sink is then called from both.
class Redirection {
 public:
  using Sink = std::function<void(Level level, const std::string& line)>;
  explicit Redirection(Sink sink);  // an empty one: to standard error, as without it
  ~Redirection();
  Redirection(const Redirection&) = delete;
  Redirection& operator=(const Redirection&) = delete;

  static const Sink& sink();  // the calling thread's; empty when it has none
};

// "warning: " and the like before a line of this level; empty for info.
const char* mark_of(Level level);

}  // namespace fathom::log
