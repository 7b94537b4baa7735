// Progress of long work: a bar when standard error is a terminal, otherwise a
// plain line now and then.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "core/log_redirection.h"

namespace fathom {

// Amounts for people: "1.50 GB", "12 s", "3 min 20 s".
std::string human_bytes(double bytes);
std::string human_seconds(double seconds);
std::string human_count(double count);  // "12.3M"

// advance() may be called from any thread; it draws at most ten times a second
// (on a terminal) or every ten seconds (in a log). Where the thread that makes it has its lines
// redirected, these go there, too, from whatever thread advances it.
class Progress {
 public:
  enum class Unit { count, bytes };

  // `total` 0: unknown.
  Progress(std::string label, std::uint64_t total, Unit unit = Unit::count);
  ~Progress();  // removes the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::uint64_t amount);
  // Ends the bar and writes one line: label, total, time, rate.
  void finish();
  // What it shows when so much is done after so many seconds.
  std::string line(std::uint64_t done, double seconds) const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string figure(double amount) const;
  void tell(const std::string& line) const;

  // Of the thread that made it: a worker that advances it may have another.
  const log::Redirection::Sink sink_ = log::Redirection::sink();
  std::string label_;
  std::uint64_t total_;
  Unit unit_;
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::int64_t> next_draw_ms_{0};
  Clock::time_point start_ = Clock::now();
  bool finished_ = false;
};

}  // namespace fathom
