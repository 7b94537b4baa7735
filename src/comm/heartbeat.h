// Heartbeat: whether the neighbours of a rank's process live. Every second each rank says
// so to the next and the previous one, over connections of its own and from a thread of its
// own: a process that ends without a word is known at once, one that is stopped, or whose
// machine is gone, after `silence_seconds`. Collectives have their own timeout, for ranks
// that live and hang.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "comm/ring_sockets.h"

namespace fathom {

class Heartbeat {
 public:
  static constexpr double silence_seconds = 15;
  // Told once, by the heartbeat's thread: which rank, and what is wrong with it.
  using Failed = std::function<void(int rank, const std::string& reason)>;

  // Collective. Warns, and does nothing, when the ranks cannot be connected.
  Heartbeat(Communicator& world, Failed failed);
  // Tells the neighbours that this rank's end is in order, or is told of by itself.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  struct Neighbour {
    int rank;
    Socket socket;
    double heard = 0;     // when, on the monotonic clock
    bool watched = true;  // false: it has said goodbye
  };
  void run();
  // What its word, its silence or its end means; empty: all is well.
  std::string look_at(Neighbour& neighbour, double now);
  void say(char word);

  Failed failed_;
  std::vector<Neighbour> neighbours_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace fathom
