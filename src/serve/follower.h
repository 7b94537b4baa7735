// Serves the newest checkpoint of a run while it trains.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "infer/model_loader.h"
#include "serve/engine_thread.h"

namespace fathom::serve {

struct FollowOptions {
  std::string run;                       // a run's directory
  infer::LoadOptions load;               // as the model's
  std::chrono::milliseconds poll{2000};  // between two looks at the run
  // For sequences that run to end before the weights change.
  std::chrono::milliseconds patience{30'000};
};

// A thread that looks for checkpoints of later steps than the served one, reads them into host
// memory beside the engine's steps, and has the engine change its weights. One that is damaged or
// of another model is left out with a warning, until its directory changes.
class Follower {
 public:
  // Both outlive the follower; `model` is a checkpoint of the run, or none of its checkpoints yet.
  Follower(const infer::LoadedModel& model, EngineThread& engine, FollowOptions options);
  // Waits for a checkpoint that is being read.
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

 private:
  void run();
  // Serves the newest checkpoint that can be; false when the engine has ended.
  bool look();
  bool is_left_out(const std::string& directory) const;
  // Reads the checkpoint; an input Error says why it cannot be served.
  infer::LoadedModel read(const std::string& directory);

  const infer::LoadedModel& model_;
  EngineThread& engine_;
  FollowOptions options_;
  Context context_{cpu_device};
  // Checkpoints that could not be served, and when their directories had changed.
  std::map<std::string, std::filesystem::file_time_type> left_out_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fathom::serve
