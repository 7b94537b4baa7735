#include "serve/follower.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "checkpoint/checkpoint.h"
#include "checkpoint/model.h"
#include "core/device.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"

namespace fathom::serve {
namespace {

namespace fs = std::filesystem;

fs::file_time_type changed_at(const std::string& directory) {
  std::error_code ignored;
  return fs::last_write_time(directory, ignored);
}

bool is_writable(const ParameterStore& parameters) {
  return std::ranges::none_of(parameters.all(), &Parameter::is_in_place);
}

// Both have the same parameters and type, in memory of their own.
void copy_weights(const infer::LoadedModel& from, const infer::LoadedModel& to) {
  const Tensor source = from.parameters->flat_weights(), target = to.parameters->flat_weights();
  copy_bytes(target.data, target.device, source.data, source.device, to.parameters->weight_bytes(),
             nullptr);
  synchronize(target.device, nullptr);
}

}  // namespace

Follower::Follower(const infer::LoadedModel& model, EngineThread& engine, FollowOptions options)
    : model_(model), engine_(engine), options_(std::move(options)) {
  require(is_writable(*model.parameters), "a model whose weights change is read in place");
  options_.load.dtype = model.parameters->dtype();
  options_.load.file_weights = infer::FileWeights::copied;
  thread_ = std::thread([this] {
    set_num_threads(1);  // the engine has the others
    run();
  });
}

Follower::~Follower() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Follower::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, options_.poll, [this] { return ending_; })) {
    lock.unlock();
    try {
      if (!look()) return;
    } catch (const std::exception& error) {
      log::warning("{}: cannot be followed now: {}", options_.run, error.what());
    }
    lock.lock();
  }
}

bool Follower::look() {
  for (const std::string& directory : checkpoints_at(options_.run)) {
    const auto step = checkpoint_step(fs::path(directory).filename().string());
    if (!step || *step <= engine_.training_step().value_or(-1)) break;
    if (is_left_out(directory)) continue;
    const fs::file_time_type time = changed_at(directory);
    try {
      const infer::LoadedModel next = read(directory);
      const auto change = [&] { copy_weights(next, model_); };
      if (!engine_.change_weights(change, *step, options_.patience)) return false;
      log::info("serving step {}", *step);
      break;
    } catch (const Error& error) {
      log::warning("step {} is not served: {}", *step, error.what());
      left_out_[directory] = time;
    }
  }
  return true;
}

bool Follower::is_left_out(const std::string& directory) const {
  const auto found = left_out_.find(directory);
  return found != left_out_.end() && found->second == changed_at(directory);
}

infer::LoadedModel Follower::read(const std::string& directory) {
  infer::LoadedModel next = infer::load_model(directory, options_.load, context_);
  require_same_model(next.stage->config(), model_.stage->config(), directory);
  return next;
}

}  // namespace fathom::serve
