// Chooses the sequences that the model reads next: continuous batching with chunked
// prompts, and preemption when pages run out.
//
// Policy (a sequence is older than those admitted after it):
// - Every running sequence gets its pending tokens, until the step's token
//   budget is used up, oldest first. As only the youngest can be in the middle of its
//   prompt, long prompts never delay sequences that generate.
// - A sequence that needs a page when none is free takes it from the youngest,
//   which loses its pages, waits at the front of the queue, and reads its tokens again later.
//   The oldest is never preempted while another runs, and every sequence fits
//   the cache alone, so all finish.
// - A waiting sequence is admitted when the pages for all its tokens are free, and one more for each
//   running sequence that may still need one, so that it is not preempted at once.
// - It does not read the tokens that it begins with where their pages are known. While another
//   sequence reads the same ones it waits; those behind it may pass meanwhile, for it is admitted
//   first as soon as the pages are known.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "infer/block_manager.h"
#include "infer/sequence.h"

namespace fathom::infer {

struct SchedulerLimits {
  std::int64_t max_sequences = 16;         // running at once
  std::int64_t max_tokens_per_step = 0;    // at least max_sequences; an Engine chooses for 0
  bool share_prefixes = true;              // whether sequences that begin alike share pages
};

// Tokens [first, first + count) of a sequence, read in one step. Its pages are
// allocated.
struct Chunk {
  Sequence* sequence;
  std::int64_t first, count;
  // Whether they are the last tokens of the sequence, so that the next one can be drawn.
  bool samples() const { return first + count == sequence->length(); }
};

class Scheduler {
 public:
  Scheduler(std::int64_t pages, std::int64_t page_size, SchedulerLimits limits);

  // Throws a run-time Error when the sequence is empty or could never fit.
  void add(Sequence sequence);

  // The chunks to run now, oldest first; empty only when there is no sequence at all, or none
  // that runs while admission is held.
  // The pointers are valid until remove_finished() or cancel().
  std::vector<Chunk> schedule();
  // Records that the chunks have been read.
  void commit(const std::vector<Chunk>& chunks);
  // Removes sequences with a finish reason, and frees their pages.
  void remove_finished();
  // Removes a sequence; false when there is none with this id.
  bool cancel(SequenceId id);

  bool empty() const { return waiting_.empty() && running_.empty(); }
  std::int64_t num_running() const { return static_cast<std::int64_t>(running_.size()); }
  std::int64_t num_waiting() const { return static_cast<std::int64_t>(waiting_.size()); }
  std::int64_t preemptions() const { return preemptions_; }
  // Tokens of all sequences when they were admitted, and those of them that were not read again.
  std::int64_t admitted_tokens() const { return admitted_tokens_; }
  std::int64_t shared_tokens() const { return shared_tokens_; }
  // Of them, tokens of sequences that were admitted for the first time and may share pages; and
  // those that were found.
  std::int64_t prefix_queries() const { return prefix_queries_; }
  std::int64_t prefix_hits() const { return prefix_hits_; }
  // Sequences that the last schedule() admitted for the first time.
  const std::vector<SequenceId>& first_admitted() const { return first_admitted_; }
  // To be called when the weights have changed, while there is no sequence.
  void forget_prefixes();
  // The same beside sequences: those that run go back to the front of the queue, and read all their
  // tokens again.
  void restart_sequences();
  // While held, no sequence is admitted.
  void hold_admission(bool held) { held_ = held; }
  const BlockManager& blocks() const { return blocks_; }

 private:
  // Puts the youngest back to the front of the queue, without its pages.
  void send_back_youngest();
  // Takes pages for `tokens` tokens of running_[index], if necessary from younger
  // sequences; false when it had to give up its own.
  bool make_room(std::size_t index, std::int64_t tokens);
  void preempt_youngest();
  void admit(std::int64_t budget, std::vector<Chunk>& chunks);
  enum class Admission { done, no_room, same_is_being_read };
  Admission admit_waiting(std::size_t index, std::int64_t& budget, std::vector<Chunk>& chunks);
  // How many running sequences may still need a page.
  std::int64_t num_growing() const;
  // Whether a running sequence is about to read the page that comes after the known ones of `next`.
  bool is_being_read(const Sequence& next) const;

  BlockManager blocks_;
  SchedulerLimits limits_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // oldest first
  bool held_ = false;
  std::int64_t preemptions_ = 0, admitted_tokens_ = 0, shared_tokens_ = 0;
  std::int64_t prefix_queries_ = 0, prefix_hits_ = 0;
  std::vector<SequenceId> first_admitted_;
};

}  // namespace fathom::infer
