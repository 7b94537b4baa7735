// Heartbeat: whether the processes of a rank's neighbours live. Every second each rank sends a
// byte to the next and to the previous rank, over connections of its own and from a thread of its
// own: a process that ends without a word is known at once, one that is stopped, or whose machine
// or network is gone, after `silence_seconds`; a third of that is told as a warning, for the
// launcher may notice the same and end the job first, and a network that comes back leaves a trace.
// Collectives have their own timeout, for ranks that live and hang.
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
  // Told, by the heartbeat's thread, that the next rank has been silent for a third of
  // silence_seconds, and that it has answered again. (The rank before is the next of another.)
  std::function<void(int rank, const std::string& news)> warned = {};
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
    bool told = false;    // of its silence, and not yet of its end
  };
  void run();
  // Empty: all is well; else the reason why the neighbour counts as failed.
  std::string look_at(Neighbour& neighbour, double now);
  void listen_to(Neighbour& neighbour, std::string_view words);
  void tell_silence(Neighbour& neighbour, double now);
  void tell_answer(Neighbour& neighbour);
  void warn(const Neighbour& neighbour, const std::string& news);
  double warning_seconds() const { return options_.silence_seconds / 3; }
  void say(char word);
  void leave();

  Failed failed_;
  HeartbeatOptions options_;
  std::vector<Neighbour> neighbours_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace fathom
