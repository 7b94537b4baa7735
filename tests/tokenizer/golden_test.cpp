// Small tokenizers of the kinds that public models use, and what PyPI's `tokenizers` makes
// of the same texts (tests/golden/make_tokenizer_goldens.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json_object.h"
#include "test_data.h"
#include "tokenizer/tokenizer.h"

namespace fathom {
namespace {

using Ids = std::vector<std::int32_t>;

std::string folder() {
  return golden_path("tokenizer/");
}

std::vector<std::string> texts() {
  return JsonObject::load(folder() + "texts.json").texts("texts");
}

Ids read_ids(const JsonObject& json, std::string_view key) {
  Ids ids;
  for (const std::int64_t id : json.integers(key)) ids.push_back(static_cast<std::int32_t>(id));
  return ids;
}

struct Case {
  std::string text;
  Ids ids, ids_as_text;
  std::string decoded, decoded_without_specials;
};

struct Golden {
  explicit Golden(const std::string& kind) : tokenizer(Tokenizer::load(folder() + kind + ".json")) {
    const JsonObject json = JsonObject::load(folder() + kind + ".expected.json");
    begin = read_ids(json, "begin");
    end = read_ids(json, "end");
    const auto all = texts();
    const auto expected = json.objects("cases");
    EXPECT_EQ(expected.size(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const JsonObject& one = expected[i];
      const Ids ids = read_ids(one, "ids");
      cases.push_back({all[i], ids, one.has("as_text") ? read_ids(one, "as_text") : ids,
                       one.text("decoded"),
                       one.find_text("skipped").value_or(one.text("decoded"))});
    }
  }

  Tokenizer tokenizer;
  Ids begin, end;  // that the template adds
  std::vector<Case> cases;
};

std::string streamed(const Tokenizer& tokenizer, const Ids& ids, SpecialTokens special) {
  StreamDecoder stream(tokenizer, special);
  std::string text;
  for (const std::int32_t id : ids) text += stream.push(id);
  return text.append(stream.finish());
}

class TokenizerGolden : public testing::TestWithParam<std::string> {};

TEST_P(TokenizerGolden, EncodesAsHuggingFaceDoes) {
  const Golden golden(GetParam());
  for (const Case& one : golden.cases) {
    SCOPED_TRACE("text: " + one.text);
    EXPECT_EQ(golden.tokenizer.encode(one.text, {Template::skip, SpecialText::parse}), one.ids);
    EXPECT_EQ(golden.tokenizer.encode(one.text, encode_plain), one.ids_as_text);
    Ids whole = golden.begin;
    whole.insert(whole.end(), one.ids.begin(), one.ids.end());
    whole.insert(whole.end(), golden.end.begin(), golden.end.end());
    EXPECT_EQ(golden.tokenizer.encode(one.text, encode_parsing_specials), whole);
  }
}

TEST_P(TokenizerGolden, DecodesAsHuggingFaceDoes) {
  const Golden golden(GetParam());
  for (const Case& one : golden.cases) {
    SCOPED_TRACE("text: " + one.text);
    EXPECT_EQ(golden.tokenizer.decode(one.ids, SpecialTokens::keep), one.decoded);
    EXPECT_EQ(golden.tokenizer.decode(one.ids), one.decoded_without_specials);
    EXPECT_EQ(streamed(golden.tokenizer, one.ids, SpecialTokens::keep), one.decoded);
    EXPECT_EQ(streamed(golden.tokenizer, one.ids, SpecialTokens::skip),
              one.decoded_without_specials);
  }
}

TEST_P(TokenizerGolden, WrittenFileMeansTheSame) {
  const Golden golden(GetParam());
  const std::string json = golden.tokenizer.to_json();
  const Tokenizer again = Tokenizer::from_json(json);
  EXPECT_EQ(again.to_json(), json);
  EXPECT_EQ(again.hash(), golden.tokenizer.hash());
  for (const Case& one : golden.cases) {
    EXPECT_EQ(again.encode(one.text, {Template::skip, SpecialText::parse}), one.ids);
    EXPECT_EQ(again.decode(one.ids, SpecialTokens::keep), one.decoded);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, TokenizerGolden,
    testing::ValuesIn(JsonObject::load(folder() + "texts.json").texts("kinds")),
    [](const auto& kind) { return kind.param; });

}  // namespace
}  // namespace fathom
