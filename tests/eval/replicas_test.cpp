// Requests shared out among ranks, each with a model of its own.
#include "eval/replicas.h"

#include <gmock/gmock.h>

#include <mutex>

#include "comm/ranks.h"
#include "core/error.h"
#include "eval/token_model.h"

namespace fathom::eval {
namespace {

// Answers by what was asked, and notes how often.
class SharedOutModel : public LanguageModel {
 public:
  explicit SharedOutModel(bool stops = false) : stops_(stops) {}
  void score(std::span<const TextPair> pairs, const TakeScore& take) override {
    asked += pairs.size();
    for (std::size_t i = pairs.size(); i-- > 0;) {
      if (stops_ && i == 0) throw EvaluationStopped();
      take(i, {-static_cast<double>(pairs[i].context.size()), 3, i % 2 == 0});
    }
  }
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override {
    asked += requests.size();
    for (std::size_t i = 0; i < requests.size(); ++i) take(i, "<" + requests[i].prompt + ">");
  }
  void score_documents(std::span<const std::string> documents, const TakeScore& take) override {
    asked += documents.size();
    for (std::size_t i = 0; i < documents.size(); ++i) take(i, {-static_cast<double>(documents[i].size()), 1, true});
  }
  Work work() const override { return {}; }

  std::size_t asked = 0;

 private:
  bool stops_;
};

class Replicas : public testing::TestWithParam<int> {};

TEST_P(Replicas, AllGetAllAnswersOfWhichEachFindsAShare) {
  const std::vector<std::string> texts{"", "a", std::string(2, '\0'), "ddd", "", "fffff", "g"};
  std::vector<TextPair> pairs;
  std::vector<GenerateRequest> requests;
  for (const std::string& text : texts) {
    pairs.push_back({text, "x"});
    requests.emplace_back().prompt = text;
  }
  std::mutex mutex;
  std::size_t asked = 0;
  run_ranks(GetParam(), {}, [&](Communicator& world) {
    SharedOutModel own;
    ReplicatedModel model(own, world);
    std::vector<double> scores(texts.size(), 1), documents(texts.size(), 1);
    std::vector<std::string> answers(texts.size());
    model.score(pairs, [&](std::size_t i, const PairScore& score) { scores[i] = score.log_probability; });
    model.score_documents(texts, [&](std::size_t i, const PairScore& score) { documents[i] = score.log_probability; });
    model.generate(requests, [&](std::size_t i, const std::string& text) { answers[i] = text; });
    model.score({}, [](std::size_t, const PairScore&) { FAIL(); });
    const std::lock_guard lock(mutex);
    asked += own.asked;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(scores[i], -static_cast<double>(texts[i].size())) << i;
      EXPECT_EQ(documents[i], -static_cast<double>(texts[i].size())) << i;
      EXPECT_EQ(answers[i], "<" + texts[i] + ">") << i;
    }
  });
  EXPECT_EQ(asked, 3 * texts.size());
}
INSTANTIATE_TEST_SUITE_P(Ranks, Replicas, testing::Values(1, 2, 3, 8));

// As on hosts with other data: what a rank has sent ends before what another one reads.
TEST(Replicas, RefuseAnswersToOtherQuestions) {
  const auto failure = [](auto&& ask) {
    try {
      run_ranks(2, {}, [&](Communicator& world) {
        SharedOutModel own;
        ReplicatedModel model(own, world);
        ask(model, world.rank());
      });
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(failure([](ReplicatedModel& model, int rank) {
                const std::vector<TextPair> pairs(rank == 0 ? 8 : 2, TextPair{"a", "b"});
                model.score(pairs, [](std::size_t, const PairScore&) {});
              }),
              testing::HasSubstr("has answered other questions than this rank asks"));
  EXPECT_THAT(failure([](ReplicatedModel& model, int rank) {
                const std::vector<GenerateRequest> requests(rank == 0 ? 4 : 8);
                model.generate(requests, [](std::size_t, const std::string&) {});
              }),
              testing::HasSubstr("has answered other questions than this rank asks"));
}

TEST(Replicas, StopTogether) {
  const std::vector<TextPair> pairs(4, TextPair{"a", "b"});
  run_ranks(2, {}, [&](Communicator& world) {
    SharedOutModel own(world.rank() == 1);
    ReplicatedModel model(own, world);
    EXPECT_THROW(model.score(pairs, [](std::size_t, const PairScore&) {}), EvaluationStopped);
    EXPECT_EQ(own.asked, 2u);
  });
}

}  // namespace
}  // namespace fathom::eval
