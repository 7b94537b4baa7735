// The time of one rank while it goes through its events: a lane that computes, and queues of
// exchanges beside it. What is on the same link at once shares its bandwidth; computing is slower
// while anything is exchanged beside it, by what the card's profile says.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "scaling/rank_step.h"

namespace fathom::scaling {

class RankClock {
 public:
  // `product_speed`: of matrix products, by that of their events.
  explicit RankClock(double product_speed = 1) : product_speed_(product_speed) {}

  double now() const { return now_; }
  // Seconds in which the computing stood still for exchanges: collectives and waits for the queues.
  double exposed() const { return exposed_; }
  bool queues_are_empty() const;

  // Seconds of computing, slower beside exchanges.
  double computing() const { return computing_; }

  void run(const StepEvents& events);
  // Nothing to compute until `time`; the queues go on.
  void idle_until(double time);
  // As idle_until(), of a collective that all ranks end at that time.
  void exchange_until(double time);
  // `seconds` later by a run whose queues were empty at both ends.
  void skip(double seconds, double exposed, double computing);

  // Told of each stretch of waiting and of each piece of a queue's work, for a picture.
  struct Stretch {
    enum class Kind : std::uint8_t { exchange, wait, queue };
    Kind kind = Kind::exchange;
    double begin = 0, end = 0;
  };
  void tell(std::function<void(const Stretch&)> listener) { listener_ = std::move(listener); }

 private:
  struct Task {
    std::int64_t ticket = 0;
    double left = 0, contention = 0;
    Link link = Link::node;
    double begun = -1;
  };
  enum class Doing : std::uint8_t { computing, exchanging, waiting };

  // Lets `work` seconds of it pass, as long as they take; waiting: of the clock.
  void pass(Doing what, double work, Link link);
  // The next moment at which something ends, at most `work` from now.
  void advance(Doing what, double& work, Link link);
  int users_of(Link link) const;
  void wait(int queue, std::int64_t ticket);
  void drop_finished();
  void note(Stretch::Kind kind, double begin, double end) const;

  double product_speed_;
  double now_ = 0, exposed_ = 0, computing_ = 0;
  std::vector<std::deque<Task>> queues_;
  std::function<void(const Stretch&)> listener_;
};

}  // namespace fathom::scaling
