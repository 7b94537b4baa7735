#include "checkpoint/ranks.h"

#include <numeric>

#include "checkpoint/manifest.h"
#include "core/log.h"
#include "core/progress.h"

namespace fathom {
namespace {

// The texts of the first rank, on every rank.
std::vector<std::string> first_ones(Communicator& ranks, std::vector<std::string> texts) {
  std::string joined;  // each ends in a zero, which no path holds
  for (const std::string& text : texts) joined += text + '\0';
  const PatientWaits patient(ranks);
  joined = gather_texts(ranks, joined).front();
  texts.clear();
  for (std::size_t begin = 0; begin < joined.size(); begin += texts.back().size() + 1) {
    texts.emplace_back(joined.c_str() + begin);
  }
  return texts;
}

SavedState state_at(const std::string& directory) {
  return {directory, Checkpoint(directory, Checkpoint::Verify::as_read).state()};
}

// What the first rank finds, on every rank.
std::optional<SavedState> share_state(Communicator& ranks,
                                      const std::function<std::optional<SavedState>()>& find) {
  std::vector<std::string> texts;
  if (ranks.rank() == 0) {
    if (const auto found = find()) texts = {found->directory, state_text(found->state)};
  }
  texts = first_ones(ranks, texts);
  if (texts.empty()) return std::nullopt;
  return SavedState{texts[0], parse_state(texts[1], texts[0])};
}

// Throws a DamagedCheckpoint on all ranks alike.
Checkpoint open_together(const std::string& directory, Communicator& ranks) {
  const TransferRate rate;
  std::optional<Checkpoint> checkpoint;
  bool verified = false;
  read_together(ranks, [&] {
    checkpoint.emplace(directory, Checkpoint::Verify::as_read);
    verified =
        checkpoint->verify_share(ranks.rank(), ranks.size(), [&] { ranks.throw_if_failed(); });
  });
  if (verified) {
    const std::string text = rate.text("checkpoint", ranks, checkpoint->bytes_read());
    if (ranks.rank() == 0) log::info("verified {}", text);
  }
  return std::move(*checkpoint);
}

}  // namespace

std::vector<std::string> all_or_none(Communicator& ranks,
                                     const std::function<std::string()>& work) {
  if (ranks.size() == 1) return {work()};
  std::string text, error;
  try {
    text = work();
  } catch (const std::exception& e) {
    error = fmt::format("{}: {}", ranks.name_of(ranks.rank()), e.what());
  }
  const PatientWaits patient(ranks);
  for (const std::string& other : gather_texts(ranks, error)) {
    if (!other.empty()) fail_runtime("{}", other);
  }
  return gather_texts(ranks, text);
}

void read_together(Communicator& ranks, const std::function<void()>& work) {
  std::string damage;
  try {
    work();
  } catch (const DamagedCheckpoint& error) {
    damage = error.what();
  }
  const PatientWaits patient(ranks);
  for (const std::string& other : gather_texts(ranks, damage)) {
    if (!other.empty()) fail_damaged("{}", other);
  }
}

bool use_newest_checkpoint(const std::string& path, Communicator& ranks,
                           const std::function<void(const Checkpoint&)>& use) {
  const bool first = ranks.rank() == 0;
  const std::vector<std::string> found =
      first_ones(ranks, first ? checkpoints_at(path) : std::vector<std::string>());
  std::string damage;
  for (const std::string& directory : found) {
    if (first && !damage.empty()) log::warning("going back to the checkpoint {}", directory);
    try {
      use(open_together(directory, ranks));
      return true;
    } catch (const DamagedCheckpoint& error) {
      if (directory == path) throw;  // no other one will do
      damage = error.what();
      if (first) log::warning("the checkpoint {} is left out: {}", directory, damage);
    }
  }
  if (damage.empty()) return false;
  fail_input(
      "{}: none of its {} checkpoints is undamaged ({}); move them away to start again from "
      "nothing",
      path, found.size(), damage);
}

std::optional<SavedState> newest_state(const std::string& path, Communicator& ranks) {
  return share_state(ranks, [&path]() -> std::optional<SavedState> {
    for (const std::string& directory : checkpoints_at(path)) {
      try {
        return state_at(directory);
      } catch (const DamagedCheckpoint&) {  // whoever loads it says so
      }
    }
    return std::nullopt;
  });
}

SavedState named_state(const std::string& name, Communicator& ranks) {
  return share_state(ranks, [&name] { return state_at(named_checkpoint(name)); }).value();
}

std::string TransferRate::text(const char* what, Communicator& ranks, std::uint64_t bytes) const {
  const PatientWaits patient(ranks);
  const std::vector<std::uint64_t> all = gather_values(ranks, bytes);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto total = static_cast<double>(std::accumulate(all.begin(), all.end(), std::uint64_t{0}));
  return fmt::format("{} of {} in {:.1f} s ({}/s)", human_bytes(total), what, seconds,
                     human_bytes(seconds > 0 ? total / seconds : 0));
}

}  // namespace fathom
