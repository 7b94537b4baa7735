// Ranks that share a model answer together: where they end, and what they compute.
#include "eval/learner_model.h"

#include <gmock/gmock.h>

#include <mutex>

#include "comm/thread_ranks.h"
#include "core/parallel.h"
#include "infer/tiny_model.h"
#include "io/temp_dir.h"
#include "parallel/small_model.h"

namespace fathom::eval {
namespace {

constexpr std::int64_t length = 24, sequences = 2, most_tokens = 12;

ModelConfig model_config() {
  return test::small_model(4, 2, 320);
}

// Called on each rank with a model of two ranks, and `stopped` of the model's options.
using Work = std::function<void(int rank, LearnerModel& model)>;
void on_two_ranks(int pp, int tp, const std::function<bool(int rank)>& stopped, const Work& work) {
  const test::TempDir dir;
  test::write_file(dir / "tokenizer.json", test::byte_tokenizer({"<eos>"}));
  const Tokenizer tokenizer = Tokenizer::load(dir / "tokenizer.json");
  ParallelConfig parallel;
  parallel.pp = pp;
  parallel.tp = tp;
  const ParallelPlan plan = resolve(parallel, 2, model_config(), {sequences, sequences, length});
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    set_num_threads(1);
    const RankGroups groups(world, plan, model_config());
    LearnerOptions options(groups);
    options.model = model_config();
    options.stage = {Recompute::none, 10};
    options.micro_tokens = options.tokens_per_step = length * sequences;
    options.sequence_length = length;
    options.logit_rows = 3;
    Learner learner(options);
    learner.initialize_weights(5);
    const OwnedStream uploads(cpu_device);
    DeviceBatch memory(uploads, options.micro_tokens);
    LearnerModelOptions own;
    own.tokens.max_length = LearnerModel::longest(options);
    own.tokens.stopped = [&] { return stopped(world.rank()); };
    LearnerModel model(learner, memory, tokenizer, own);
    work(world.rank(), model);
  });
}

class LearnerModelOn : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  void on_ranks(const std::function<bool(int rank)>& stopped, const Work& work) const {
    on_two_ranks(GetParam().first, GetParam().second, stopped, work);
  }
};

std::vector<std::string> written(LearnerModel& model, const std::vector<std::string>& stop) {
  std::vector<GenerateRequest> requests;
  for (const char* prompt : {"one", "another"}) requests.push_back({prompt, stop, most_tokens});
  std::vector<std::string> texts(requests.size());
  model.generate(requests, [&](std::size_t i, const std::string& text) { texts[i] = text; });
  return texts;
}

// A token costs a forward, before which the model asks whether it is to stop.
TEST_P(LearnerModelOn, WritesNothingBehindAStopString) {
  std::mutex mutex;
  std::vector<int> whole(2), ended(2);
  std::vector<int>* counts = &whole;
  const auto count = [&](int rank) {
    const std::lock_guard lock(mutex);
    ++(*counts)[static_cast<std::size_t>(rank)];
    return false;
  };
  std::vector<std::string> texts;
  on_ranks(count, [&](int rank, LearnerModel& model) {
    if (const auto own = written(model, {}); rank == 0) texts = own;
  });
  ASSERT_GE(whole[0], most_tokens);
  // The first character of each text that is one.
  std::vector<std::string> stop;
  for (const std::string& text : texts) {
    const auto at = std::ranges::find_if(text, [](char c) { return c > 0; });
    ASSERT_NE(at, text.end()) << text;
    ASSERT_LT(at - text.begin(), 9) << text;
    stop.push_back(std::string(1, *at));
  }
  counts = &ended;
  on_ranks(count, [&](int, LearnerModel& model) {
    const std::vector<std::string> stopped = written(model, stop);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(stopped[i], texts[i].substr(0, texts[i].find_first_of(stop[0] + stop[1])));
    }
  });
  EXPECT_LT(ended[0], whole[0]);
  EXPECT_EQ(ended[0], ended[1]);
}

// Though one rank alone is asked to.
TEST_P(LearnerModelOn, StopsWithinAnAnswer) {
  int asked = 0;
  on_ranks([&](int rank) { return rank == 1 && ++asked == 3; },
           [](int, LearnerModel& model) { EXPECT_THROW(written(model, {}), EvaluationStopped); });
  EXPECT_EQ(asked, 3);
}

// As the device sees them.
TEST_P(LearnerModelOn, ReadsTextsInFewShapes) {
  on_ranks([](int) { return false; }, [](int, LearnerModel& model) {
    const auto computed = [&](const std::vector<TextPair>& pairs) {
      const std::int64_t before = model.work().computed;
      model.score(pairs, [](std::size_t, const PairScore& score) { EXPECT_LT(score.log_probability, 0); });
      return model.work().computed - before;
    };
    model.warm_up();
    const std::int64_t one = computed({{"a", "b"}});
    EXPECT_EQ(computed({{"a longer", " one"}}), one);
    EXPECT_EQ(computed({{"a", "b"}, {"c", "de"}}), one);
  });
}

// Of one text alone or beside others, at once or in parts.
TEST_P(LearnerModelOn, ScoresTheTokensOfContinuations) {
  on_ranks([](int) { return false; }, [](int, LearnerModel& model) {
    const auto scores_of = [&](const std::vector<TextPair>& pairs) {
      std::vector<PairScore> scores(pairs.size());
      model.score(pairs, [&](std::size_t i, const PairScore& score) { scores[i] = score; });
      return scores;
    };
    const auto scores = scores_of({{"one", " two"}, {"one", " t"}, {"one t", "wo"}, {"", "x"},
                                   {std::string(100, 'y'), "abc"}});
    std::vector<std::int64_t> tokens;
    for (const PairScore& score : scores) tokens.push_back(score.tokens);
    EXPECT_THAT(tokens, testing::ElementsAre(4, 2, 2, 1, 3));
    EXPECT_NEAR(scores[0].log_probability, scores[1].log_probability + scores[2].log_probability,
                1e-4);
    EXPECT_NEAR(scores_of({{"one", " two"}})[0].log_probability, scores[0].log_probability, 1e-4);
  });
}

// Of all bytes that may follow at most one is likeliest, and a text is greedy by all of its bytes.
TEST_P(LearnerModelOn, SaysWhetherTheContinuationIsGreedy) {
  on_ranks([](int) { return false; }, [](int, LearnerModel& model) {
    const auto greedy_of = [&](const std::string& context, const std::vector<std::string>& ends) {
      std::vector<TextPair> pairs;
      for (const std::string& end : ends) pairs.push_back({context, end});
      std::vector<bool> greedy(pairs.size());
      model.score(pairs, [&](std::size_t i, const PairScore& score) { greedy[i] = score.greedy; });
      return greedy;
    };
    std::vector<std::string> letters;
    for (char c = '!'; c <= '~'; ++c) letters.push_back(std::string(1, c));
    for (const std::string& context : letters) {
      const std::vector<bool> first = greedy_of(context, letters);
      EXPECT_LE(std::ranges::count(first, true), 1);
      const auto at = std::ranges::find(first, true);
      if (at == first.end()) continue;
      const std::string likeliest = letters[std::size_t(at - first.begin())];
      const std::string other = likeliest == "#" ? "%" : "#";
      std::vector<std::string> ends;
      for (const std::string& begin : {likeliest, other}) {
        for (const std::string& letter : letters) ends.push_back(begin + letter);
      }
      const std::vector<bool> both = greedy_of(context, ends);
      const std::vector<bool> second = greedy_of(context + likeliest, letters);
      for (std::size_t i = 0; i < ends.size(); ++i) {
        EXPECT_EQ(both[i], i < letters.size() && second[i]) << ends[i];
      }
      return;
    }
    ADD_FAILURE() << "no byte is likeliest";
  });
}

INSTANTIATE_TEST_SUITE_P(Layouts, LearnerModelOn,
                         testing::Values(std::pair(2, 1), std::pair(1, 2)), [](const auto& of) {
                           return std::string(of.param.first > 1 ? "pp" : "tp");
                         });

}  // namespace
}  // namespace fathom::eval
