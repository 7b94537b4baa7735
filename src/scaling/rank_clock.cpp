#include "scaling/rank_clock.h"

#include <algorithm>
#include <limits>

namespace fathom::scaling {

bool RankClock::queues_are_empty() const {
  return std::ranges::all_of(queues_, [](const auto& queue) { return queue.empty(); });
}

void RankClock::note(Stretch::Kind kind, double begin, double end) const {
  if (listener_ && end > begin) listener_({kind, begin, end});
}

void RankClock::drop_finished() {
  for (auto& queue : queues_) {
    while (!queue.empty() && queue.front().left <= 0) {
      note(Stretch::Kind::queue, queue.front().begun < 0 ? now_ : queue.front().begun, now_);
      queue.pop_front();
    }
    if (!queue.empty() && queue.front().begun < 0) queue.front().begun = now_;
  }
}

int RankClock::users_of(Link link) const {
  return static_cast<int>(std::ranges::count_if(
      queues_, [&](const auto& queue) { return !queue.empty() && queue.front().link == link; }));
}

void RankClock::advance(Doing what, double& work, Link link) {
  double lost = 0;
  for (const auto& queue : queues_) {
    if (!queue.empty()) lost = std::max(lost, queue.front().contention);
  }
  const bool exchanging = what == Doing::exchanging;
  const auto sharing = [&](Link of) { return users_of(of) + (exchanging && of == link ? 1 : 0); };
  double speed = 1;
  if (what == Doing::computing) speed = 1 - lost;
  if (exchanging) speed = 1.0 / sharing(link);
  double step = work / speed;
  for (const auto& queue : queues_) {
    if (!queue.empty()) step = std::min(step, queue.front().left * sharing(queue.front().link));
  }
  // Before any queue moves on: who shares a link now does so for the whole step.
  std::vector<double> done(queues_.size());
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    if (!queues_[i].empty()) done[i] = step / sharing(queues_[i].front().link);
  }
  constexpr double rounding = 1e-12;  // seconds
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    if (queues_[i].empty()) continue;
    double& left = queues_[i].front().left;
    left -= done[i];
    if (left < rounding) left = 0;
  }
  work -= step * speed;
  if (work < rounding) work = 0;
  now_ += step;
  drop_finished();
}

void RankClock::pass(Doing what, double work, Link link) {
  while (work > 0) {
    if (what != Doing::exchanging && queues_are_empty()) {
      now_ += work;
      return;
    }
    advance(what, work, link);
  }
}

void RankClock::wait(int queue, std::int64_t ticket) {
  const double begin = now_;
  const auto index = static_cast<std::size_t>(queue);
  const auto is_under_way = [&] {
    return index < queues_.size() &&
           std::ranges::any_of(queues_[index], [&](const Task& t) { return t.ticket == ticket; });
  };
  while (is_under_way()) {
    double any = std::numeric_limits<double>::max();
    advance(Doing::waiting, any, Link::node);
  }
  exposed_ += now_ - begin;
  note(Stretch::Kind::wait, begin, now_);
}

void RankClock::run(const StepEvents& events) {
  for (const StepEvent& event : events) {
    const double begin = now_;
    switch (event.kind) {
      case StepEvent::Kind::compute:
        pass(Doing::computing, event.seconds - event.products + event.products / product_speed_,
             Link::node);
        computing_ += now_ - begin;
        break;
      case StepEvent::Kind::exchange:
        pass(Doing::exchanging, event.seconds, event.link);
        exposed_ += now_ - begin;
        note(Stretch::Kind::exchange, begin, now_);
        break;
      case StepEvent::Kind::submit: {
        const auto index = static_cast<std::size_t>(event.queue);
        if (index >= queues_.size()) queues_.resize(index + 1);
        queues_[index].push_back({event.ticket, event.seconds, event.contention, event.link, -1});
        drop_finished();
        break;
      }
      case StepEvent::Kind::wait:
        wait(event.queue, event.ticket);
        break;
    }
  }
}

void RankClock::idle_until(double time) {
  pass(Doing::waiting, time - now_, Link::node);
}

void RankClock::exchange_until(double time) {
  const double begin = now_;
  idle_until(time);
  exposed_ += now_ - begin;
  note(Stretch::Kind::exchange, begin, now_);
}

void RankClock::skip(double seconds, double exposed, double computing) {
  now_ += seconds;
  exposed_ += exposed;
  computing_ += computing;
}

}  // namespace fathom::scaling
