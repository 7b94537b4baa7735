#include "comm/thread_ranks.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <latch>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "comm/disk_watch.h"
#include "comm/peer_communicator.h"
#include "core/error.h"
#include "core/log.h"

namespace fathom {
namespace {

// The messages that have arrived for one rank of one group.
struct Mailbox {
  std::mutex mutex;
  std::condition_variable arrived;
  std::map<std::pair<int, int>, std::deque<Transport::Message>> messages;  // (from, tag)
};

// All groups of a job share its fate: the first failure ends every wait.
class Job {
 public:
  void add(std::shared_ptr<Mailbox> mailbox) {
    const std::lock_guard lock(mutex_);
    mailboxes_.push_back(std::move(mailbox));
  }

  // Keeps the first failure only; wakes everyone who waits.
  void fail(const Error& error) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = error;
      for (const auto& mailbox : mailboxes_) {
        const std::lock_guard box(mailbox->mutex);
        mailbox->arrived.notify_all();
      }
    }
    const std::lock_guard lock(acts_mutex_);
    for (const auto& [owner, act] : acts_) act();
  }

  std::optional<Error> failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  // Sets the function that is called for `owner` when a rank fails, or at once when one has.
  // Empty: none any more.
  void on_failure(const void* owner, std::function<void()> act) {
    const std::lock_guard lock(acts_mutex_);
    if (!act) {
      acts_.erase(owner);
      return;
    }
    if (failure()) act();
    acts_[owner] = std::move(act);
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
  std::vector<std::shared_ptr<Mailbox>> mailboxes_;
  std::mutex acts_mutex_;
  std::map<const void*, std::function<void()>> acts_;
};

struct Group {
  std::shared_ptr<Job> job;
  std::vector<std::shared_ptr<Mailbox>> mailboxes;  // one a rank

  // The groups split off this one, by the number of the split and the colour.
  std::mutex mutex;
  std::map<std::pair<int, int>, std::shared_ptr<Group>> children;

  Group(std::shared_ptr<Job> job_, int size) : job(std::move(job_)) {
    for (int i = 0; i < size; ++i) {
      mailboxes.push_back(std::make_shared<Mailbox>());
      job->add(mailboxes.back());
    }
  }
};

class ThreadTransport final : public Transport {
 public:
  ThreadTransport(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(group_->mailboxes.size()); }

  bool one_process() const override { return true; }

  void post(int to, int tag, std::span<const std::byte> bytes) override {
    Mailbox& box = mailbox(to);
    Message message(bytes.begin(), bytes.end());
    const std::lock_guard lock(box.mutex);
    box.messages[{rank_, tag}].push_back(std::move(message));
    box.arrived.notify_all();
  }

  std::optional<Message> take(int from, int tag, std::chrono::duration<double> timeout) override {
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::duration_cast<std::chrono::steady_clock::duration>(timeout);
    Mailbox& box = mailbox(rank_);
    std::unique_lock lock(box.mutex);
    std::deque<Message>& queue = box.messages[{from, tag}];
    while (queue.empty()) {
      // The job's lock is taken before a mailbox's, never after it.
      lock.unlock();
      throw_if_failed();
      lock.lock();
      // Woken by a failure between the two: looked at again within a moment.
      const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
      if (queue.empty()) box.arrived.wait_until(lock, std::min(soon, end));
      if (queue.empty() && std::chrono::steady_clock::now() >= end) return std::nullopt;
    }
    Message message = std::move(queue.front());
    queue.pop_front();
    return message;
  }

  // Messages lie in the mailbox as soon as they are sent.
  void expect(int, int, std::size_t) override {}
  void on_failure(std::function<void()> act) override {
    group_->job->on_failure(this, std::move(act));
  }
  void fail_job(const std::string& message) override {
    group_->job->fail(Error(ErrorKind::runtime, message));
  }
  void throw_if_failed() override {
    if (const auto failure = group_->job->failure()) fail_runtime("{}", failure->what());
    if (cancelled_) fail_runtime("this rank has failed");
  }
  void cancel() override { cancelled_ = true; }

  std::unique_ptr<Transport> split(int color) override {
    const int number = splits_++;
    // Who has which colour goes by messages, so that nobody can be early.
    for (int r = 0; r < size(); ++r) {
      post(r, split_tag, std::as_bytes(std::span<const int, 1>(&color, 1)));
    }
    int members = 0, place = 0;
    for (int r = 0; r < size(); ++r) {
      const std::optional<Message> message = take(r, split_tag, std::chrono::hours(1));
      if (!message) fail_runtime("splitting the ranks waited an hour for rank {} of a group", r);
      int other = 0;
      std::copy(message->begin(), message->end(),
                std::as_writable_bytes(std::span<int, 1>(&other, 1)).begin());
      if (other != color) continue;
      if (r == rank_) place = members;
      ++members;
    }
    const std::lock_guard lock(group_->mutex);
    std::shared_ptr<Group>& child = group_->children[{number, color}];
    if (!child) child = std::make_shared<Group>(group_->job, members);
    return std::make_unique<ThreadTransport>(child, place);
  }

 private:
  static constexpr int split_tag = -1;

  Mailbox& mailbox(int rank) { return *group_->mailboxes.at(static_cast<std::size_t>(rank)); }

  std::shared_ptr<Group> group_;
  int rank_;
  int splits_ = 0;
  std::atomic<bool> cancelled_ = false;
};

// When a disk hangs, so may a thread, for as long as the process lives: where the ranks have not
// ended after a while the process does, as MPI's would.
void end_process_unless(const std::latch& ended, const std::string& message) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!ended.try_wait()) {
    if (std::chrono::steady_clock::now() >= end) {
      log::write(log::Level::error, message);
      std::_Exit(1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

std::vector<std::string> plain_rank_names(int ranks) {
  std::vector<std::string> names;
  for (int r = 0; r < ranks; ++r) names.push_back(fmt::format("rank {}", r));
  return names;
}

void run_thread_ranks(int ranks, const CommunicatorOptions& options,
                      const std::function<void(Communicator&)>& body) {
  require(ranks >= 1, "a job of {} ranks", ranks);
  const auto job = std::make_shared<Job>();
  const auto world = std::make_shared<Group>(job, ranks);
  const auto run = [&](int rank) {
    PeerCommunicator communicator(std::make_unique<ThreadTransport>(world, rank), options, "world",
                                  plain_rank_names(ranks));
    const auto failed = [&](ErrorKind kind, const char* what) {
      job->fail(Error(kind, fmt::format("{}: {}", communicator.name_of(rank), what)));
    };
    try {
      body(communicator);
    } catch (const Error& error) {
      failed(error.kind(), error.what());
    } catch (const std::exception& error) {
      failed(ErrorKind::runtime, error.what());
    }
  };
  std::latch ended(ranks);
  const auto disk_hangs = [&](const std::string& message) {
    const std::string all = "a rank of this process: " + message;
    job->fail(Error(ErrorKind::runtime, all));
    end_process_unless(ended, all);
  };
  std::optional<DiskWatch> disk_watch;
  std::vector<std::thread> threads;
  try {
    for (int r = 0; r < ranks; ++r) {
      threads.emplace_back([&run, &ended, r] {
        run(r);
        ended.count_down();
      });
    }
    disk_watch.emplace(ranks > 1 ? options.disk_timeout_seconds : 0, disk_hangs);
  } catch (const std::system_error& error) {
    // Those that have started wait for the others in vain.
    job->fail(Error(ErrorKind::runtime,
                    fmt::format("cannot start a thread for rank {} of {}: {}; use fewer ranks",
                                threads.size(), ranks, error.code().message())));
  }
  for (std::thread& thread : threads) thread.join();
  // Also a failure that no rank threw: of work that was late on a GPU.
  if (const auto failure = job->failure()) throw *failure;
}

}  // namespace fathom
