#include "core/progress.h"

#include <algorithm>

#include "core/log.h"

namespace fathom {
namespace {

std::string with_unit(double value, const char* const* units, int count) {
  int i = 0;
  while (value >= 999.5 && i + 1 < count) {
    value /= 1000;
    ++i;
  }
  const int digits = i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", value, digits, units[i]);
}

// "12.3M/s"; slow work has a rate too: "0.25/s".
std::string rate_text(std::uint64_t done, double seconds, Progress::Unit unit) {
  const double rate = static_cast<double>(done) / seconds;
  if (unit == Progress::Unit::bytes) return human_bytes(rate) + "/s";
  return (rate < 9.5 ? fmt::format("{:.2g}", rate) : human_count(rate)) + "/s";
}

}  // namespace

std::string human_bytes(double bytes) {
  static constexpr const char* units[] = {" B", " kB", " MB", " GB", " TB", " PB"};
  return with_unit(bytes, units, 6);
}

std::string human_count(double count) {
  static constexpr const char* units[] = {"", "k", "M", "B", "T"};
  return with_unit(count, units, 5);
}

std::string human_seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

Progress::Progress(std::string label, std::uint64_t total, Unit unit)
    : label_(std::move(label)), total_(total), unit_(unit) {
  if (!log::stderr_is_terminal()) next_draw_ms_ = 10'000;
}

Progress::~Progress() {
  if (!finished_) log::set_status("");
}

std::string Progress::figure(double amount) const {
  return unit_ == Unit::bytes ? human_bytes(amount) : human_count(amount);
}

// The clock may not have moved yet: then nothing is known of the time.
std::string Progress::line(std::uint64_t done, double seconds) const {
  const bool known = done > 0 && seconds > 0;
  if (total_ == 0) {
    return fmt::format("{}: {}{}", label_, figure(static_cast<double>(done)),
                       known ? ", " + rate_text(done, seconds, unit_) : "");
  }
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  constexpr int width = 24;
  const int filled = static_cast<int>(share * width);
  std::string text = fmt::format("{} [{}{}] {:3.0f} %", label_, std::string(filled, '='),
                                 std::string(width - filled, ' '), 100 * share);
  if (!known) return text;
  const double left = seconds * (1 - share) / share;
  return text + fmt::format("  {}  {} left", rate_text(done, seconds, unit_), human_seconds(left));
}

void Progress::advance(std::uint64_t amount) {
  const std::uint64_t done = done_.fetch_add(amount) + amount;
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_).count();
  std::int64_t due = next_draw_ms_.load();
  const bool terminal = log::stderr_is_terminal() && !sink_;
  if (elapsed < due ||
      !next_draw_ms_.compare_exchange_strong(due, elapsed + (terminal ? 100 : 10'000))) {
    return;
  }
  const std::string text = line(done, static_cast<double>(elapsed) / 1e3);
  if (terminal)
    log::set_status(text);
  else
    tell(text);
}

void Progress::tell(const std::string& line) const {
  if (sink_) return sink_(log::Level::info, line);
  log::write(log::Level::info, line);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  log::set_status("");
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const std::uint64_t done = done_.load();
  tell(fmt::format("{}: {} in {}{}", label_, figure(static_cast<double>(done)),
                   human_seconds(seconds),
                   done > 0 && seconds > 0 ? " (" + rate_text(done, seconds, unit_) + ")" : ""));
}

}  // namespace fathom
