// Heartbeat: whether the processes of a rank's neighbours live. Every second each rank sends a
// byte to the next and to the previous rank, over connections of its own and from a thread of its
// own: a process that ends without a word is known at once, one that is stopped, or whose
// machine is gone, after `silence_seconds`. Collectives have their own timeout, for ranks
// that live and hang.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "comm/ring_sockets.h"

namespace fathom {

struct HeartbeatOptions {
  double silence_seconds = 15;
  int round_milliseconds = 100;  // between two looks of its thread at its clock and its end
  std::function<double()> now;   // seconds of a clock that never goes back; empty: the machine's
};

class Heartbeat {
 public:
  // Told once, by the heartbeat's thread: which rank, and what is wrong with it.
  using Failed = std::function<void(int rank, const std::string& reason)>;

  // Collective. Warns, and does nothing, when the ranks cannot be connected.
  Heartbeat(Communicator& world, Failed failed, HeartbeatOptions options = {});
  // Tells the neighbours not to report this rank's end, which is regular or has its own message,
  // and waits a moment until they know.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  struct Neighbour {
    int rank;
    Socket socket;
    double heard = 0;     // when, on the options' clock
    bool watched = true;  // false: it has said goodbye or has failed
  };
  void run();
  // Empty: all is well; else the reason why the neighbour counts as failed.
  std::string look_at(Neighbour& neighbour, double now);
  void say(char word);
  void leave();

  Failed failed_;
  HeartbeatOptions options_;
  std::vector<Neighbour> neighbours_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace fathom
