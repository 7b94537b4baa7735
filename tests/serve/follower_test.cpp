// A server that follows a run: checkpoints come while it answers.
#include "serve/follower.h"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "checkpoint/writer.h"
#include "core/config.h"
#include "core/error.h"
#include "io/temp_dir.h"
#include "model/hugging_face.h"
#include "serve/test_server.h"

namespace fathom::serve {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::TempDir;
using testing::HasSubstr;

// A run whose checkpoints hold random weights, another draw at each step.
struct TestRun {
  TempDir dir;
  infer::LoadedModel model = random_chat_model(4096);

  explicit TestRun(std::int64_t first_step) {
    test::write_file(dir / "tokenizer.json", small_tokenizer_json());
    save(first_step);
  }
  std::string checkpoint(std::int64_t step) const {
    return dir / ("checkpoints/" + checkpoint_name(step));
  }
  void save(std::int64_t step) { save(step, model.stage->config()); }
  void save(std::int64_t step, ModelConfig config) {
    Context scratch(cpu_device);
    for (Parameter& p : model.parameters->all()) {
      initialize(scratch, p.spec, 0.3, static_cast<std::uint64_t>(step), p.weight);
    }
    std::vector<CheckpointTensor> tensors;
    for (const Parameter& p : model.parameters->all()) {
      tensors.push_back(CheckpointTensor::whole(StateKind::weight, p.spec.name, p.weight));
    }
    TrainingState state;
    state.step = step;
    state.config_toml = "[model]\n" + config_to_toml(config);
    fs::create_directories(dir / "checkpoints");
    write_checkpoint(checkpoint(step), tensors, state, {});
  }
};

infer::TextRequest greedy(std::int64_t max_tokens) {
  infer::TextRequest request;
  request.prompt = std::vector<std::int32_t>(40, 'a');  // more than a page, so that it is shared
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  request.ignore_end = true;
  return request;
}

// The serving side: an engine and a follower of the run.
struct Server {
  Context context{cpu_device};
  infer::LoadedModel model;
  Metrics metrics{"m"};
  std::atomic<int> drawn = 0;  // tokens of the request that drew last
  EngineThread engine;
  Follower follower;

  static EngineThreadOptions engine_options() {
    EngineThreadOptions options;
    options.engine.limits = {2, 64};
    return options;
  }
  static FollowOptions follow_options(const TestRun& run, std::chrono::milliseconds patience) {
    FollowOptions options;
    options.run = run.dir.path();
    options.poll = 5ms;
    options.patience = patience;
    return options;
  }
  explicit Server(const TestRun& run, std::chrono::milliseconds patience = 60s)
      : Server(run, run.dir.path(), {}, patience) {}
  Server(const TestRun& run, const std::string& path, const infer::LoadOptions& load,
         std::chrono::milliseconds patience)
      : model(infer::load_model(path, load, context)),
        engine(model, context, metrics, engine_options()),
        follower(model, engine, follow_options(run, patience)) {}

  // The tokens of a request.
  std::future<std::vector<std::int32_t>> start(const infer::TextRequest& request) {
    auto tokens = std::make_shared<std::vector<std::int32_t>>();
    auto promise = std::make_shared<std::promise<std::vector<std::int32_t>>>();
    auto future = promise->get_future();
    const auto job = engine.submit({request}, [this, tokens, promise](JobUpdate update) {
      for (const JobEvent& e : update.events) {
        for (const infer::DrawnToken& token : e.event.tokens) tokens->push_back(token.token);
      }
      drawn = static_cast<int>(tokens->size());
      if (update.done) promise->set_value(*tokens);
    });
    EXPECT_TRUE(job.has_value());
    return future;
  }
  bool serves(std::int64_t step) {
    return eventually([&] { return engine.training_step() == step; });
  }
};

// What the weights of a step draw.
std::vector<std::int32_t> drawn_by(const TestRun& run, std::int64_t step, std::int64_t count) {
  Context context(cpu_device);
  const infer::LoadedModel model = infer::load_model(run.checkpoint(step), {}, context);
  infer::EngineOptions options;
  options.limits.max_sequences = 1;
  infer::TextEngine engine(model, context, options);
  engine.submit(greedy(count));
  std::vector<std::int32_t> tokens;
  while (!engine.idle()) {
    for (const infer::TextEvent& event : engine.step()) tokens.push_back(event.tokens[0].token);
  }
  return tokens;
}

TEST(Follower, ServesLaterCheckpointsAndForgetsCachedPrompts) {
  TestRun run(1);
  Server server(run);
  EXPECT_EQ(server.engine.training_step(), 1);
  EXPECT_EQ(server.start(greedy(20)).get(), drawn_by(run, 1, 20));
  run.save(3);
  ASSERT_TRUE(server.serves(3));
  const auto before = drawn_by(run, 1, 20), after = drawn_by(run, 3, 20);
  EXPECT_NE(before, after);
  EXPECT_EQ(server.start(greedy(20)).get(), after);
  run.save(7);
  ASSERT_TRUE(server.serves(7));
  EXPECT_EQ(server.start(greedy(20)).get(), drawn_by(run, 7, 20));
}

// Each step once: the one that is served is not read again, nor an earlier one.
TEST(Follower, ServesNoStepTwice) {
  testing::internal::CaptureStderr();
  {
    TestRun run(4);
    Server server(run);
    for (const std::int64_t step : {5, 8}) {
      server.start(greedy(200)).get();  // it looks meanwhile
      run.save(step - 2);
      server.start(greedy(200)).get();
      run.save(step);
      EXPECT_TRUE(server.serves(step));
    }
    server.start(greedy(200)).get();
    EXPECT_EQ(server.engine.training_step(), 8);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  for (const char* step : {"serving step 3", "serving step 4"}) {
    EXPECT_EQ(log.find(step), std::string::npos) << log;
  }
  for (const char* step : {"serving step 5", "serving step 8"}) {
    const std::size_t first = log.find(step);
    ASSERT_NE(first, std::string::npos) << log;
    EXPECT_EQ(log.find(step, first + 1), std::string::npos) << log;
  }
}

// Whose file cannot be written.
TEST(Follower, FollowsAnExportedModel) {
  TestRun run(1);
  const auto expected = drawn_by(run, 1, 20);
  SaveModelOptions options;
  options.dtype = DType::f32;
  options.tokenizer_path = run.dir / "tokenizer.json";
  Context scratch(cpu_device);
  save_model(run.dir / "model", run.model.stage->config(),
             weights_of(*run.model.parameters, scratch), options);
  infer::LoadOptions load;
  EXPECT_THROW(Server(run, run.dir / "model", load, 60s), Error);
  load.file_weights = infer::FileWeights::copied;
  Server server(run, run.dir / "model", load, 60s);
  ASSERT_TRUE(server.serves(1));
  EXPECT_EQ(server.start(greedy(20)).get(), expected);
  run.save(3);
  ASSERT_TRUE(server.serves(3));
  EXPECT_EQ(server.start(greedy(20)).get(), drawn_by(run, 3, 20));
}

TEST(Follower, LetsRunningSequencesEnd) {
  TestRun run(1);
  Server server(run);
  const auto expected = drawn_by(run, 1, 1500);
  auto running = server.start(greedy(1500));
  ASSERT_TRUE(eventually([&] { return server.drawn > 0; }));  // it runs, and does not wait
  run.save(2);
  EXPECT_TRUE(server.serves(2));
  EXPECT_EQ(running.get(), expected);
}

TEST(Follower, LeavesDamagedCheckpointsOutWithOneWarning) {
  TestRun run(1);
  Server server(run);
  testing::internal::CaptureStderr();
  run.save(2);
  const std::string half = run.checkpoint(9);
  test::write_file(run.dir / "half/state.json", "{}");
  fs::rename(run.dir / "half", half);  // appears at once: a change would be told of again
  EXPECT_TRUE(server.serves(2));
  std::this_thread::sleep_for(50ms);  // looks again and again meanwhile
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("step 9 is not served");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("step 9 is not served", first + 1), std::string::npos) << log;
  // Once it is complete it is served.
  fs::remove_all(half);
  run.save(9);
  EXPECT_TRUE(server.serves(9));
}

TEST(Follower, LeavesCheckpointsOfOtherModelsOut) {
  TestRun run(1);
  Server server(run);
  testing::internal::CaptureStderr();
  ModelConfig other = run.model.stage->config();
  other.rope_theta *= 2;
  run.save(5, other);
  run.save(4);
  EXPECT_TRUE(server.serves(4));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("step 5 is not served"));
}

}  // namespace
}  // namespace fathom::serve
