#include "comm/heartbeat.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "core/log.h"

namespace fathom {
namespace {

// One byte each.
constexpr char alive = 'a';
constexpr char goodbye = 'g';
constexpr char job_fails = 'f';  // somebody has told why: nobody else has to

// How long leave() waits for neighbours that do not answer, because they are stopped, say.
constexpr auto farewell = std::chrono::seconds(5);

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Heartbeat::Heartbeat(Communicator& world, Failed failed, HeartbeatOptions options)
    : failed_(std::move(failed)), options_(std::move(options)) {
  if (world.size() == 1) return;
  if (!options_.now) options_.now = monotonic_seconds;
  RingSockets ring = connect_ring(world);
  if (!ring.next) {
    if (world.rank() == 0) {
      log::warning(
          "the ranks cannot connect to each other over TCP: a rank that dies or stops is noticed "
          "by the launcher, or after parallel.timeout_seconds");
    }
    return;
  }
  const int size = world.size(), rank = world.rank();
  neighbours_.push_back({(rank + 1) % size, std::move(ring.next)});
  neighbours_.push_back({(rank + size - 1) % size, std::move(ring.previous)});
  for (Neighbour& neighbour : neighbours_) neighbour.heard = options_.now();
  thread_ = std::thread([this] { run(); });
}

Heartbeat::~Heartbeat() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  thread_.join();
  leave();
}

// Closing a connection whose words are unread resets it, and a reset may overtake the goodbye.
// So each side ends its own direction and reads until the other has ended its.
void Heartbeat::leave() {
  say(goodbye);
  for (const Neighbour& n : neighbours_) shutdown(n.socket.get(), SHUT_WR);
  const auto end = std::chrono::steady_clock::now() + farewell;
  for (const Neighbour& n : neighbours_) drain(n.socket, end);
}

void Heartbeat::say(char word) {
  for (const Neighbour& n : neighbours_) {
    if (n.watched) send(n.socket.get(), &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

void Heartbeat::listen_to(Neighbour& neighbour, std::string_view words) {
  for (const char word : words) {
    if (word == goodbye) {
      neighbour.watched = false;
      shutdown(neighbour.socket.get(), SHUT_WR);  // it waits for that in leave()
    }
    if (word == job_fails) {
      say(job_fails);
      stopping_ = true;
    }
  }
}

void Heartbeat::warn(const Neighbour& neighbour, const std::string& news) {
  if (options_.warned && &neighbour == &neighbours_.front()) {
    options_.warned(neighbour.rank, news);
  }
}

// Once for each silence.
void Heartbeat::tell_silence(Neighbour& neighbour, double now) {
  const double silence = now - neighbour.heard;
  if (neighbour.told || silence < warning_seconds()) return;
  neighbour.told = true;
  warn(neighbour, fmt::format("has not answered for {:.0f} s: after {:.0f} s the job ends", silence,
                              options_.silence_seconds));
}

void Heartbeat::tell_answer(Neighbour& neighbour) {
  if (!std::exchange(neighbour.told, false)) return;
  warn(neighbour, "answers again");
}

std::string Heartbeat::look_at(Neighbour& neighbour, double now) {
  char words[64];
  const ssize_t count = recv(neighbour.socket.get(), words, sizeof words, MSG_DONTWAIT);
  if (count > 0) {
    neighbour.heard = now;
    tell_answer(neighbour);
    listen_to(neighbour, {words, static_cast<std::size_t>(count)});
    return {};
  }
  const bool nothing_yet = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  if (!nothing_yet) return "has died: its process has ended without a word";
  tell_silence(neighbour, now);
  if (now - neighbour.heard < options_.silence_seconds) return {};
  return fmt::format(
      "has not answered for {:.0f} s: it is stopped, or its machine or network is gone",
      now - neighbour.heard);
}

void Heartbeat::run() {
  double last = options_.now(), said = last - 1;
  while (!stopping_) {
    pollfd wanted[2] = {};
    nfds_t count = 0;
    for (const Neighbour& n : neighbours_) {
      if (n.watched) wanted[count++] = {n.socket.get(), POLLIN, 0};
    }
    poll(wanted, count, options_.round_milliseconds);
    const double now = options_.now();
    // After a stop of its own a rank knows nothing of the others, also not that they answer.
    if (now - last > warning_seconds()) {
      for (Neighbour& n : neighbours_) n.heard = now;
    }
    last = now;
    if (now - said >= 1) {
      say(alive);
      said = now;
    }
    for (Neighbour& n : neighbours_) {
      if (!n.watched || stopping_) continue;
      const std::string reason = look_at(n, now);
      if (reason.empty()) continue;
      n.watched = false;
      stopping_ = true;
      say(job_fails);
      return failed_(n.rank, reason);
    }
  }
}

}  // namespace fathom
