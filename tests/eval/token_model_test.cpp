// From texts to the tokens that are scored: what is cut, what stands before, and which windows read
// a document. The tokens are bytes.
#include "eval/token_model.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "infer/tiny_model.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using testing::ElementsAre;

// The tokens as text, the one of a document's beginning as "^", and "|" before those that are
// scored.
std::string shown_tokens(const std::vector<std::int32_t>& tokens, std::int64_t first = -1) {
  std::string text;
  for (std::int64_t i = 0; i < std::ssize(tokens); ++i) {
    const std::int32_t token = tokens[static_cast<std::size_t>(i)];
    if (i == first) text += '|';
    text += token < 256 ? static_cast<char>(token) : '^';
  }
  return text;
}

// Notes what is to be scored, the last request first.
class NotingModel : public TokenModel {
 public:
  using TokenModel::TokenModel;
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const Prompt prompt = prompt_of(requests[i]);
      take(i, fmt::format("{}{} +{}", shown_tokens(prompt.tokens), prompt.cut ? " cut" : "",
                          answer_tokens(requests[i])));
    }
  }
  Work work() const override { return {}; }

  std::vector<std::string> noted;

 private:
  void score_tokens(std::vector<ScoredTokens> requests, const TakeScore& take) override {
    for (std::size_t i = requests.size(); i-- > 0;) {
      noted.insert(noted.begin(), shown_tokens(requests[i].tokens, requests[i].first) +
                                      (requests[i].cut ? " cut" : ""));
      const std::int64_t count = std::ssize(requests[i].tokens) - requests[i].first;
      take(requests[i].index, {-static_cast<double>(requests[i].tokens.back()), count,
                               requests[i].tokens.back() != 'x'});
    }
  }
};

Tokenizer bytes_with(const std::vector<std::string>& special) {
  return Tokenizer::from_json(test::byte_tokenizer(special));
}

std::string scored(std::int64_t max_length, const std::string& context,
                   const std::string& continuation) {
  const Tokenizer tokenizer = bytes_with({"<eos>"});
  NotingModel model(tokenizer, {max_length});
  const TextPair pair{context, continuation};
  PairScore taken{1, -1, false};
  model.score(std::span(&pair, 1), [&](std::size_t i, const PairScore& score) {
    EXPECT_EQ(i, 0u);
    taken = score;
  });
  if (model.noted.empty()) return fmt::format("{} of {}", taken.log_probability, taken.tokens);
  EXPECT_EQ(taken.tokens, std::ssize(model.noted[0]) - 1 -
                              static_cast<std::int64_t>(model.noted[0].find('|')) -
                              (model.noted[0].ends_with(" cut") ? 4 : 0));
  return model.noted[0];
}

// One token more than the length fits, for the last one is not read.
TEST(TokenModel, CutsTheBeginningOfWhatIsLongerThanItsLength) {
  EXPECT_EQ(scored(6, "abc", "de"), "abc|de");
  EXPECT_EQ(scored(6, "abcd", "ef"), "abcd|ef");
  EXPECT_EQ(scored(6, "abcde", "fg"), "abcde|fg");
  EXPECT_EQ(scored(6, "abcdef", "gh"), "bcdef|gh cut");
  EXPECT_EQ(scored(6, "abcdef", "ghijkl"), "f|ghijkl cut");
  EXPECT_EQ(scored(6, "abcdef", "ghijklm"), "g|hijklm cut");
  EXPECT_EQ(scored(6, "abcdef", "ghijklmnop"), "j|klmnop cut");
}

TEST(TokenModel, TextsWithoutAContextFollowTheBeginningOfADocument) {
  EXPECT_EQ(scored(6, "", "abc"), "^|abc");
  EXPECT_EQ(scored(6, "", "abcdef"), "^|abcdef");
  EXPECT_EQ(scored(6, "", "abcdefg"), "a|bcdefg cut");
  EXPECT_EQ(scored(6, " ", "abc"), "^| abc");
  EXPECT_EQ(scored(6, "", ""), "0 of 0");
  EXPECT_EQ(scored(6, "abc", ""), "0 of 0");
  EXPECT_EQ(scored(6, "abc  ", ""), "abc|  ");
  EXPECT_EQ(scored(6, "a \t", " b"), "a| \t b");
}

TEST(TokenModel, TheBeginningOfADocumentIsTheFirstTokenThatIsThere) {
  const auto prefix = [](const std::vector<std::string>& special) {
    const Tokenizer tokenizer = bytes_with(special);
    NotingModel model(tokenizer, {6});
    const TextPair pair{"", "a"};
    return test::input_error_of(
        [&] { model.score(std::span(&pair, 1), [](std::size_t, const PairScore&) {}); });
  };
  EXPECT_EQ(prefix({"<s>", "</s>"}), "no error");
  EXPECT_EQ(prefix({"</s>"}), "no error");
  EXPECT_EQ(prefix({"<x>"}),
            "the tokenizer has no token for the beginning or the end of a document, which a text "
            "without a context "
            "needs before it");
}

// Windows that follow each other, the last one moved back to be full.
TEST(TokenModel, ReadsDocumentsInWindowsOfItsLength) {
  const auto windows = [](const std::string& document) {
    const Tokenizer tokenizer = bytes_with({"<eos>"});
    NotingModel model(tokenizer, {4});
    model.score_documents(std::span(&document, 1), [](std::size_t, const PairScore&) {});
    return model.noted;
  };
  EXPECT_THAT(windows(""), ElementsAre());
  EXPECT_THAT(windows("a"), ElementsAre("^|a"));
  EXPECT_THAT(windows("abcd"), ElementsAre("^|abcd"));
  EXPECT_THAT(windows("abcde"), ElementsAre("^|abcd", "abcd|e"));
  EXPECT_THAT(windows("abcdefgh"), ElementsAre("^|abcd", "d|efgh"));
  EXPECT_THAT(windows("abcdefghi"), ElementsAre("^|abcd", "d|efgh", "efgh|i"));
}

TEST(TokenModel, AddsUpTheWindowsOfEachDocument) {
  const Tokenizer tokenizer = bytes_with({"<eos>"});
  NotingModel model(tokenizer, {2});
  std::vector<std::string> taken(4);
  const std::vector<std::string> documents{"\1\2\3\4\5", "", "ax", "\7"};
  model.score_documents(documents, [&](std::size_t i, const PairScore& score) {
    EXPECT_EQ(taken[i], "");
    taken[i] = fmt::format("{} {} {}", score.log_probability, score.tokens, score.greedy);
  });
  EXPECT_THAT(taken, ElementsAre("-11 5 true", "0 0 true", "-120 2 false", "-7 1 true"));
}

// An answer leaves its room behind the question, and a token of the question always stays.
TEST(TokenModel, PromptsLeaveRoomForTheAnswer) {
  const auto prompt = [](const std::string& text, std::int64_t max_tokens) {
    const Tokenizer tokenizer = bytes_with({"<eos>"});
    NotingModel model(tokenizer, {8});
    const GenerateRequest request{.prompt = text, .stop = {}, .max_tokens = max_tokens};
    std::string shown;
    model.generate(std::span(&request, 1),
                   [&](std::size_t, const std::string& own) { shown = own; });
    return shown;
  };
  EXPECT_EQ(prompt("abcde", 3), "abcde +3");
  EXPECT_EQ(prompt("abcdef", 3), "bcdef cut +3");
  EXPECT_EQ(prompt("abc ", 3), "abc  +3") << "its blanks stay";
  EXPECT_EQ(prompt("", 3), "^ +3");
  EXPECT_EQ(prompt("abc", 7), "c cut +7");
  EXPECT_EQ(prompt("abc", 8), "c cut +7");
  EXPECT_EQ(prompt("abc", 99), "c cut +7");
  EXPECT_EQ(prompt("a", 99), "a +7");
}

}  // namespace
}  // namespace fathom::eval
