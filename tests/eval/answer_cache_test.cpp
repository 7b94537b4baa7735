// Answers on disk: nothing is asked twice, nothing of another model is taken, a cut line is no harm.
#include "eval/answer_cache.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using test::read_file;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

// Counts what it is asked.
class CountingModel : public LanguageModel {
 public:
  void score(std::span<const TextPair> pairs, const TakeScore& take) override {
    for (std::size_t i = pairs.size(); i-- > 0;) {
      asked.push_back(pairs[i].continuation);
      take(i, {-0.1 * static_cast<double>(pairs[i].continuation.size()), 3, pairs[i].continuation == "a"});
    }
  }
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      asked.push_back(requests[i].prompt);
      take(i, requests[i].prompt + "\n中" + std::string(requests[i].sample, '+'));
    }
  }
  void score_documents(std::span<const std::string> documents, const TakeScore& take) override {
    for (std::size_t i = 0; i < documents.size(); ++i) {
      asked.push_back(documents[i]);
      take(i, {-1.5, 2, false});
    }
  }
  Work work() const override { return {7, 3}; }

  std::vector<std::string> asked;
};

class Cache : public testing::Test {
 protected:
  std::vector<PairScore> score(const std::vector<TextPair>& pairs, const std::string& identity = "m") {
    AnswerCache cache(model_, path_, identity);
    std::vector<PairScore> scores(pairs.size());
    cache.score(pairs, [&](std::size_t i, const PairScore& score) { scores[i] = score; });
    reused_ = cache.reused();
    return scores;
  }

  TempDir dir_;
  std::string path_ = dir_ / "answers.jsonl";
  CountingModel model_;
  std::int64_t reused_ = 0;
};

TEST_F(Cache, AsksOnlyWhatIsNew) {
  score({{"x", "a"}, {"x", "bbb"}});
  model_.asked.clear();
  const auto scores = score({{"y", "bbb"}, {"x", "bbb"}, {"x", "a"}, {"x", "cc"}});
  EXPECT_THAT(model_.asked, ElementsAre("cc", "bbb"));
  EXPECT_EQ(reused_, 2);
  EXPECT_EQ(scores[1].log_probability, -0.1 * 3);  // the same bits
  EXPECT_EQ(scores[2].tokens, 3);
  EXPECT_TRUE(scores[2].greedy);
  EXPECT_FALSE(scores[1].greedy);
  EXPECT_NEAR(scores[3].log_probability, -0.2, 1e-15);
}

TEST_F(Cache, KeepsAnswersOfEachModelAndKindApart) {
  score({{"x", "a"}});
  score({{"x", "a"}}, "other");
  EXPECT_EQ(reused_, 0);
  score({{"xa", ""}});
  EXPECT_EQ(reused_, 0);
  AnswerCache cache(model_, path_, "m");
  const std::vector<std::string> documents{"xa"};
  cache.score_documents(documents, [](std::size_t, const PairScore&) {});
  EXPECT_EQ(cache.reused(), 0);
  PairScore again;
  cache.score_documents(documents, [](std::size_t, const PairScore&) {});
  EXPECT_EQ(cache.reused(), 0);  // of the file as it was when it was opened
  AnswerCache later(model_, path_, "m");
  later.score_documents(documents, [&](std::size_t, const PairScore& score) { again = score; });
  EXPECT_EQ(later.reused(), 1);
  EXPECT_EQ(again.log_probability, -1.5);
  EXPECT_EQ(later.work().computed, 3);
}

TEST_F(Cache, KeepsTexts) {
  const std::vector<GenerateRequest> requests{{"p", {"\n"}, 5}};
  std::string text;
  for (int i = 0; i < 2; ++i) {
    AnswerCache cache(model_, path_, "m");
    cache.generate(requests, [&](std::size_t, const std::string& answer) { text = answer; });
    EXPECT_EQ(text, "p\n中");
    EXPECT_EQ(cache.reused(), i);
  }
  AnswerCache cache(model_, path_, "m");
  const std::vector<GenerateRequest> longer{{"p", {"\n"}, 6}}, other{{"p", {"."}, 5}};
  cache.generate(longer, [](std::size_t, const std::string&) {});
  cache.generate(other, [](std::size_t, const std::string&) {});
  EXPECT_EQ(cache.reused(), 0);
}

// Each of these is asked, though all the others have been.
TEST_F(Cache, KeepsEveryRequestApart) {
  const auto chat_of = [](const char* role, const char* text) {
    auto chat = std::make_shared<Conversation>();
    chat->messages = {make_message(role, text)};
    return Chat(chat);
  };
  std::vector<GenerateRequest> requests{{"p", {"a", "b"}, 5, 0.8, 0.9, 0},
                                        {"q", {"a", "b"}, 5, 0.8, 0.9, 0},
                                        {"p", {"a,b"}, 5, 0.8, 0.9, 0},
                                        {"p", {"b", "a"}, 5, 0.8, 0.9, 0},
                                        {"p", {}, 5, 0.8, 0.9, 0},
                                        {"p", {"a", "b"}, 50, 0.8, 0.9, 0},
                                        {"p", {"a", "b"}, 5, 0.7, 0.9, 0},
                                        {"p", {"a", "b"}, 5, 0.8, 0.8, 0},
                                        {"p", {"a", "b"}, 5, 0.8, 0.9, 1},
                                        {"p", {"a", "b"}, 5, 0.8, 0.9, 2},
                                        {"p", {"a", "b"}, 5, 0, 0.9, 0},
                                        {"p", {"a", "b"}, 5, 0.8, 0.9, 0, chat_of("user", "p")},
                                        {"p", {"a", "b"}, 5, 0.8, 0.9, 0, chat_of("system", "p")},
                                        {"p", {"a", "b"}, 5, 0.8, 0.9, 0, chat_of("user", "r")}};
  std::vector<TextPair> pairs{{"x", "ab"},
                              {"xa", "b"},
                              {"x", "ab", chat_of("user", "x")},
                              {"x", "ab", chat_of("user", "y")}};
  {
    AnswerCache cache(model_, path_, "m");
    for (std::size_t i = 0; i < requests.size(); ++i) {
      cache.generate(std::span(&requests[i], 1), [](std::size_t, const std::string&) {});
    }
    for (const TextPair& pair : pairs)
      cache.score(std::span(&pair, 1), [](std::size_t, const PairScore&) {});
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    // Without this one's own line.
    std::string left;
    std::istringstream lines(read_file(path_));
    std::string line;
    for (std::size_t number = 0; std::getline(lines, line); ++number)
      left += number == i ? "" : line + "\n";
    write_file(dir_ / "copy", left);
    AnswerCache cache(model_, dir_ / "copy", "m");
    cache.generate(std::span(&requests[i], 1), [](std::size_t, const std::string&) {});
    EXPECT_EQ(cache.reused(), 0) << i;
  }
  AnswerCache cache(model_, path_, "m");
  model_.asked.clear();
  cache.generate(requests, [](std::size_t, const std::string&) {});
  cache.score(pairs, [](std::size_t, const PairScore&) {});
  EXPECT_EQ(cache.reused(), std::ssize(requests) + std::ssize(pairs));
  EXPECT_THAT(model_.asked, ElementsAre());
  std::istringstream lines(read_file(path_));
  std::set<std::string> keys;
  for (std::string line; std::getline(lines, line);) keys.insert(line.substr(0, line.find(',')));
  EXPECT_EQ(keys.size(), requests.size() + pairs.size());
}

// The likeliest text is the same whatever would be drawn.
TEST_F(Cache, ReusesTheLikeliestTextOfAnySample) {
  for (int i = 0; i < 2; ++i) {
    AnswerCache cache(model_, path_, "m");
    const GenerateRequest request{"p", {}, 5, 0, i == 0 ? 1 : 0.5, static_cast<std::uint64_t>(i)};
    cache.generate(std::span(&request, 1), [](std::size_t, const std::string&) {});
    EXPECT_EQ(cache.reused(), i);
  }
}

TEST_F(Cache, GivesEachSampleOfAPromptItsOwnText) {
  std::vector<GenerateRequest> requests;
  for (std::uint64_t sample = 0; sample < 3; ++sample)
    requests.push_back({"p", {}, 5, 0.8, 1, sample});
  for (int i = 0; i < 2; ++i) {
    AnswerCache cache(model_, path_, "m");
    std::vector<std::string> texts(3);
    cache.generate(requests, [&](std::size_t at, const std::string& text) { texts[at] = text; });
    EXPECT_THAT(texts, ElementsAre("p\n中", "p\n中+", "p\n中++"));
    EXPECT_EQ(cache.reused(), 3 * i);
  }
}

// An answer without a token is certain, and known like any other.
TEST_F(Cache, KeepsScoresWithoutTokens) {
  class Nothing : public CountingModel {
    void score(std::span<const TextPair> pairs, const TakeScore& take) override {
      for (std::size_t i = 0; i < pairs.size(); ++i) take(i, {});
    }
  } nothing;
  const TextPair pair{"x", ""};
  for (int i = 0; i < 2; ++i) {
    AnswerCache cache(nothing, path_, "m");
    PairScore score{-1, 1, false};
    cache.score(std::span(&pair, 1), [&](std::size_t, const PairScore& own) { score = own; });
    EXPECT_EQ(cache.reused(), i);
    EXPECT_EQ(score.log_probability, 0);
    EXPECT_EQ(score.tokens, 0);
    EXPECT_TRUE(score.greedy);
  }
}

TEST_F(Cache, NamesAFileThatCannotBeWritten) {
  EXPECT_THAT(test::error_of(ErrorKind::runtime,
                             [&] { AnswerCache(model_, dir_ / "none/answers.jsonl", "m"); }),
              HasSubstr("none/answers.jsonl: cannot be opened for writing"));
}

// As after a kill in the middle of a line.
TEST_F(Cache, RemovesALineThatWasCutShort) {
  score({{"x", "a"}, {"x", "b"}});
  const std::string whole = read_file(path_);
  write_file(path_, whole.substr(0, whole.size() - 5));
  score({{"x", "a"}, {"x", "b"}});
  EXPECT_EQ(reused_, 1);
  EXPECT_EQ(read_file(path_).size(), whole.size());
  score({{"x", "a"}, {"x", "b"}});
  EXPECT_EQ(reused_, 2);
  write_file(path_, whole.substr(0, 5));
  score({{"x", "a"}, {"x", "b"}});
  EXPECT_EQ(reused_, 0);
  EXPECT_EQ(read_file(path_).size(), whole.size());
}

TEST_F(Cache, RefusesAnotherFile) {
  write_file(path_, "{\"key\": \"x\", \"text\": \"y\"}\nnot json\n");
  EXPECT_THAT(input_error_of([&] { score({}); }), HasSubstr("answers.jsonl:2"));
}

}  // namespace
}  // namespace fathom::eval
