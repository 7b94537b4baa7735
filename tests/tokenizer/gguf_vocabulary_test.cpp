// A tokenizer as keys of a GGUF file, there and back.
#include "tokenizer/gguf_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"

namespace fathom {
namespace {

using testing::HasSubstr;

// Byte-level BPE of a few letters, cut as `pre_tokenizer` says.
Tokenizer byte_level(const std::string& pre_tokenizer) {
  return Tokenizer::from_json(
      R"({"added_tokens": [{"id": 7, "content": "</s>", "special": true},
                           {"id": 8, "content": "<x>", "special": false, "normalized": false}],
          "pre_tokenizer": )" +
      pre_tokenizer +
      R"(, "decoder": {"type": "ByteLevel"},
          "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "1": 5,
                                             "2": 6}, "merges": ["a b", "Ġ ab"]}})");
}

constexpr const char* gpt2 = R"({"type": "ByteLevel", "add_prefix_space": false})";
constexpr const char* smollm = R"({"type": "Sequence", "pretokenizers": [
    {"type": "Digits", "individual_digits": true},
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]})";

class GgufVocabularyTest : public testing::Test {
 protected:
  ~GgufVocabularyTest() override { std::filesystem::remove(path_); }
  const GgufFile& file_with(const GgufMetadata& keys) {
    GgufWriter(path_, keys, {}).finish();
    return file_.emplace(path_);
  }
  template <class F>
  static std::string error_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "no error";
  }

  std::string path_ = testing::TempDir() + "gguf_vocabulary.gguf";
  std::optional<GgufFile> file_;
};

TEST_F(GgufVocabularyTest, OurOwnFileHoldsTheSameTokenizer) {
  const Tokenizer tokenizer = byte_level(smollm);
  const GgufVocabulary out = write_gguf_tokenizer(tokenizer, {12, std::nullopt, 7});
  EXPECT_EQ(out.note, "");
  const GgufFile& file = file_with(out.keys);
  EXPECT_EQ(read_gguf_tokenizer(file).hash(), tokenizer.hash());
  EXPECT_EQ(file.text("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.text("tokenizer.ggml.pre"), "smollm");
  EXPECT_THAT(file.texts("tokenizer.ggml.tokens"),
              testing::ElementsAre("a", "b", "Ġ", "ab", "Ġab", "1", "2", "</s>", "<x>", "[PAD9]",
                                   "[PAD10]", "[PAD11]"));
  EXPECT_THAT(file.integers("tokenizer.ggml.token_type"),
              testing::ElementsAre(1, 1, 1, 1, 1, 1, 1, 3, 4, 5, 5, 5));
  EXPECT_THAT(file.texts("tokenizer.ggml.merges"), testing::ElementsAre("a b", "Ġ ab"));
  EXPECT_EQ(file.integer("tokenizer.ggml.eos_token_id"), 7);
  EXPECT_EQ(file.find_boolean("tokenizer.ggml.add_bos_token"), false);
}

TEST_F(GgufVocabularyTest, TheKeysForLlamaCppSayTheSame) {
  const Tokenizer tokenizer = byte_level(gpt2);
  GgufMetadata keys;
  keys.add_text("tokenizer.ggml.model", "gpt2");
  keys.add_text("tokenizer.ggml.pre", "gpt-2");
  keys.add_texts("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "Ġ", "ab", "Ġab", "1",
                                                                   "2", "</s>", "<x>", "[PAD9]"});
  keys.add_i32s("tokenizer.ggml.token_type",
                std::vector<std::int32_t>{1, 1, 1, 1, 1, 1, 1, 3, 4, 5});
  keys.add_texts("tokenizer.ggml.merges", std::vector<std::string>{"a b", "Ġ ab"});
  const Tokenizer read = read_gguf_tokenizer(file_with(keys));
  EXPECT_EQ(read.vocab_size(), 9);  // without the unused ones at the end
  EXPECT_EQ(Tokenizer::from_json(read.to_json()).to_json(), read.to_json());
  for (const char* text : {"ab ab", "12a", "<x>b</s>", " ab"}) {
    EXPECT_EQ(read.encode(text), tokenizer.encode(text)) << text;
    EXPECT_EQ(read.encode(text, encode_parsing_specials),
              tokenizer.encode(text, encode_parsing_specials));
  }
}

TEST_F(GgufVocabularyTest, AddsTheTokensThatTheFileAsksForAlone) {
  const auto encoded = [&](bool bos, bool eos) {
    GgufMetadata keys;
    keys.add_text("tokenizer.ggml.model", "gpt2");
    keys.add_text("tokenizer.ggml.pre", "gpt-2");
    keys.add_texts("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "<s>", "</s>"});
    keys.add_i32s("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 3, 3});
    keys.add_texts("tokenizer.ggml.merges", std::vector<std::string>{});
    keys.add_u32("tokenizer.ggml.bos_token_id", 2);
    keys.add_u32("tokenizer.ggml.eos_token_id", 3);
    keys.add_boolean("tokenizer.ggml.add_bos_token", bos);
    keys.add_boolean("tokenizer.ggml.add_eos_token", eos);
    return read_gguf_tokenizer(file_with(keys)).encode("ab");
  };
  EXPECT_THAT(encoded(false, false), testing::ElementsAre(0, 1));
  EXPECT_THAT(encoded(true, false), testing::ElementsAre(2, 0, 1));
  EXPECT_THAT(encoded(false, true), testing::ElementsAre(0, 1, 3));
  EXPECT_THAT(encoded(true, true), testing::ElementsAre(2, 0, 1, 3));
}

// SentencePiece joins by scores: "bc" before "ab".
TEST_F(GgufVocabularyTest, ScoresBecomeMerges) {
  GgufMetadata keys;
  keys.add_text("tokenizer.ggml.model", "llama");
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types{2, 3, 3};
  for (int i = 0; i < 256; ++i) {
    tokens.push_back(fmt::format("<0x{:02X}>", i));
    types.push_back(6);
  }
  std::vector<float> scores(tokens.size(), 0);
  for (const auto& [token, score] : std::initializer_list<std::pair<const char*, float>>{
           {"a", -5}, {"b", -6}, {"c", -7}, {"▁", -8}, {"ab", -2}, {"bc", -1}, {"▁a", -3}}) {
    tokens.emplace_back(token);
    types.push_back(1);
    scores.push_back(score);
  }
  keys.add_texts("tokenizer.ggml.tokens", tokens);
  keys.add_i32s("tokenizer.ggml.token_type", types);
  keys.add_f32s("tokenizer.ggml.scores", scores);
  keys.add_u32("tokenizer.ggml.bos_token_id", 1);
  keys.add_u32("tokenizer.ggml.unknown_token_id", 0);
  const Tokenizer read = read_gguf_tokenizer(file_with(keys));
  EXPECT_THAT(read.encode("abc"), testing::ElementsAre(1, 265, 264));
  EXPECT_THAT(read.encode("cab"), testing::ElementsAre(1, 262, 261, 263));
  EXPECT_THAT(read.encode("z"), testing::ElementsAre(1, 262, 3 + 'z'));
  EXPECT_EQ(read.decode(read.encode("ab z abc")), "ab z abc");
  // And out again, in llama.cpp's terms.
  const GgufVocabulary out = write_gguf_tokenizer(read, {std::ssize(tokens), 1, 2});
  const GgufFile& file = file_with(out.keys);
  EXPECT_EQ(file.text("tokenizer.ggml.model"), "llama");
  EXPECT_EQ(file.texts("tokenizer.ggml.tokens"), tokens);
  EXPECT_THAT(file.integers("tokenizer.ggml.token_type"),
              testing::ElementsAreArray(std::vector<std::int64_t>(types.begin(), types.end())));
  EXPECT_EQ(file.find_boolean("tokenizer.ggml.add_bos_token"), true);
  const auto& written = file.numbers("tokenizer.ggml.scores");
  EXPECT_GT(written[264], written[263]);
  EXPECT_GT(written[263], written[265]);
}

TEST_F(GgufVocabularyTest, WhatCannotBeIsRefused) {
  const char* other = R"({"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})";
  EXPECT_THAT(error_of([&] {
                write_gguf_tokenizer(byte_level(other), {12, {}, {}});
              }),
              HasSubstr("llama.cpp has no rules"));
  EXPECT_THAT(error_of([&] {
                write_gguf_tokenizer(byte_level(gpt2), {5, {}, {}});
              }),
              HasSubstr("the tokenizer has 9 tokens and the model 5"));
  const auto reading = [&](auto&& change) {
    GgufMetadata keys;
    change(keys);
    const GgufFile& file = file_with(keys);
    return error_of([&] { read_gguf_tokenizer(file); });
  };
  EXPECT_THAT(reading([](auto&) {}), HasSubstr("'tokenizer.ggml.model' is missing"));
  EXPECT_THAT(reading([](GgufMetadata& keys) { keys.add_text("tokenizer.ggml.model", "bert"); }),
              HasSubstr("only gpt2 and llama open"));
  const auto gpt2_keys = [](GgufMetadata& keys, const char* pre, const char* merge,
                            std::vector<std::string> tokens, std::vector<std::int32_t> types) {
    keys.add_text("tokenizer.ggml.model", "gpt2");
    keys.add_text("tokenizer.ggml.pre", pre);
    keys.add_texts("tokenizer.ggml.tokens", tokens);
    keys.add_i32s("tokenizer.ggml.token_type", types);
    keys.add_texts("tokenizer.ggml.merges", std::vector<std::string>{merge});
  };
  EXPECT_THAT(reading([&](auto& k) {
                gpt2_keys(k, "new", "a b", {"a", "b", "ab"}, {1, 1, 1});
              }),
              HasSubstr("'tokenizer.ggml.pre' is 'new'"));
  EXPECT_THAT(reading([&](auto& k) {
                gpt2_keys(k, "gpt-2", "a c", {"a", "b", "ab"}, {1, 1, 1});
              }),
              HasSubstr("'tokenizer.ggml.merges' has 'a c'"));
  EXPECT_THAT(reading([&](auto& k) {
                gpt2_keys(k, "gpt-2", "ab", {"a", "b", "ab"}, {1, 1, 1});
              }),
              HasSubstr("'tokenizer.ggml.merges' has 'ab'"));
  EXPECT_THAT(reading([&](auto& k) {
                gpt2_keys(k, "gpt-2", "a b", {"a", "b", "ab"}, {1});
              }),
              HasSubstr("lists 1 tokens"));
  EXPECT_THAT(reading([&](auto& k) {
                gpt2_keys(k, "gpt-2", "a b", {"a", "a", "ab"}, {1, 1, 1});
              }),
              HasSubstr("spells 0 and 1 alike"));
  EXPECT_THAT(reading([&](auto& k) {
                gpt2_keys(k, "gpt-2", "a b", {"a", "b", "ab", "\xff"}, {1, 1, 1, 1});
              }),
              HasSubstr("spells 3 by bytes that are not UTF-8"));
  EXPECT_THAT(reading([](auto& k) { k.add_u32("tokenizer.huggingface.json", 1); }),
              HasSubstr("'tokenizer.huggingface.json'"));
}

}  // namespace
}  // namespace fathom
