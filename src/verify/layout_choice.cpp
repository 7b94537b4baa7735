#include "verify/layout_choice.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/error.h"

namespace fathom {
namespace {

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// The number of "tp2" after "tp"; none when the text is something else.
std::optional<std::int64_t> number_after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data() + prefix.size(), end, number);
  if (problem != std::errc() || stop != end || number < 1 || number > 65536) return std::nullopt;
  return number;
}

// The layout of one rank, with the user's other options.
ParallelConfig one_rank(ParallelConfig parallel) {
  parallel.pp = parallel.dp = parallel.tp = parallel.virtual_stages = 1;
  parallel.sequence_pieces = 1;
  parallel.schedule = PipelineSchedule::one_f_one_b;
  parallel.stage_layers.clear();
  return parallel;
}

void set_axes(const std::string& name, std::string_view axes, ParallelConfig& parallel) {
  if (axes == "1") return;
  const std::vector<std::string> all = split(axes, "x");
  for (const std::string& axis : all) {
    const auto same = [&](const std::string& other) {
      return other.substr(0, 2) == axis.substr(0, 2);
    };
    if (std::ranges::count_if(all, same) > 1) {
      fail_input("layout '{}': names the axis {} twice", name, axis.substr(0, 2));
    }
    if (const auto pp = number_after(axis, "pp")) {
      parallel.pp = *pp;
    } else if (const auto dp = number_after(axis, "dp")) {
      parallel.dp = *dp;
    } else if (const auto tp = number_after(axis, "tp")) {
      parallel.tp = *tp;
    } else {
      fail_input("layout '{}': '{}' is no axis: write for example pp2xdp2xtp2, tp4, 1 or all8",
                 name, axis);
    }
  }
}

void set_option(const std::string& name, const std::string& option, TrainConfig& config) {
  ParallelConfig& parallel = config.parallel;
  const auto set_schedule = [&](PipelineSchedule schedule, std::int64_t parts) {
    parallel.schedule = schedule;
    parallel.virtual_stages = parts;
  };
  if (option == "sp" || option == "nosp") {
    parallel.sequence_parallel = option == "sp";
  } else if (option == "zero" || option == "nozero") {
    parallel.zero = option == "zero";
  } else if (option == "overlap" || option == "nooverlap") {
    parallel.overlap = option == "overlap";
  } else if (option == "peer" || option == "nopeer") {
    parallel.peer_memory = option == "peer";
  } else if (option == "gpipe") {
    set_schedule(PipelineSchedule::gpipe, 1);
  } else if (option == "1f1b") {
    set_schedule(PipelineSchedule::one_f_one_b, 1);
  } else if (const auto parts = number_after(option, "v")) {
    set_schedule(PipelineSchedule::interleaved, *parts);
  } else if (const auto pieces = number_after(option, "pieces")) {
    parallel.sequence_pieces = *pieces;
  } else if (option == "none") {
    config.train.recompute = RecomputeChoice::none;
  } else if (option == "selective") {
    config.train.recompute = RecomputeChoice::selective;
  } else if (option == "full") {
    config.train.recompute = RecomputeChoice::full;
  } else {
    fail_input(
        "layout '{}': '{}' is not known: use sp, nosp, zero, nozero, overlap, nooverlap, peer, "
        "nopeer, gpipe, 1f1b, v2 (or more), pieces2 (or more), none, selective or full",
        name, option);
  }
}

LayoutChoice parse_layout(const std::string& name, const TrainConfig& base) {
  const std::vector<std::string> parts = split(name, "+");
  if (parts.empty()) fail_input("layout '{}' is empty", name);
  LayoutChoice choice{name, base};
  choice.config.parallel = one_rank(base.parallel);
  set_axes(name, parts.front(), choice.config.parallel);
  for (std::size_t i = 1; i < parts.size(); ++i) set_option(name, parts[i], choice.config);
  return choice;
}

// "+a" and "+b" where the layout can tell them apart, else nothing to say.
std::vector<std::string> options(bool apply, const char* a, const char* b) {
  return apply ? std::vector<std::string>{a, b} : std::vector<std::string>{""};
}

std::vector<std::string> every_layout(int ranks) {
  std::vector<std::string> names;
  for (int pp = 1; pp <= ranks; ++pp) {
    for (int tp = 1; pp * tp <= ranks; ++tp) {
      if (ranks % (pp * tp) != 0) continue;
      const int dp = ranks / pp / tp;
      for (const std::string& sequence : options(tp > 1, "+sp", "+nosp")) {
        for (const std::string& zero : options(dp > 1, "+zero", "+nozero")) {
          for (const std::string& schedule : options(pp > 1, "+1f1b", "+v2")) {
            for (const char* recompute : {"+none", "+full"}) {
              names.push_back(fmt::format("pp{}xdp{}xtp{}{}{}{}{}", pp, dp, tp, sequence, zero,
                                          schedule, recompute));
            }
          }
        }
      }
    }
  }
  return names;
}

}  // namespace

std::vector<LayoutChoice> parse_layouts(std::string_view text, const TrainConfig& base) {
  std::vector<LayoutChoice> choices;
  for (const std::string& name : split(text, " ,\t\n")) {
    if (const auto ranks = number_after(name, "all")) {
      for (const std::string& each : every_layout(static_cast<int>(*ranks))) {
        choices.push_back(parse_layout(each, base));
      }
    } else {
      choices.push_back(parse_layout(name, base));
    }
  }
  // Their checkpoints go into directories of these names.
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (std::ranges::count(choices, choices[i].name, &LayoutChoice::name) > 1) {
      fail_input("layout '{}' is named twice", choices[i].name);
    }
  }
  if (choices.empty()) fail_input("no layout is given: for example --layouts \"tp2 pp2xdp2\"");
  return choices;
}

}  // namespace fathom
