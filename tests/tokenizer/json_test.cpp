// Corrupt tokenizer.json files: each one Error that names file and key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tokenizer/tokenizer.h"

namespace fathom {
namespace {

std::string with(const std::string& model, const std::string& rest = "") {
  return "{\"model\":{\"type\":\"BPE\"," + model + "}" + rest + "}";
}
const std::string ok_model = R"("vocab":{"a":0,"b":1,"ab":2},"merges":["a b"])";

std::string error_of(const std::string& text) {
  try {
    Tokenizer::from_json(text, "t.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

TEST(TokenizerJson, BothNotationsOfMergesMeanTheSame) {
  const auto a = Tokenizer::from_json(with(ok_model));
  const auto b = Tokenizer::from_json(with(R"("vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]])"));
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_EQ(a.encode("abba"), (std::vector<std::int32_t>{2, 1, 0}));
}

TEST(TokenizerJson, WrittenFileReadsBackTheSame) {
  const auto a = Tokenizer::from_json(with(
      ok_model, R"(,"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},)"
                R"({"type":"Replace","pattern":{"String":"x"},"content":"y"}]},)"
                R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\s"},"behavior":"Removed",)"
                R"("invert":false},"added_tokens":[{"id":5,"content":"<s>","special":true}])"));
  EXPECT_EQ(Tokenizer::from_json(a.to_json()).to_json(), a.to_json());
  EXPECT_EQ(a.vocab_size(), 6);
}

TEST(TokenizerJson, RefusesWhatIsCorrupt) {
  using testing::HasSubstr;
  EXPECT_THAT(error_of("{"), HasSubstr("t.json: not valid JSON"));
  EXPECT_THAT(error_of("[]"), HasSubstr("t.json: is [], not an object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("t.json: 'model' is missing"));
  EXPECT_THAT(error_of(with(R"("merges":[])")), HasSubstr("'model.vocab' is missing"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":-1},"merges":[])")),
              HasSubstr("'model.vocab.a' is -1, not a whole number from 0 to"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":1e3},"merges":[])")), HasSubstr("not a whole number"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":99999999999999999999},"merges":[])")),
              HasSubstr("vocab.a"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":2000000},"merges":[])")), HasSubstr("far beyond"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":0,"b":0},"merges":[])")),
              HasSubstr("is 0, the id of 'a' too"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":0},"merges":["a b"])")),
              HasSubstr("'model.merges[0]' makes or wants 'b', which is not in the vocabulary"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":0},"merges":["a b c"])")),
              HasSubstr("merges[0]' is \"a b c\", not \"left right\" or"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":0},"merges":[],"dropout":0.5)")),
              HasSubstr("'model.dropout' is not supported"));
  EXPECT_THAT(error_of(with(R"("vocab":{"a":0},"merges":[],"unk_token":"?")")),
              HasSubstr("'model.unk_token' is '?', which is not in the vocabulary"));
}

TEST(TokenizerJson, RefusesWhatIsNotSupported) {
  using testing::HasSubstr;
  EXPECT_THAT(error_of(with(ok_model, R"(,"normalizer":{"type":"Precompiled"})")),
              HasSubstr("t.json: 'normalizer.type' is 'Precompiled', which is not supported"));
  EXPECT_THAT(error_of(with(ok_model, R"(,"pre_tokenizer":{"type":"Split","pattern":)"
                                      R"({"Regex":"("},"behavior":"Isolated"})")),
              HasSubstr("t.json: pre_tokenizer: the regular expression '(' is not usable"));
  std::string deep = R"({"type":"NFC"})";
  for (int i = 0; i < 20; ++i) deep = R"({"type":"Sequence","normalizers":[)" + deep + "]}";
  EXPECT_THAT(error_of(with(ok_model, ",\"normalizer\":" + deep)), HasSubstr("nested too deeply"));
  const std::string brackets(60000, '[');
  EXPECT_THAT(error_of(with(ok_model, ",\"truncation\":" + brackets)),
              HasSubstr("arrays and objects are nested more than 128 deep"));
}

// Each step is run by one level of recursion: too many would overflow the stack.
TEST(TokenizerJson, BoundsTheNumberOfSteps) {
  const auto with_steps = [](int count) {
    std::string steps;
    for (int i = 0; i < count; ++i) {
      steps += std::string(i > 0 ? "," : "") + R"({"type":"Digits","individual_digits":true})";
    }
    return with(ok_model,
                R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + steps + "]}");
  };
  EXPECT_THAT(Tokenizer::from_json(with_steps(64)).encode("ab"), testing::ElementsAre(2));
  EXPECT_THAT(error_of(with_steps(60000)),
              testing::HasSubstr("'pre_tokenizer.pretokenizers[64]' is one step too many: at most "
                                 "64 are supported"));
}

TEST(TokenizerJson, RefusesWrongAddedTokens) {
  using testing::HasSubstr;
  const auto added = [](const std::string& list) {
    return error_of(with(ok_model, ",\"added_tokens\":[" + list + "]"));
  };
  EXPECT_THAT(added(R"({"id":0,"content":"<s>"})"), HasSubstr("the vocabulary says otherwise"));
  EXPECT_THAT(added(R"({"id":7,"content":"a"})"), HasSubstr("the vocabulary says otherwise"));
  EXPECT_THAT(added(R"({"id":7,"content":"x"},{"id":8,"content":"x"})"), HasSubstr("added twice"));
  EXPECT_THAT(added(R"({"id":7,"content":"x"},{"id":7,"content":"y"})"),
              HasSubstr("uses the id 7 twice"));
  EXPECT_THAT(added(R"({"id":7,"content":""})"), HasSubstr("is empty"));
}

TEST(TokenizerJson, MissingFileIsAnInputError) {
  EXPECT_THROW(Tokenizer::load("/nonexistent/tokenizer.json"), Error);
}

}  // namespace
}  // namespace fathom
