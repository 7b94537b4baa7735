// Log-probabilities and texts on the engine, beside the model asked alone.
#include "eval/engine_model.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "align/chat_model.h"
#include "core/error.h"
#include "infer/scorer.h"
#include "io/temp_dir.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

struct Fixture {
  explicit Fixture(EngineModelOptions options = {}, std::int64_t length = 64)
      : model(random_chat_model(length)), engine(model, context, options) {}

  std::vector<PairScore> score(const std::vector<TextPair>& pairs) {
    std::vector<PairScore> scores(pairs.size());
    std::vector<int> taken(pairs.size());
    engine.score(pairs, [&](std::size_t i, const PairScore& score) {
      scores[i] = score;
      ++taken[i];
    });
    EXPECT_THAT(taken, testing::Each(1));
    return scores;
  }
  // The sum over tokens from `first` on.
  double expected(std::vector<std::int32_t> tokens, std::int64_t first) {
    const infer::ScoreRequest request{std::move(tokens), first};
    const std::vector<float> values =
        infer::Scorer(*model.stage, context).score(std::span(&request, 1)).front();
    return std::accumulate(values.begin(), values.end(), 0.0);
  }
  std::vector<std::int32_t> ids(const std::string& text) const { return model.tokenizer.encode(text, encode_plain); }
  std::int32_t prefix() const { return model.tokenizer.bos_id() ? *model.tokenizer.bos_id() : *model.tokenizer.eos_id(); }

  Context context{cpu_device};
  infer::LoadedModel model;
  EngineModel engine;
};

// As fresh ones do, also with weights that have changed since.
TEST(EngineModel, HeldEnginesForgetWhatTheyHaveRead) {
  Fixture f({.max_sequences = 3});
  const std::vector<TextPair> pairs(1, {"a context that is longer than two pages", " A"});
  const std::vector<GenerateRequest> asked(1, {.prompt = pairs[0].context, .stop = {}, .max_tokens = 4});
  const auto written = [&] {
    std::string text;
    f.engine.generate(asked, [&](std::size_t, const std::string& answer) { text = answer; });
    return text;
  };
  const double fresh = f.score(pairs)[0].log_probability;
  const std::string text = written();
  const LanguageModel::Work once = f.engine.work();
  f.engine.hold();
  for (int round = 2; round <= 3; ++round) {
    EXPECT_EQ(f.score(pairs)[0].log_probability, fresh);
    EXPECT_EQ(written(), text);
    EXPECT_EQ(f.engine.work().computed, round * once.computed);
    EXPECT_EQ(f.engine.work().named, round * once.named);
  }
}

TEST(EngineModel, ScoresContinuationsOfSharedContexts) {
  Fixture f({.max_sequences = 3});
  const std::string context = "a context that is longer than two pages";
  std::vector<TextPair> pairs;
  for (const char* end : {" A", " B", " yes", " no", " A", " yes indeed"}) pairs.push_back({context, end});
  pairs.push_back({"another", " A"});
  const std::vector<PairScore> scores = f.score(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::int64_t first = std::ssize(f.ids(pairs[i].context));
    const auto tokens = f.ids(pairs[i].context + pairs[i].continuation);
    EXPECT_NEAR(scores[i].log_probability, f.expected(tokens, first), 1e-4) << i;
    EXPECT_EQ(scores[i].tokens, std::ssize(tokens) - first);
  }
  // The context is read once, and the two continuations " A" and " B" are one request.
  EXPECT_LT(f.engine.work().computed, f.engine.work().named / 2);
}

TEST(EngineModel, EndsWhenItIsAskedTo) {
  int looks = 0;
  Fixture f({.max_sequences = 1, .stopped = [&] { return ++looks == 3; }});
  std::vector<TextPair> different(9, TextPair{"a", " b c"});
  for (std::size_t i = 0; i < different.size(); ++i) different[i].context += std::to_string(i);
  int taken = 0;
  EXPECT_THROW(f.engine.score(different, [&](std::size_t, const PairScore&) { ++taken; }), EvaluationStopped);
  EXPECT_LT(taken, 9);
  looks = 0;
  std::vector<GenerateRequest> requests(1);
  requests[0].prompt = "a";
  requests[0].max_tokens = 9;
  EXPECT_THROW(f.engine.generate(requests, [](std::size_t, const std::string&) {}), EvaluationStopped);
}

// The tokenizer is one of bytes: the blank at the context's end moves to the continuation.
TEST(EngineModel, MovesBlanksToTheContinuation) {
  Fixture f;
  const auto scores = f.score({{"one: ", "two"}, {"one:", " two"}});
  EXPECT_EQ(scores[0].tokens, 4);
  EXPECT_EQ(scores[0].log_probability, scores[1].log_probability);
}

// As lm-evaluation-harness has it: the context's tokens, and what the whole has more of them.
TEST(EngineModel, ReadsTheContextByItselfWhereTheWholeJoinsItsEnd) {
  Fixture f;
  std::string json = small_tokenizer_json();
  json.replace(json.find("\"Ġa\""), std::string("\"Ġa\"").size(), "\"bc\"");
  json.replace(json.find("\"Ġ a\""), std::string("\"Ġ a\"").size(), "\"b c\"");
  f.model.tokenizer = Tokenizer::from_json(json);
  ASSERT_THAT(f.ids("abcdef"), testing::ElementsAre('a', 256, 'd', 'e', 'f'));
  const PairScore score = f.score({{"ab", "cdef"}})[0];
  EXPECT_EQ(score.tokens, 3);
  EXPECT_NEAR(score.log_probability, f.expected({'a', 'b', 'd', 'e', 'f'}, 2), 1e-4);
}

TEST(EngineModel, ScoresEachFromItsOwnFirstToken) {
  Fixture f;
  const auto tokens = f.ids("one two A");
  const auto scores = f.score({{"one two", " A"}, {"one", " two A"}});
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t scored = i == 0 ? 2 : 6;
    EXPECT_EQ(scores[i].tokens, scored);
    EXPECT_NEAR(scores[i].log_probability, f.expected(tokens, std::ssize(tokens) - scored), 1e-4);
  }
}

TEST(EngineModel, ScoresTextsWithoutContextBehindThePrefix) {
  Fixture f;
  auto tokens = f.ids("alone");
  tokens.insert(tokens.begin(), f.prefix());
  EXPECT_NEAR(f.score({{"", "alone"}})[0].log_probability, f.expected(tokens, 1), 1e-4);
  const PairScore nothing = f.score({{"text", ""}})[0];
  EXPECT_EQ(nothing.log_probability, 0);
  EXPECT_EQ(nothing.tokens, 0);
}

// 65 tokens fit a context of 64: the last is only scored.
TEST(EngineModel, LeavesOutTheBeginningOfWhatIsTooLong) {
  Fixture f;
  const std::string text(100, 'x');
  const std::string context = text + "abc";
  auto tokens = f.ids(context + " end");
  tokens.erase(tokens.begin(), tokens.end() - 65);
  const PairScore score = f.score({{context, " end"}})[0];
  EXPECT_NEAR(score.log_probability, f.expected(tokens, 61), 1e-4);
  EXPECT_EQ(score.tokens, 4);
}

// Of all bytes that may follow, at most one is greedy: the one that the engine generates.
TEST(EngineModel, SaysWhetherTheContinuationIsGreedy) {
  Fixture f;
  int found = 0;
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::string context(1, c);
    std::string likeliest;
    const std::vector<GenerateRequest> requests{{context, {}, 1}};
    f.engine.generate(requests, [&](std::size_t, const std::string& text) { likeliest = text; });
    std::vector<TextPair> pairs;
    for (char next = '!'; next <= '~'; ++next) pairs.push_back({context, std::string(1, next)});
    const auto scores = f.score(pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(scores[i].greedy, pairs[i].continuation == likeliest) << context << i;
      found += scores[i].greedy;
    }
  }
  EXPECT_GT(found, 0);
}

// The last byte of each is the likeliest one behind the others: greedy is one whose first byte is
// so, too.
TEST(EngineModel, GreedyIsEveryTokenOfTheContinuation) {
  Fixture f;
  const auto likeliest = [&](const std::vector<std::string>& contexts) {
    std::vector<GenerateRequest> requests;
    for (const std::string& context : contexts) requests.push_back({context, {}, 1});
    std::vector<std::string> texts(contexts.size());
    f.engine.generate(requests, [&](std::size_t i, const std::string& text) { texts[i] = text; });
    return texts;
  };
  int others = 0;
  for (char c = 'a'; c <= 'c'; ++c) {
    const std::string context(1, c), first = likeliest({context})[0];
    std::vector<std::string> begun;
    for (char next = '!'; next <= '~'; ++next) begun.push_back(context + next);
    const std::vector<std::string> last = likeliest(begun);
    std::vector<TextPair> pairs;
    for (std::size_t i = 0; i < begun.size(); ++i) {
      const bool plain = last[i].size() == 1 && last[i] > " ";
      if (plain) pairs.push_back({context, begun[i].substr(1) + last[i]});
    }
    const auto scores = f.score(pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const bool greedy = pairs[i].continuation.substr(0, 1) == first;
      EXPECT_EQ(scores[i].greedy, greedy) << context << pairs[i].continuation;
      others += !greedy;
    }
  }
  EXPECT_GT(others, 0);
}

// Windows of 10 tokens: the first behind the prefix, the last one moved back to be full.
TEST(EngineModel, ReadsDocumentsInWindows) {
  Fixture f({.max_length = 10});
  const std::string document = "The quick brown fox jumps";  // 25 tokens
  const auto ids = f.ids(document);
  double expected = 0;
  const auto add = [&](std::int64_t begin, std::int64_t end, std::int64_t scored) {
    std::vector<std::int32_t> window;
    if (begin < 0) window.push_back(f.prefix());
    window.insert(window.end(), ids.begin() + std::max<std::int64_t>(begin, 0), ids.begin() + end);
    expected += f.expected(window, std::ssize(window) - scored);
  };
  add(-1, 10, 10);
  add(9, 20, 10);
  add(14, 25, 5);
  const std::vector<std::string> documents{document, ""};
  std::map<std::size_t, PairScore> scores;
  f.engine.score_documents(documents, [&](std::size_t i, const PairScore& score) { scores[i] = score; });
  EXPECT_NEAR(scores[0].log_probability, expected, 1e-4);
  EXPECT_EQ(scores[0].tokens, 25);
  EXPECT_EQ(scores.at(1).tokens, 0);
}

// The weights are random, and so are the bytes: texts are valid UTF-8 all the same.
TEST(EngineModel, GeneratesUpToTheStop) {
  Fixture f;
  std::vector<std::string> texts;
  const auto generate = [&](const std::vector<GenerateRequest>& requests) {
    texts.assign(requests.size(), "");
    f.engine.generate(requests, [&](std::size_t i, const std::string& text) { texts[i] = text; });
  };
  std::vector<GenerateRequest> requests{{std::string(200, 'c'), {}, 12}};
  for (char c = 'a'; c <= 'z'; ++c) requests.push_back({std::string(1, c), {}, 12});
  generate(requests);
  const std::vector<std::string> whole = texts;
  int repaired = 0, stopped = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(utf8::valid_prefix(whole[i]), whole[i].size());
    repaired += whole[i].find("\xEF\xBF\xBD") != std::string::npos;
    const auto ascii = std::ranges::find_if(whole[i], [](char c) { return c > ' ' && c < 127; });
    if (ascii == whole[i].end()) continue;
    requests[i].stop = {std::string(1, *ascii)};
    generate({requests[i]});
    EXPECT_EQ(texts[0], whole[i].substr(0, whole[i].find(*ascii)));
    ++stopped;
  }
  EXPECT_GT(repaired, 0);
  EXPECT_GT(stopped, 0);
}

// Each sample of a prompt is its own draw, whatever is asked beside it.
TEST(EngineModel, DrawsSamplesByTheirNumbers) {
  Fixture f({.max_sequences = 3});
  const auto drawn = [&](const std::vector<GenerateRequest>& requests) {
    std::vector<std::string> texts(requests.size());
    f.engine.generate(requests, [&](std::size_t i, const std::string& text) { texts[i] = text; });
    return texts;
  };
  const auto request = [](double temperature, double top_p, std::uint64_t sample) {
    return GenerateRequest{"a prompt", {}, 12, temperature, top_p, sample};
  };
  const std::vector<std::string> three =
      drawn({request(1, 1, 0), request(1, 1, 1), request(1, 1, 2)});
  EXPECT_NE(three[0], three[1]);
  EXPECT_NE(three[1], three[2]);
  EXPECT_NE(three[0], three[2]);
  EXPECT_EQ(drawn({request(1, 1, 2), {"another", {}, 12, 1, 1, 0}, request(1, 1, 0)}),
            (std::vector{three[2], drawn({{"another", {}, 12, 1, 1, 0}})[0], three[0]}));
  const std::string likeliest = drawn({request(0, 1, 0)})[0];
  EXPECT_NE(three[0], likeliest);
  EXPECT_EQ(drawn({request(0, 1, 5)})[0], likeliest);
  EXPECT_EQ(drawn({request(1, 1e-9, 1)})[0], likeliest) << "of one token";
  EXPECT_NE(drawn({request(0.3, 1, 1)})[0], three[1]);
}

TEST(EngineModel, RefusesLengthsThatItCannotUse) {
  for (const std::int64_t length : {-1, 1, 65}) {
    EXPECT_EQ(test::input_error_of([&] { Fixture({.max_length = length}); }),
              fmt::format("a length of {} tokens: use 2 to the model's context of 64", length));
  }
  for (const std::int64_t length : {0, 2, 64}) {
    EXPECT_EQ(test::input_error_of([&] { Fixture({.max_length = length}); }), "no error") << length;
  }
}

// Alone, in batches of any size, in another order, and beside other questions.
TEST(EngineModel, ScoresHaveTheSameBitsInAnyBatchWhereThatIsAsked) {
  std::vector<TextPair> pairs;
  for (int i = 0; i < 24; ++i) {
    const std::string context(static_cast<std::size_t>(5 + i * 7 % 40), static_cast<char>('a' + i % 3));
    pairs.push_back({context, std::string(" ") + static_cast<char>('A' + i % 5)});
    if (i % 4 == 0) pairs.push_back({context, " another answer"});
  }
  const auto scores_of = [&](std::int64_t sequences, const std::vector<TextPair>& asked) {
    Fixture f({.max_sequences = sequences});
    f.context.batch_invariance = BatchInvariance::on;
    std::vector<double> scores;
    for (const PairScore& score : f.score(asked)) scores.push_back(score.log_probability);
    return scores;
  };
  const std::vector<double> expected = scores_of(64, pairs);
  EXPECT_EQ(scores_of(3, pairs), expected);
  std::vector<TextPair> backwards(pairs.rbegin(), pairs.rend());
  std::vector<double> got = scores_of(7, backwards);
  std::ranges::reverse(got);
  EXPECT_EQ(got, expected);
  for (std::size_t i = 0; i < pairs.size(); i += 5) {
    EXPECT_EQ(scores_of(1, {pairs[i]}).front(), expected[i]) << i;
  }
}

TEST(EngineModel, DocumentsHaveTheSameBitsInAnyBatchWhereThatIsAsked) {
  std::vector<std::string> documents;
  for (int i = 0; i < 12; ++i) {
    std::string& document = documents.emplace_back();
    for (int k = 0; k < 40 + 60 * (i % 4); ++k) document += static_cast<char>('a' + (k * k + i) % 26);
  }
  const auto scores_of = [&](std::int64_t sequences) {
    Fixture f({.max_sequences = sequences});
    f.context.batch_invariance = BatchInvariance::on;
    std::vector<double> scores(documents.size());
    f.engine.score_documents(documents, [&](std::size_t i, const PairScore& score) {
      scores[i] = score.log_probability;
    });
    return scores;
  };
  const std::vector<double> expected = scores_of(1);
  for (const std::int64_t sequences : {2, 5, 64}) EXPECT_EQ(scores_of(sequences), expected);
}

}  // namespace
}  // namespace fathom::eval
