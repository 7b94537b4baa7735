// What the ranks of a run write against the generation engine with the same weights.
#include "train/prompt_continuer.h"

#include <gtest/gtest.h>

#include <set>

#include "comm/thread_ranks.h"
#include "core/observer.h"
#include "core/parallel.h"
#include "infer/engine.h"
#include "infer/tiny_model.h"
#include "io/temp_dir.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

using test::TinyModel;
using test::Tokens;

constexpr std::int64_t continued_length = 24, continued_sequences = 2, vocabulary = 97;

struct ContinuerLayout {
  int pp = 1, dp = 1, tp = 1;
  bool sequence_parallel = false;

  int ranks() const { return pp * dp * tp; }
  std::string name() const {
    return fmt::format("pp {} dp {} tp {} sequence {}", pp, dp, tp, sequence_parallel);
  }
};

const ContinuerLayout layouts[] = {
    {1, 1, 2}, {2, 1, 1}, {1, 2, 1}, {1, 1, 2, true}, {2, 2, 2, true}};

ModelConfig model_config() {
  return test::small_model(4, 2, vocabulary);
}

LearnerOptions learner_options(const RankGroups& ranks) {
  LearnerOptions o(ranks);
  o.model = model_config();
  o.stage = {Recompute::none, 10};
  o.micro_tokens = o.tokens_per_step = continued_length * continued_sequences;
  o.sequence_length = continued_length;
  o.logit_rows = 3;
  return o;
}

std::vector<Tokens> tokens_of(const std::vector<infer::Answer>& continuations) {
  std::vector<Tokens> all;
  for (const infer::Answer& one : continuations) all.push_back(one.tokens);
  return all;
}

// The prompts' continuations by a learner of one rank, or of a layout.
struct ContinuedPrompts {
  std::vector<Tokens> prompts;
  ContinueOptions options;
  Tokens masked;

  std::vector<Tokens> by(const LearnerOptions& learner_options) const {
    Learner learner(learner_options);
    learner.initialize_weights(5);
    const OwnedStream uploads(cpu_device);
    DeviceBatch memory(uploads, learner_options.micro_tokens);
    return tokens_of(PromptContinuer(learner, memory, masked).run(prompts, options));
  }
  std::vector<Tokens> by_one() const {
    set_num_threads(1);
    const OneRank rank(model_config());
    return by(learner_options(rank.groups));
  }

  // Of the first rank; all others wrote the same.
  std::vector<Tokens> on(const ContinuerLayout& layout) const {
    ParallelConfig parallel;
    parallel.pp = layout.pp;
    parallel.tp = layout.tp;
    parallel.sequence_parallel = layout.sequence_parallel;
    const ParallelPlan plan =
        resolve(parallel, layout.ranks(), model_config(),
                {continued_sequences * layout.dp, continued_sequences, continued_length});
    std::vector<std::vector<Tokens>> all(static_cast<std::size_t>(layout.ranks()));
    run_thread_ranks(layout.ranks(), {60}, [&](Communicator& world) {
      set_num_threads(1);
      const RankGroups groups(world, plan, model_config());
      all[std::size_t(world.rank())] = by(learner_options(groups));
    });
    for (const auto& other : all) EXPECT_EQ(other, all.front());
    return all.front();
  }

  // What the engine draws, each prompt with its number as its stream.
  std::vector<Tokens> by_engine() const {
    set_num_threads(1);
    TinyModel model(model_config());
    infer::EngineOptions engine_options;
    engine_options.limits = {std::ssize(prompts), continued_length + 1};
    engine_options.page_size = 4;
    engine_options.max_length = continued_length + 1;
    engine_options.masked_tokens = masked;
    infer::Engine engine(model.stage, model.context, engine_options);
    std::map<infer::SequenceId, std::size_t> number;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      infer::Request request;
      request.prompt = prompts[i];
      request.max_tokens = options.max_tokens;
      request.end_tokens = options.end_tokens;
      request.sampling = options.sampling;
      request.sampling.stream = i;
      number[engine.submit(std::move(request))] = i;
    }
    std::vector<Tokens> all(prompts.size());
    while (!engine.idle()) {
      for (const infer::GeneratedToken& token : engine.step()) {
        if (token.finish == infer::FinishReason::end_of_text) continue;
        all[number.at(token.sequence)].push_back(token.drawn.token);
      }
    }
    return all;
  }
};

// Three prompts, of which two are read at once.
ContinuedPrompts greedy() {
  ContinuedPrompts written;
  written.prompts = {{5, 17, 3}, {90, 2, 41, 41, 7, 60, 13}, {33, 8, 52, 1, 19}};
  written.options.max_tokens = 12;
  written.options.sampling.temperature = 0;
  return written;
}

TEST(PromptContinuer, WritesWhatTheEngineWrites) {
  const ContinuedPrompts written = greedy();
  const std::vector<Tokens> expected = written.by_engine();
  ASSERT_EQ(expected.front().size(), 12u);
  EXPECT_GT(std::set<std::int32_t>(expected[0].begin(), expected[0].end()).size(), 4u)
      << "choices that depend on what is read";
  EXPECT_EQ(written.by_one(), expected);
}

TEST(PromptContinuer, EveryLayoutWritesWhatTheEngineWrites) {
  const ContinuedPrompts written = greedy();
  const std::vector<Tokens> expected = written.by_engine();
  for (const ContinuerLayout& layout : layouts) {
    SCOPED_TRACE(layout.name());
    EXPECT_EQ(written.on(layout), expected);
  }
}

// One text whose tokens the ranks of sequence parallelism do not divide.
TEST(PromptContinuer, AnOddTextIsSharedOut) {
  ContinuedPrompts written = greedy();
  written.prompts.resize(1);
  written.options.max_tokens = 13;
  EXPECT_EQ(written.on({1, 1, 2, true}), written.by_engine());
}

TEST(PromptContinuer, DrawsByTheSeedAndThePromptsNumber) {
  ContinuedPrompts written = greedy();
  written.prompts[2] = written.prompts[0];
  written.options.sampling.temperature = 1;
  written.options.sampling.seed = 3;
  const std::vector<Tokens> expected = written.by_engine();
  EXPECT_EQ(written.by_one(), expected);
  EXPECT_EQ(written.on({2, 2, 2, true}), expected);
  EXPECT_NE(expected[0], expected[2]);
  written.options.sampling.seed = 4;
  EXPECT_NE(written.by_one(), expected);
}

// A token that was drawn before becomes the end, another is never drawn.
TEST(PromptContinuer, EndsAtEndTokensAndSkipsMaskedOnes) {
  ContinuedPrompts written = greedy();
  const std::vector<Tokens> whole = written.by_one();
  written.options.end_tokens = {whole[1][4]};
  written.masked = {whole[0][0]};
  const std::vector<Tokens> expected = written.by_engine();
  EXPECT_LT(expected[1].size(), 5u);
  EXPECT_NE(expected[0], whole[0]);
  EXPECT_EQ(written.by_one(), expected);
  EXPECT_EQ(written.on({1, 1, 2, true}), expected);
}

// The text fills the sequence, and one token more is drawn from its last place.
TEST(PromptContinuer, EndsWhereTheSequenceEnds) {
  ContinuedPrompts written = greedy();
  written.options.max_tokens = std::numeric_limits<std::int64_t>::max();
  const std::vector<Tokens> expected = written.by_engine();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::int64_t(written.prompts[i].size() + expected[i].size()), continued_length + 1);
  }
  EXPECT_EQ(written.by_one(), expected);
  written.prompts = {Tokens(continued_length, 7)};
  EXPECT_EQ(written.by_one(), written.by_engine());
}

// The prompts are read two at a time; the last one is the first of its two.
TEST(PromptContinuer, EndsATextWhereTheCallerDoes) {
  ContinuedPrompts written = greedy();
  const std::vector<Tokens> whole = written.by_one();
  int forwards = 0;
  std::vector<std::size_t> seen(3, 0);
  written.options.ends_with = [&](std::size_t prompt, std::int32_t token) {
    EXPECT_EQ(token, whole[prompt][seen[prompt]]);
    return ++seen[prompt] == prompt + 1;
  };
  written.options.before_tokens = [&] { ++forwards; };
  const std::vector<Tokens> ended = written.by_one();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ended[i], Tokens(whole[i].begin(), whole[i].begin() + std::ptrdiff_t(i) + 1));
  }
  EXPECT_EQ(forwards, 2 + 3);
}

TEST(PromptContinuer, FewRowsAtOnceWriteTheSame) {
  const ContinuedPrompts written = greedy();
  const OneRank rank(model_config());
  LearnerOptions options = learner_options(rank.groups);
  options.logit_rows = 1;
  EXPECT_EQ(written.by(options), written.by_one());
}

TEST(PromptContinuer, WeightsThatAreNoNumbersWriteNothing) {
  const OneRank rank(model_config());
  Learner learner(learner_options(rank.groups));
  learner.initialize_weights(5);
  const OwnedStream uploads(cpu_device);
  DeviceBatch memory(uploads, continued_length * continued_sequences);
  for (const OptimizerSlice& slice : learner.optimizer().slices()) {
    if (slice.name == "head.weight") slice.weight.as<float>()[0] = std::nanf("");
  }
  const ContinuedPrompts written = greedy();
  EXPECT_EQ(PromptContinuer(learner, memory, {}).run(written.prompts, written.options),
            std::vector<infer::Answer>(3));
}

TEST(PromptContinuer, RefusesPromptsThatCannotBeContinued) {
  ContinuedPrompts written = greedy();
  written.prompts[1].clear();
  EXPECT_EQ(test::input_error_of([&] { written.by_one(); }),
            "prompt 2 is empty: the model needs at least one token");
  written.prompts[1].resize(continued_length + 1);
  EXPECT_EQ(test::input_error_of([&] { written.by_one(); }),
            "prompt 2 has 25 tokens, and 24 are the most that can be continued: shorten it");
  written.prompts.clear();
  EXPECT_TRUE(written.by_one().empty());
  for (const std::int64_t none : {0, -3}) {
    written = greedy();
    written.options.max_tokens = none;
    EXPECT_EQ(written.by_one(), std::vector<Tokens>(3));
    written.prompts = {{5}};
    EXPECT_EQ(written.by_one(), std::vector<Tokens>(1));
  }
}

TEST(PromptContinuer, WritesTheSameInFewShapes) {
  ContinuedPrompts written = greedy();
  const std::vector<Tokens> exact = written.by_one();
  written.options.shapes = TextShapes::few;
  written.prompts.resize(1);  // and a row without a text
  EXPECT_EQ(written.by_one().front(), exact.front());
  const OneRank rank(model_config());
  LearnerOptions options = learner_options(rank.groups);
  options.micro_tokens = options.sequence_length = 100;
  std::set<std::int64_t> lengths;
  for (std::int64_t length = 1; length <= 100; ++length) {
    const std::int64_t of = PromptContinuer::length_of_few(options, length);
    EXPECT_GE(of, length);
    lengths.insert(of);
  }
  EXPECT_EQ(lengths, (std::set<std::int64_t>{25, 50, 100}));
}

TEST(PromptContinuer, ReadsAsMuchAsASequenceAndAMicroBatchHold) {
  const OneRank rank(model_config());
  LearnerOptions options = learner_options(rank.groups);
  EXPECT_EQ(PromptContinuer::max_length(options), continued_length);
  options.sequence_length = 1000;
  EXPECT_EQ(PromptContinuer::max_length(options), continued_length * continued_sequences);
  options.sequence_length = 0;
  EXPECT_EQ(PromptContinuer::max_length(options), continued_length * continued_sequences);
  ParallelConfig parallel;
  parallel.tp = 2;
  const ParallelPlan plan = resolve(parallel, 2, model_config(),
                                    {continued_sequences, continued_sequences, continued_length});
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan, model_config());
    LearnerOptions shared = learner_options(groups);
    shared.sequence_length = continued_length - 1;
    EXPECT_EQ(PromptContinuer::max_length(shared), continued_length - 2);
  });
}

class OperationCount final : public OperationObserver {
 public:
  void observe(Context& context, const Operation& operation) override {
    ++count;
    operation.run(context);
  }
  int count = 0;
};

TEST(PromptContinuer, WarmsUpWhereSomethingIsToBeDrawn) {
  const OneRank rank(model_config());
  Learner learner(learner_options(rank.groups));
  learner.initialize_weights(5);
  const OwnedStream uploads(cpu_device);
  DeviceBatch memory(uploads, continued_length * continued_sequences);
  PromptContinuer continuer(learner, memory, {});
  const auto operations = [&](const std::vector<Tokens>& prompts, std::int64_t max_tokens) {
    OperationCount counter;
    learner.context().observer = &counter;
    ContinueOptions options;
    options.max_tokens = max_tokens;
    continuer.warm_up(prompts, options);
    learner.context().observer = nullptr;
    return counter.count;
  };
  EXPECT_GT(operations({{5, 17}, {8}}, 1), 20);
  EXPECT_EQ(operations({{5}}, 0), 0);
  EXPECT_EQ(operations({}, 4), 0);
}

}  // namespace
}  // namespace fathom
