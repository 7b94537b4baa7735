// A tokenizer as keys of a GGUF file, there and back.
#include "tokenizer/gguf_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "tokenizer/gguf_rules.h"
#include "tokenizer/pre_tokenizer.h"

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

std::string cut(const std::vector<tokenizer::PreTokenizerStep>& steps, std::string_view text) {
  class Joining final : public tokenizer::PreTokenizer::Sink {
   public:
    void piece(std::string_view own) override {
      all += (all.empty() ? "" : "/") + std::string(own);
    }
    std::string all;
  } joined;
  const tokenizer::PreTokenizer cutter(steps, "test");
  auto scratch = cutter.make_scratch();
  cutter.split(text, true, scratch, joined);
  return joined.all;
}

TEST(GgufRules, CutTextAsTheirNamesSay) {
  const std::string text = "I'm 12345 x2  (b)\n\n 中文1。Ünü";
  const std::string smollm_cut = "I/'m/ /1/2/3/4/5/ x/2/ / (/b/)/\n\n/ 中文/1/。/Ünü";
  const std::string llama = "I/'m/ /123/45/ x/2/ / (/b/)\n\n/ 中文/1/。Ünü";
  for (const auto& [name, pieces] : std::vector<std::pair<const char*, std::string>>{
           {"gpt-2", "I/'m/ 12345/ x/2/ / (/b/)/\n\n/ 中文/1/。/Ünü"},
           {"smollm", smollm_cut},
           {"starcoder", smollm_cut},
           {"refact", smollm_cut},
           {"llama-bpe", llama},
           {"llama3", llama},
           {"llama-v3", llama},
           {"qwen2", "I/'m/ /1/2/3/4/5/ x/2/ / (/b/)\n\n/ 中文/1/。Ünü"},
           {"deepseek-llm", "I/'/m/ /1/2/3/4/5/ x/2/ / (/b/)/\n/\n/ /中文/1/。/Ü/n/ü"},
           {"deepseek-coder", "I/'/m/ /1/2/3/4/5/ x/2/ / (/b/)/\n/\n/ /中文/1/。/Ünü"}}) {
    const auto rules = tokenizer::gguf_rules(name);
    ASSERT_TRUE(rules) << name;
    EXPECT_EQ(cut(rules->steps, text), pieces) << name;
    EXPECT_EQ(rules->ignore_merges, std::string(name).starts_with("llama")) << name;
    EXPECT_EQ(rules->nfc, std::string(name) == "qwen2") << name;
    // Their first name stands for them, also where offsets are trimmed.
    tokenizer::TokenizerSpec spec;
    spec.pre_tokenizers = rules->steps;
    for (auto& step : spec.pre_tokenizers) step.trim_offsets = !step.trim_offsets;
    const auto found = tokenizer::gguf_rules_name(spec);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->name, pieces == smollm_cut ? "smollm" : pieces == llama ? "llama-bpe" : name);
    EXPECT_TRUE(found->exact) << name;
  }
  for (const char* name : {"", "default", "gpt2", "llama", "qwen", "GPT-2"})
    EXPECT_FALSE(tokenizer::gguf_rules(name)) << name;
}

TEST(GgufRules, AreTheNearestForFathomsOwnTokenizers) {
  tokenizer::TokenizerSpec spec;
  spec.pre_tokenizers = tokenizer::default_pre_tokenizers();
  const auto own = tokenizer::gguf_rules_name(spec);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->name, "deepseek-llm");
  EXPECT_FALSE(own->exact);
  // Those of DeepSeek's own file, whose letters are a list of ranges.
  spec.pre_tokenizers = tokenizer::gguf_rules("deepseek-llm")->steps;
  spec.pre_tokenizers[1].pattern.text = R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+)";
  ASSERT_TRUE(tokenizer::gguf_rules_name(spec));
  EXPECT_EQ(tokenizer::gguf_rules_name(spec)->name, "deepseek-llm");
  EXPECT_TRUE(tokenizer::gguf_rules_name(spec)->exact);
  std::swap(spec.pre_tokenizers[1], spec.pre_tokenizers[2]);
  EXPECT_FALSE(tokenizer::gguf_rules_name(spec));
  spec.pre_tokenizers = tokenizer::default_pre_tokenizers();
  spec.pre_tokenizers.pop_back();
  EXPECT_FALSE(tokenizer::gguf_rules_name(spec));
  spec.pre_tokenizers.clear();
  EXPECT_FALSE(tokenizer::gguf_rules_name(spec));
}

// A file of byte-level BPE with the tokens "a", "b", "é" of two characters, "ab" that no merge
// makes.
TEST_F(GgufVocabularyTest, RulesSayWhetherWholeTokensAndNfcCount) {
  const auto encoded = [&](const char* pre, const char* text) {
    GgufMetadata keys;
    keys.add_text("tokenizer.ggml.model", "gpt2");
    keys.add_text("tokenizer.ggml.pre", pre);
    keys.add_texts("tokenizer.ggml.tokens",
                   std::vector<std::string>{"a", "b", "ab", "e", "Ã", "©", "Ì", "ģ"});
    keys.add_texts("tokenizer.ggml.merges", std::vector<std::string>{});
    return read_gguf_tokenizer(file_with(keys)).encode(text);
  };
  EXPECT_THAT(encoded("llama-bpe", "ab"), testing::ElementsAre(2));
  EXPECT_THAT(encoded("llama3", "ab"), testing::ElementsAre(2));
  for (const char* pre : {"gpt-2", "smollm", "qwen2", "deepseek-llm", "deepseek-coder"}) {
    EXPECT_THAT(encoded(pre, "ab"), testing::ElementsAre(0, 1)) << pre;
  }
  EXPECT_THAT(encoded("qwen2", "e\u0301"), testing::ElementsAre(4, 5));
  EXPECT_THAT(encoded("gpt-2", "e\u0301"), testing::ElementsAre(3, 6, 7));
}

GgufMetadata sentence_piece_keys() {
  GgufMetadata keys;
  keys.add_text("tokenizer.ggml.model", "llama");
  keys.add_texts("tokenizer.ggml.tokens",
                 std::vector<std::string>{"<unk>", "<s>", "</s>", "a", "▁", "▁a", "<0x21>", "<x>"});
  keys.add_f32s("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -3, -2, -1, 0, 0});
  keys.add_i32s("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 1, 1, 1, 6, 4});
  keys.add_u32("tokenizer.ggml.bos_token_id", 1);
  keys.add_u32("tokenizer.ggml.eos_token_id", 2);
  return keys;
}

// The space before a text is there unless the file says otherwise, and decoding removes what is.
TEST_F(GgufVocabularyTest, PutsASpaceBeforeTheTextUnlessToldOtherwise) {
  const auto check = [&](std::optional<bool> prefix, const std::vector<std::int32_t>& ids,
                         const char* decoded) {
    GgufMetadata keys = sentence_piece_keys();
    if (prefix) keys.add_boolean("tokenizer.ggml.add_space_prefix", *prefix);
    const Tokenizer read = read_gguf_tokenizer(file_with(keys));
    EXPECT_EQ(read.encode("a a", encode_plain), ids);
    EXPECT_EQ(read.decode(std::vector<std::int32_t>{5, 5}), decoded);
    StreamDecoder stream(read);
    const std::string first = stream.push(5);
    EXPECT_EQ(first + stream.push(5) + stream.finish(), decoded);
    const GgufVocabulary out = write_gguf_tokenizer(read, {8, 1, 2});
    EXPECT_EQ(file_with(out.keys).find_boolean("tokenizer.ggml.add_space_prefix"),
              prefix.value_or(true));
  };
  check(std::nullopt, {5, 5}, "a a");
  check(true, {5, 5}, "a a");
  check(false, {3, 5}, " a a");
}

TEST_F(GgufVocabularyTest, SentencePieceKnowsItsTokensByTheirKinds) {
  const Tokenizer read = read_gguf_tokenizer(file_with(sentence_piece_keys()));
  EXPECT_THAT(read.encode("a"), testing::ElementsAre(1, 5));
  EXPECT_THAT(read.encode("!"), testing::ElementsAre(1, 4, 6));
  EXPECT_THAT(read.encode("?"), testing::ElementsAre(1, 4, 0)) << "the unknown token is the first";
  EXPECT_THAT(read.encode("<x>", encode_plain), testing::ElementsAre(7));
  EXPECT_TRUE(read.is_special(0) && read.is_special(1) && read.is_special(2));
  EXPECT_FALSE(read.is_special(3) || read.is_special(7));
  GgufMetadata keys = sentence_piece_keys();
  keys.add_u32("tokenizer.ggml.unknown_token_id", 2);
  EXPECT_THAT(read_gguf_tokenizer(file_with(keys)).encode("?", encode_plain),
              testing::ElementsAre(4, 2));
  keys.add_boolean("tokenizer.ggml.add_bos_token", false);
  keys.add_boolean("tokenizer.ggml.add_eos_token", true);
  EXPECT_THAT(read_gguf_tokenizer(file_with(keys)).encode("a"), testing::ElementsAre(5, 2));
}

// Each of the two tokens at its side, as the tokenizer's template adds it.
TEST_F(GgufVocabularyTest, SaysWhichTokensTheTemplateAdds) {
  const auto written = [&](bool bos, bool eos, GgufTokens tokens) {
    const std::string begin = R"({"SpecialToken":{"id":"<s>","type_id":0}},)",
                      end = R"(,{"SpecialToken":{"id":"</s>","type_id":0}})";
    const Tokenizer tokenizer = Tokenizer::from_json(
        R"({"added_tokens": [{"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true},
                             {"id": 3, "content": "<pad>", "special": true}],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},
            "post_processor": {"type": "TemplateProcessing", "single": [)" +
        (bos ? begin : "") + R"({"Sequence":{"id":"A","type_id":0}})" + (eos ? end : "") +
        R"(], "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                                             "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
            "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})");
    const GgufFile& file = file_with(write_gguf_tokenizer(tokenizer, tokens).keys);
    EXPECT_EQ(file.find_integer("tokenizer.ggml.bos_token_id"), tokens.bos);
    EXPECT_EQ(file.find_integer("tokenizer.ggml.eos_token_id"), tokens.eos);
    EXPECT_EQ(file.find_integer("tokenizer.ggml.padding_token_id"), 3);
    EXPECT_FALSE(file.has("tokenizer.ggml.unknown_token_id"));
    return std::pair(file.find_boolean("tokenizer.ggml.add_bos_token"),
                     file.find_boolean("tokenizer.ggml.add_eos_token"));
  };
  for (const bool bos : {false, true}) {
    for (const bool eos : {false, true}) {
      EXPECT_EQ(written(bos, eos, {4, 1, 2}), std::pair(std::optional(bos), std::optional(eos)));
      EXPECT_EQ(written(bos, eos, {4, 1, {}}), std::pair(std::optional(bos), std::optional(false)));
      EXPECT_EQ(written(bos, eos, {4, {}, 2}), std::pair(std::optional(false), std::optional(eos)));
    }
  }
}

TEST_F(GgufVocabularyTest, TokensWithoutKindsAreNormalAndEmptyOnesNone) {
  GgufMetadata keys;
  keys.add_text("tokenizer.ggml.model", "gpt2");
  keys.add_text("tokenizer.ggml.pre", "gpt-2");
  keys.add_texts("tokenizer.ggml.tokens", std::vector<std::string>{"a", "", "</s>", "b", ""});
  keys.add_texts("tokenizer.ggml.merges", std::vector<std::string>{});
  keys.add_u32("tokenizer.ggml.bos_token_id", 3);
  const Tokenizer read = read_gguf_tokenizer(file_with(keys));
  EXPECT_EQ(read.vocab_size(), 4);
  EXPECT_FALSE(read.is_special(2));
  EXPECT_EQ(read.eos_id(), std::nullopt);
  EXPECT_EQ(read.id_to_token(1), "");
  EXPECT_THAT(read.encode("ab"), testing::ElementsAre(0, 3))
      << "no token before the text unless the file asks for it";
}

TEST_F(GgufVocabularyTest, NamesListsAndIdsThatDoNotFit) {
  const auto error = [&](auto&& change) {
    GgufMetadata keys = sentence_piece_keys();
    change(keys);
    const GgufFile& file = file_with(keys);
    const std::string message = error_of([&] { read_gguf_tokenizer(file); });
    return message.starts_with(path_) ? message.substr(path_.size() + 2) : message;
  };
  EXPECT_EQ(error([](auto& k) { k.add_u32("tokenizer.ggml.unknown_token_id", 7); }), "no error");
  EXPECT_EQ(error([](auto& k) { k.add_u32("tokenizer.ggml.unknown_token_id", 8); }),
            "'tokenizer.ggml.unknown_token_id' is 8: the tokens are 0 to 7");
  const auto of_gpt2 = [&](std::vector<std::string> tokens, std::uint32_t eos) {
    GgufMetadata keys;
    keys.add_text("tokenizer.ggml.model", "gpt2");
    keys.add_text("tokenizer.ggml.pre", "gpt-2");
    keys.add_texts("tokenizer.ggml.tokens", tokens);
    keys.add_texts("tokenizer.ggml.merges", std::vector<std::string>{});
    keys.add_u32("tokenizer.ggml.eos_token_id", eos);
    const GgufFile& file = file_with(keys);
    return error_of([&] { read_gguf_tokenizer(file); });
  };
  EXPECT_EQ(of_gpt2({"a", "b"}, 1), "no error");
  EXPECT_THAT(of_gpt2({"a", "b"}, 2),
              HasSubstr("'tokenizer.ggml.eos_token_id' is 2: the tokens are 0 to 1"));
  EXPECT_THAT(of_gpt2({}, 0), HasSubstr("'tokenizer.ggml.tokens' lists 0 tokens"));
  GgufMetadata keys;
  keys.add_text("tokenizer.ggml.model", "llama");
  keys.add_texts("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "a"});
  keys.add_f32s("tokenizer.ggml.scores", std::vector<float>{0});
  const GgufFile& file = file_with(keys);
  EXPECT_THAT(error_of([&] { read_gguf_tokenizer(file); }),
              HasSubstr("'tokenizer.ggml.scores' lists 1 tokens, 'tokenizer.ggml.tokens' 2"));
}

// A Metaspace step in place of normalizers means the same.
TEST_F(GgufVocabularyTest, WritesMetaspaceAsSentencePiece) {
  for (const auto& [scheme, prefix] :
       {std::pair("always", true), {"first", true}, {"never", false}}) {
    const Tokenizer tokenizer = Tokenizer::from_json(
        R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": ")" +
        std::string(scheme) +
        R"("}, "model": {"type": "BPE", "byte_fallback": true, "unk_token": "?", "vocab": {"?": 0, "a": 1, "▁": 2, "▁a": 3,
            "<0x41>": 4, "<0x4>": 5, "aa": 6}, "merges": ["▁ a", "a a"]}})");
    const GgufVocabulary out = write_gguf_tokenizer(tokenizer, {8, {}, {}});
    EXPECT_EQ(out.note, "");
    const GgufFile& file = file_with(out.keys);
    EXPECT_EQ(file.text("tokenizer.ggml.model"), "llama");
    EXPECT_EQ(file.find_boolean("tokenizer.ggml.add_space_prefix"), prefix) << scheme;
    EXPECT_THAT(file.integers("tokenizer.ggml.token_type"),
                testing::ElementsAre(1, 1, 1, 1, 6, 1, 1, 5));
    EXPECT_THAT(file.numbers("tokenizer.ggml.scores"),
                testing::ElementsAre(0, 0, 0, -1, 0, 0, -2, 0));
    EXPECT_EQ(file.integer("tokenizer.ggml.unknown_token_id"), 0);
  }
}

TEST_F(GgufVocabularyTest, NotesThatFathomsOwnRulesAreNotLlamaCpps) {
  const std::string own =
      R"({"type": "Sequence", "pretokenizers": [)"
      R"({"type": "Split", "pattern": {"Regex": "[\\r\\n]"}, "behavior": "Isolated", "invert": false},)"
      R"({"type": "Split", "pattern": {"Regex": "[぀-ヿ㐀-䶿一-鿿가-힣豈-﫿]+"}, "behavior": "Isolated", "invert": false},)"
      R"({"type": "Split", "pattern": {"Regex": "\\s?[\\p{L}\\p{M}]+"}, "behavior": "Isolated", "invert": false},)"
      R"({"type": "Split", "pattern": {"Regex": "\\s?[\\p{P}\\p{S}]+"}, "behavior": "Isolated", "invert": false},)"
      R"({"type": "Digits", "individual_digits": true},)"
      R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})";
  const GgufVocabulary out = write_gguf_tokenizer(byte_level(own), {9, {}, {}});
  EXPECT_THAT(out.note, HasSubstr("the file names 'deepseek-llm', the nearest that it has"));
  EXPECT_EQ(file_with(out.keys).text("tokenizer.ggml.pre"), "deepseek-llm");
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
