#include "infer/scheduler.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace fathom::infer {

Scheduler::Scheduler(std::int64_t pages, std::int64_t page_size, SchedulerLimits limits)
    : blocks_(pages, page_size), limits_(limits) {
  require(limits.max_sequences > 0 && limits.max_tokens_per_step >= limits.max_sequences,
          "scheduler: {} tokens a step for {} sequences: each needs one",
          limits.max_tokens_per_step, limits.max_sequences);
}

void Scheduler::add(Sequence sequence) {
  require(!sequence.tokens.empty(), "sequence {} has no tokens", sequence.id);
  // The last token is never read, so it needs no place in the cache.
  require(blocks_.pages_for(sequence.max_length - 1) <= blocks_.total_pages(),
          "sequence {} of up to {} tokens does not fit a KV cache of {} pages of {}", sequence.id,
          sequence.max_length, blocks_.total_pages(), blocks_.page_size());
  waiting_.push_back(std::make_unique<Sequence>(std::move(sequence)));
}

void Scheduler::send_back_youngest() {
  std::unique_ptr<Sequence> sequence = std::move(running_.back());
  running_.pop_back();
  blocks_.release(sequence->pages);
  sequence->cached = 0;
  waiting_.push_front(std::move(sequence));
}

void Scheduler::preempt_youngest() {
  send_back_youngest();
  ++preemptions_;
}

bool Scheduler::make_room(std::size_t index, std::int64_t tokens) {
  while (!blocks_.grow(running_[index]->pages, tokens)) {
    const bool itself = index + 1 == running_.size();
    preempt_youngest();
    if (itself) return false;
  }
  return true;
}

std::int64_t Scheduler::num_growing() const {
  return std::ranges::count_if(running_, [&](const std::unique_ptr<Sequence>& sequence) {
    return std::ssize(sequence->pages) < blocks_.pages_for(sequence->max_length - 1);
  });
}

bool Scheduler::is_being_read(const Sequence& next) const {
  const std::int64_t end = next.cached + blocks_.page_size();
  if (end >= next.shareable()) return false;
  return std::ranges::any_of(running_, [&](const std::unique_ptr<Sequence>& other) {
    return other->cached <= next.cached && other->length() >= end &&
           std::equal(next.tokens.begin(), next.tokens.begin() + end, other->tokens.begin());
  });
}

Scheduler::Admission Scheduler::admit_waiting(std::size_t index, std::int64_t& budget,
                                               std::vector<Chunk>& chunks) {
  Sequence& next = *waiting_[index];
  const bool shares = limits_.share_prefixes;
  if (shares) {
    next.cached = blocks_.take_known(
        next.pages, std::span(next.tokens).first(static_cast<std::size_t>(next.shareable())));
  }
  const std::int64_t tokens = next.cached + next.pending();
  const std::int64_t pages = blocks_.pages_for(tokens) - std::ssize(next.pages);
  const bool being_read = shares && is_being_read(next);
  if (being_read || pages + num_growing() > blocks_.free_pages()) {
    blocks_.release(next.pages);
    next.cached = 0;
    return being_read ? Admission::same_is_being_read : Admission::no_room;
  }
  blocks_.grow(next.pages, tokens);
  admitted_tokens_ += tokens;
  shared_tokens_ += next.cached;
  if (!std::exchange(next.was_admitted, true)) {
    first_admitted_.push_back(next.id);
    // A prompt that is scored from its beginning is read in any case.
    if (shares && !next.scores_prompt()) {
      prefix_queries_ += next.length();
      prefix_hits_ += next.cached;
    }
  }
  const std::int64_t count = std::min(next.pending(), budget);
  chunks.push_back({&next, next.cached, count});
  budget -= count;
  running_.push_back(std::move(waiting_[index]));
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  return Admission::done;
}

void Scheduler::forget_prefixes() {
  require(empty(), "the weights may not change while sequences are in the cache");
  blocks_.forget_contents();
}

void Scheduler::restart_sequences() {
  while (!running_.empty()) send_back_youngest();
  blocks_.forget_contents();
}

void Scheduler::admit(std::int64_t budget, std::vector<Chunk>& chunks) {
  // Only so many are passed by: looking at each of them takes time.
  const auto passed = static_cast<std::size_t>(limits_.max_sequences);
  for (std::size_t i = 0; i < std::min(waiting_.size(), passed + 1);) {
    if (budget <= 0 || num_running() >= limits_.max_sequences) return;
    switch (admit_waiting(i, budget, chunks)) {
      case Admission::done:
        break;
      case Admission::no_room:
        return;
      case Admission::same_is_being_read:
        ++i;
        break;
    }
  }
}

std::vector<Chunk> Scheduler::schedule() {
  first_admitted_.clear();
  std::vector<Chunk> chunks;
  std::int64_t budget = limits_.max_tokens_per_step;
  const std::int64_t preemptions = preemptions_;
  for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
    const std::int64_t count = std::min(running_[i]->pending(), budget);
    if (!make_room(i, running_[i]->cached + count)) break;
    chunks.push_back({running_[i].get(), running_[i]->cached, count});
    budget -= count;
  }
  if (preemptions_ == preemptions && !held_) admit(budget, chunks);
  return chunks;
}

void Scheduler::commit(const std::vector<Chunk>& chunks) {
  for (const Chunk& chunk : chunks) {
    Sequence& sequence = *chunk.sequence;
    sequence.cached += chunk.count;
    if (limits_.share_prefixes) {
      blocks_.make_known(sequence.pages, sequence.tokens, sequence.cached);
    }
  }
}

void Scheduler::remove_finished() {
  std::erase_if(running_, [this](std::unique_ptr<Sequence>& sequence) {
    if (sequence->finish == FinishReason::none) return false;
    blocks_.release(sequence->pages);
    return true;
  });
}

bool Scheduler::cancel(SequenceId id) {
  const auto has_id = [id](const auto& sequence) { return sequence->id == id; };
  if (const auto it = std::ranges::find_if(running_, has_id); it != running_.end()) {
    blocks_.release((*it)->pages);
    running_.erase(it);
    return true;
  }
  return std::erase_if(waiting_, has_id) > 0;
}

}  // namespace fathom::infer
