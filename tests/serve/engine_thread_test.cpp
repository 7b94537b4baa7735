// The engine's thread without a network.
#include "serve/engine_thread.h"

#include <gmock/gmock.h>

#include <cmath>
#include <future>
#include <mutex>

#include "serve/test_server.h"

namespace fathom::serve {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

infer::TextRequest request_of(std::int64_t max_tokens) {
  infer::TextRequest request;
  request.prompt = std::vector<std::int32_t>{'a', 'b'};
  request.max_tokens = max_tokens;
  request.ignore_end = true;
  return request;
}

struct Fixture {
  Context context{cpu_device};
  infer::LoadedModel model = random_chat_model(4096);
  Metrics metrics{"m"};
  std::optional<EngineThread> engine;

  explicit Fixture(EngineThreadOptions options = {}) {
    options.engine.limits = {2, 16};
    engine.emplace(model, context, metrics, options);
  }

  // The updates of a job put together; its events counted by sequence.
  struct Result {
    std::map<std::size_t, std::int64_t> tokens;
    std::string error;
  };
  std::future<Result> run(std::vector<infer::TextRequest> requests) {
    auto result = std::make_shared<Result>();
    auto promise = std::make_shared<std::promise<Result>>();
    auto future = promise->get_future();
    const auto job = engine->submit(std::move(requests), [result, promise](JobUpdate update) {
      for (const JobEvent& e : update.events) {
        result->tokens[e.sequence] += std::ssize(e.event.tokens);
      }
      result->error = update.error;
      if (update.done) promise->set_value(*result);
    });
    EXPECT_TRUE(job.has_value());
    return future;
  }
};

TEST(EngineThread, GivesEachSequenceItsEvents) {
  Fixture fixture;
  auto first = fixture.run({request_of(5), request_of(9), request_of(1)});
  auto second = fixture.run({request_of(30)});
  EXPECT_THAT(first.get().tokens,
              testing::ElementsAre(testing::Pair(0, 5), testing::Pair(1, 9), testing::Pair(2, 1)));
  EXPECT_THAT(second.get().tokens, testing::ElementsAre(testing::Pair(0, 30)));
  EXPECT_TRUE(eventually([&] { return fixture.engine->outstanding() == 0; }));
  EXPECT_TRUE(fixture.engine->healthy());
}

TEST(EngineThread, RefusesWhatItsQueueCannotHold) {
  EngineThreadOptions options;
  options.max_waiting = 1;  // and two that run
  Fixture fixture(options);
  const auto ignore = [](JobUpdate) {};
  EXPECT_FALSE(fixture.engine->submit(std::vector(4, request_of(4000)), ignore));
  const auto job = fixture.engine->submit(std::vector(3, request_of(4000)), ignore);
  ASSERT_TRUE(job);
  EXPECT_FALSE(fixture.engine->submit({request_of(1)}, ignore));
  fixture.engine->cancel(*job);
  EXPECT_TRUE(eventually([&] { return fixture.engine->outstanding() == 0; }));
  EXPECT_EQ(fixture.run({request_of(2)}).get().tokens.at(0), 2);
  fixture.engine->cancel(*job);  // over: nothing happens
}

// A failure of the engine reaches every client, and health tells of it.
TEST(EngineThread, PassesOnAFailure) {
  Fixture fixture;
  const Tensor head = fixture.model.parameters->at("final_norm.weight").weight;
  for (std::int64_t i = 0; i < head.elements(); ++i) head.as<float>()[i] = NAN;
  const auto result = fixture.run({request_of(5)}).get();
  EXPECT_THAT(result.error, HasSubstr("the engine failed: no logit is a finite number"));
  EXPECT_TRUE(eventually([&] { return !fixture.engine->healthy(); }));
  EXPECT_THAT(fixture.engine->failure(), HasSubstr("no logit"));
  EXPECT_FALSE(fixture.engine->submit({request_of(1)}, [](JobUpdate) {}));
}

// A failure reaches also the requests that came with the one at fault.
TEST(EngineThread, AFailureReachesThoseThatHaveNotStarted) {
  Fixture fixture;
  std::promise<void> held, released;
  std::once_flag once;
  const auto job = fixture.engine->submit({request_of(4000)}, [&](JobUpdate) {
    std::call_once(once, [&] {
      held.set_value();
      released.get_future().wait();
    });
  });
  EXPECT_TRUE(job);
  held.get_future().wait();
  infer::TextRequest wrong = request_of(1);
  wrong.prompt = std::vector<std::int32_t>{999};
  auto first = fixture.run({wrong}), second = fixture.run({request_of(1)});
  released.set_value();
  EXPECT_THAT(first.get().error, HasSubstr("token 999 is outside"));
  EXPECT_THAT(second.get().error, HasSubstr("token 999 is outside"));
}

// A chat without max_tokens may ask for all of it.
TEST(EngineThread, SequencesAreNoLongerThanTheCache) {
  EngineThreadOptions options;
  options.engine.cache_bytes = 64 << 10;
  const Fixture fixture(options);
  const std::int64_t length = fixture.engine->max_length();
  ASSERT_LT(length, 4096);
  EXPECT_NO_THROW(fixture.engine->check(request_of(length - 2)));
  EXPECT_THROW(fixture.engine->check(request_of(length - 1)), Error);
}

// Other weights of the same model.
void redraw(const infer::LoadedModel& model) {
  Context scratch(cpu_device);
  for (Parameter& p : model.parameters->all()) initialize(scratch, p.spec, 0.3, 77, p.weight);
}

// Without patience: the tokens so far stay, and the rest is what the new weights draw behind them.
TEST(EngineThread, CarriesSequencesOverAChangeOfWeights) {
  Fixture fixture;
  infer::TextRequest request = request_of(4000);
  request.prompt = std::vector<std::int32_t>(40, 'a');
  request.sampling.temperature = 0;
  std::vector<std::int32_t> tokens;  // of the engine's thread until the end
  const auto begun = std::make_shared<std::promise<void>>();
  const auto ended = std::make_shared<std::promise<void>>();
  const auto job = fixture.engine->submit({request}, [&tokens, begun, ended](JobUpdate update) {
    if (tokens.empty()) begun->set_value();
    for (const JobEvent& e : update.events) {
      for (const infer::DrawnToken& drawn : e.event.tokens) tokens.push_back(drawn.token);
    }
    if (update.done) ended->set_value();
  });
  ASSERT_TRUE(job);
  begun->get_future().wait();
  std::size_t before = 0;
  const auto change = [&] {
    before = tokens.size();
    redraw(fixture.model);
  };
  EXPECT_FALSE(fixture.engine->training_step());
  ASSERT_TRUE(fixture.engine->change_weights(change, 12, 0ms));
  EXPECT_EQ(fixture.engine->training_step(), 12);
  ended->get_future().wait();
  ASSERT_EQ(tokens.size(), 4000u);
  ASSERT_GT(before, 0u);
  std::vector<std::int32_t> prompt(40, 'a');
  prompt.insert(prompt.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(before));
  request.prompt = prompt;
  request.max_tokens = 20;
  infer::EngineOptions options;
  options.limits = {1, 16};
  infer::TextEngine engine(fixture.model, fixture.context, options);
  engine.submit(request);
  std::vector<std::int32_t> expected;
  while (!engine.idle()) {
    for (const infer::TextEvent& event : engine.step()) expected.push_back(event.tokens[0].token);
  }
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(before));
  tokens.resize(20);
  EXPECT_EQ(tokens, expected);
}

TEST(EngineThread, StartsNoSequenceWhileAChangeOfWeightsWaits) {
  Fixture fixture;
  std::promise<void> started;  // before, the change would not have to wait
  std::once_flag once;
  const auto running = fixture.engine->submit({request_of(4000)}, [&](JobUpdate) {
    std::call_once(once, [&] { started.set_value(); });
  });
  ASSERT_TRUE(running);
  started.get_future().wait();
  auto changed = std::async(std::launch::async, [&] {
    return fixture.engine->change_weights([] {}, 1, 1h);
  });
  EXPECT_TRUE(eventually([&] { return fixture.engine->changes_weights(); }));
  auto next = fixture.run({request_of(1)});
  EXPECT_EQ(next.wait_for(20ms), std::future_status::timeout);
  fixture.engine->cancel(*running);
  EXPECT_TRUE(changed.get());
  EXPECT_EQ(next.get().tokens.at(0), 1);
}

TEST(EngineThread, ChangesNoWeightsAfterAFailure) {
  Fixture fixture;
  infer::TextRequest wrong = request_of(1);
  wrong.prompt = std::vector<std::int32_t>{999};
  EXPECT_THAT(fixture.run({wrong}).get().error, HasSubstr("token 999 is outside"));
  EXPECT_FALSE(fixture.engine->change_weights([] {}, 1, 0ms));
}

// Here every step takes longer than allowed.
TEST(EngineThread, TellsWhenItStalls) {
  EngineThreadOptions options;
  options.stall = 0s;
  Fixture fixture(options);
  EXPECT_TRUE(fixture.engine->healthy());
  const auto job = fixture.engine->submit({request_of(4000)}, [](JobUpdate) {});
  EXPECT_TRUE(eventually([&] { return !fixture.engine->healthy(); }));
  fixture.engine->cancel(*job);
  EXPECT_TRUE(eventually([&] { return fixture.engine->healthy(); }));
}

TEST(EngineThread, ChecksRequestsAsTheEngineDoes) {
  const Fixture fixture;
  infer::TextRequest request = request_of(1);
  request.prompt = std::vector<std::int32_t>{999};
  EXPECT_THAT([&] { fixture.engine->check(request); },
              testing::ThrowsMessage<Error>(HasSubstr("token 999 is outside")));
}

}  // namespace
}  // namespace fathom::serve
