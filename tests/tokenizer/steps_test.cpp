// Tests single steps with small specs; the goldens test whole tokenizers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "text/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode_forms.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

// Tokens "a" to "e", "▁", " ", "_" and, from id 8 on, those of `more`; no merges unless given.
std::string small_model(const std::string& more = "", const std::string& merges = "",
                        const std::string& keys = "") {
  return R"("model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"d":3,"e":4,"▁":5," ":6,"_":7)" +
         more + R"(},"merges":[)" + merges + "]" + keys + "}";
}

Tokenizer make(const std::string& parts, const std::string& model = small_model()) {
  return Tokenizer::from_json("{" + parts + (parts.empty() ? "" : ",") + model + "}", "t.json");
}

std::string steps_error(const std::string& parts, const std::string& model = small_model()) {
  try {
    make(parts, model);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

std::string streamed(const Tokenizer& tokenizer, const Ids& ids) {
  StreamDecoder stream(tokenizer);
  std::string text;
  for (const auto id : ids) text += stream.push(id);
  return text.append(stream.finish());
}

// --- the model ---

TEST(BpeModel, IgnoreMergesTakesWholePieces) {
  const std::string tokens = R"(,"ab":8,"abc":9)";
  EXPECT_THAT(make("", small_model(tokens, R"("a b")")).encode("abc"), ElementsAre(8, 2));
  EXPECT_THAT(make("", small_model(tokens, R"("a b")", R"(,"ignore_merges":true)")).encode("abc"),
              ElementsAre(9));
}

TEST(BpeModel, UnknownCharactersFuseOnlyIfAsked) {
  const std::string tokens = R"(,"?":8)", unk = R"(,"unk_token":"?")";
  EXPECT_THAT(make("", small_model(tokens, "", unk)).encode("axyb"), ElementsAre(0, 8, 8, 1));
  EXPECT_THAT(make("", small_model(tokens, "", unk + R"(,"fuse_unk":true)")).encode("axyb"),
              ElementsAre(0, 8, 1));
  EXPECT_THAT(make("").encode("axyb"), ElementsAre(0, 1));
}

TEST(BpeModel, FallsBackToBytes) {
  const std::string tokens = R"(,"?":8,"<0xC3>":9,"<0xA9>":10,"<0xFF>":11)";
  const std::string keys = R"(,"unk_token":"?","byte_fallback":true)";
  const auto t = make("", small_model(tokens, "", keys));
  EXPECT_THAT(t.encode("aéb"), ElementsAre(0, 9, 10, 1));
  EXPECT_THAT(t.encode("aèb"), ElementsAre(0, 8, 1));  // not all of its bytes are tokens
}

TEST(BpeModel, BytesHaveTheirNamesAndCharacters) {
  using namespace tokenizer;
  for (const auto& [name, byte] :
       std::initializer_list<std::pair<const char*, int>>{{"<0x00>", 0},
                                                          {"<0x09>", 9},
                                                          {"<0x0A>", 10},
                                                          {"<0x0F>", 15},
                                                          {"<0x10>", 16},
                                                          {"<0x9F>", 0x9f},
                                                          {"<0xA0>", 0xa0},
                                                          {"<0xFF>", 255}}) {
    EXPECT_EQ(byte_of_fallback(name), byte) << name;
  }
  for (const char* name : {"", "<0x0>", "<0x000>", "<0xG0>", "<0x0a>", "<0x/0>", "<0x:0>", "<0x@0>",
                           "<0X00>", "(0x00>", "<0x00)", " <0x00"}) {
    EXPECT_EQ(byte_of_fallback(name), std::nullopt) << name;
  }
  // As in GPT-2: bytes that can be seen are their own characters, and the others follow U+00FF.
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool seen =
        (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    const char32_t c = seen ? static_cast<char32_t>(byte) : next++;
    EXPECT_EQ(byte_to_char()[static_cast<std::size_t>(byte)], c) << byte;
    EXPECT_EQ(char_to_byte(c), byte);
  }
  EXPECT_EQ(next, 0x144u);
  for (const char32_t c :
       {U' ', U'\n', U'\u007f', U'\u00a0', U'\u00ad', U'\u0144', U'\u01ff', U'\u0200', U'中'})
    EXPECT_EQ(char_to_byte(c), -1);
  EXPECT_EQ(from_byte_level("aĠĊ"), "a \n");
  EXPECT_EQ(from_byte_level(""), "");
  EXPECT_EQ(from_byte_level("a b"), std::nullopt);
}

TEST(BpeModel, InvalidBytesDoNotVanish) {
  const std::string tokens = R"(,"?":8,"<0xFF>":9)";
  const std::string unk = R"(,"unk_token":"?")";
  EXPECT_THAT(make("", small_model(tokens, "", unk + R"(,"byte_fallback":true)"))
                  .encode("a\xff\xfe"
                          "b"),
              ElementsAre(0, 9, 8, 1));
  EXPECT_THAT(make("", small_model(tokens, "", unk)).encode("a\xff"), ElementsAre(0, 8));
  // A ByteLevel that is not the last step: the vocabulary spells bytes.
  const std::string steps =
      R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"ByteLevel",)"
      R"("add_prefix_space":false,"use_regex":false},{"type":"Digits","individual_digits":true}]})";
  EXPECT_THAT(make(steps, small_model(R"(,"ÿ":8)")).encode("a\xff"), ElementsAre(0, 8));
}

TEST(BpeModel, SpellsByPlaceInThePiece) {
  const std::string tokens = R"(,"##b":8,"##c":9,"ab":10,"c/":11,"##c/":12,"a/":13)";
  EXPECT_THAT(make("", small_model(tokens, R"("a ##b")", R"(,"continuing_subword_prefix":"##")"))
                  .encode("abcab"),
              ElementsAre(10, 9, 8));
  EXPECT_THAT(make("", small_model(tokens, "", R"(,"end_of_word_suffix":"/")")).encode("bac"),
              ElementsAre(1, 0, 11));
  EXPECT_THAT(
      steps_error("", small_model(tokens, R"("a b")", R"(,"continuing_subword_prefix":"##")")),
      HasSubstr("'model.merges[0]' joins 'b', which lacks the prefix '##'"));
}

// --- the pre-tokenizers; "a" and "b" merge only inside a piece ---

Ids pieces(const std::string& step, const std::string& text) {
  return make(R"("pre_tokenizer":)" + step,
              small_model(R"(,"▁a":8,"▁▁":9,"ab":10,"1":11,"2":12,"12":13,"-":14,"!":15,"!!":16,)"
                          R"("a!":17)",
                          R"("▁ a","▁ ▁","a b","1 2","! !","a !")"))
      .encode(text);
}

TEST(PreTokenizer, MetaspacePrependsAsItsSchemeSays) {
  const auto metaspace = [](const std::string& keys) {
    return R"({"type":"Metaspace","replacement":"▁")" + keys + "}";
  };
  const std::string always = metaspace(""), first = metaspace(R"(,"prepend_scheme":"first")");
  const std::string never = metaspace(R"(,"prepend_scheme":"never")");
  EXPECT_THAT(pieces(always, "a a"), ElementsAre(8, 8));
  EXPECT_THAT(pieces(always, " a"), ElementsAre(8));
  EXPECT_THAT(pieces(never, "a a"), ElementsAre(0, 8));
  EXPECT_THAT(pieces(metaspace(R"(,"add_prefix_space":false)"), "a a"), ElementsAre(0, 8));
  EXPECT_THAT(pieces(metaspace(R"(,"add_prefix_space":true)"), "a a"), ElementsAre(8, 8));
  EXPECT_THAT(pieces(first, "a a"), ElementsAre(8, 8));
  EXPECT_THAT(pieces(always, "a  a"), ElementsAre(8, 5, 8));
  EXPECT_THAT(pieces(metaspace(R"(,"split":false)"), "  "), ElementsAre(9));
  EXPECT_THAT(pieces(always, "  "), ElementsAre(5, 5));
}

// The blank that Metaspace puts in front of the text is no part of it: marks of the text find the
// token that begins with it.
TEST(PreTokenizer, MarksAreOfTheTextWithoutThePrependedBlank) {
  const auto t = make(R"("pre_tokenizer":{"type":"Metaspace","replacement":"▁"},)"
                      R"("decoder":{"type":"Metaspace","replacement":"▁"})",
                      small_model(R"(,"▁a":8)", R"("▁ a")"));
  const std::string text = "a a";
  const std::vector<ByteSpan> first{{0, 1}}, second{{2, 3}};
  EXPECT_THAT(t.encode_marked({text, {}, first}).ids, ElementsAre(8, 8));
  EXPECT_THAT(t.encode_marked({text, {}, first}).marks, ElementsAre(1, 0));
  EXPECT_THAT(t.encode_marked({text, {}, second}).marks, ElementsAre(0, 1));
}

TEST(PreTokenizer, MetaspaceFirstIsTheBeginningOfTheText) {
  const std::string parts =
      R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits",)"
      R"("individual_digits":true},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]},)"
      R"("added_tokens":[{"id":20,"content":"<s>","special":true}])";
  const auto t = make(parts, small_model(R"(,"1":8)"));
  const auto encode = [&](const std::string& text) {
    return t.encode(text, encode_parsing_specials);
  };
  EXPECT_THAT(encode("a1a"), ElementsAre(5, 0, 8, 0));
  EXPECT_THAT(encode("<s>a"), ElementsAre(20, 0));
  EXPECT_THAT(encode("a<s>a"), ElementsAre(5, 0, 20, 0));
  EXPECT_THAT(encode("\xff"
                     "a"),
              ElementsAre(0));
  EXPECT_THAT(encode("a\xff"
                     "a"),
              ElementsAre(5, 0, 0));
}

TEST(PreTokenizer, DigitsSinglyOrTogether) {
  EXPECT_THAT(pieces(R"({"type":"Digits","individual_digits":true})", "a12"),
              ElementsAre(0, 11, 12));
  EXPECT_THAT(pieces(R"({"type":"Digits","individual_digits":false})", "a12"), ElementsAre(0, 13));
}

TEST(PreTokenizer, SplitsAtCharacters) {
  EXPECT_THAT(pieces(R"({"type":"CharDelimiterSplit","delimiter":"-"})", "a-ab--b"),
              ElementsAre(0, 10, 1));
  EXPECT_THAT(pieces(R"({"type":"WhitespaceSplit"})", " a!\u3000b "), ElementsAre(17, 1));
  EXPECT_THAT(pieces(R"({"type":"Whitespace"})", "ab!!b a! b"), ElementsAre(10, 16, 1, 0, 15, 1));
  EXPECT_THAT(pieces(R"({"type":"BertPreTokenizer"})", "a!! a"), ElementsAre(0, 15, 15, 0));
  const auto punctuation = [](const std::string& behavior) {
    return R"({"type":"Punctuation","behavior":")" + behavior + "\"}";
  };
  EXPECT_THAT(pieces(R"({"type":"Punctuation"})", "a!!b"), ElementsAre(0, 15, 15, 1));
  EXPECT_THAT(pieces(punctuation("Contiguous"), "a!!b"), ElementsAre(0, 16, 1));
  EXPECT_THAT(pieces(punctuation("Removed"), "a!!b"), ElementsAre(0, 1));
  EXPECT_THAT(pieces(punctuation("MergedWithPrevious"), "a!!b"), ElementsAre(17, 15, 1));
  EXPECT_THAT(steps_error(R"("pre_tokenizer":{"type":"CharDelimiterSplit","delimiter":"ab"})"),
              HasSubstr("'pre_tokenizer.delimiter' is \"ab\", not one character"));
}

// A step gets a part of the text and sees nothing behind it.
TEST(PreTokenizer, StepsEndWithTheirPart) {
  const auto after_split = [](const std::string& step) {
    return R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[1-]"},)"
           R"("behavior":"Isolated"},)" +
           step + "]}";
  };
  EXPECT_THAT(pieces(after_split(R"({"type":"Digits","individual_digits":true})"), "a1b"),
              ElementsAre(0, 11, 1));
  EXPECT_THAT(pieces(after_split(R"({"type":"Whitespace"})"), "a1b"), ElementsAre(0, 11, 1));
  EXPECT_THAT(pieces(after_split(R"({"type":"Punctuation"})"), "a-b"), ElementsAre(0, 14, 1));
  EXPECT_THAT(pieces(after_split(R"({"type":"CharDelimiterSplit","delimiter":"-"})"), "a-b"),
              ElementsAre(0, 1));
}

TEST(PreTokenizer, BoundsRepeatedSpelling) {
  std::string steps;
  for (int i = 0; i < 6; ++i) {
    steps += std::string(i > 0 ? "," : "") +
             R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false})";
  }
  EXPECT_THAT(steps_error(R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + steps + "]}"),
              HasSubstr("at most 4 are supported"));
}

// --- normalizers: shown by an added token, which decoding writes normalised ---

std::string normal(const std::string& step, const std::string& text) {
  const auto t = make(R"("normalizer":)" + step + R"(,"added_tokens":[{"id":20,"content":")" +
                      text + R"(","normalized":true}])");
  return std::string(t.id_to_bytes(20));
}

TEST(NormalizerStep, RewritesText) {
  EXPECT_EQ(normal(R"({"type":"Prepend","prepend":"_"})", "ab"), "_ab");
  EXPECT_EQ(normal(R"({"type":"Lowercase"})", "ÀBİ"), "àbi\u0307");
  EXPECT_EQ(normal(R"({"type":"NFC"})", "e\u0301ﬁ"), "éﬁ");
  EXPECT_EQ(normal(R"({"type":"NFC"})", "e\u0301"), "é");
  EXPECT_EQ(normal(R"({"type":"NFD"})", "éﬁ"), "e\u0301ﬁ");
  EXPECT_EQ(normal(R"({"type":"NFKC"})", "e\u0301ﬁ"), "éfi");
  EXPECT_EQ(normal(R"({"type":"NFKD"})", "éﬁ"), "e\u0301fi");
  EXPECT_EQ(normal(R"({"type":"StripAccents"})", "e\u0301\u0903x"), "ex");
  EXPECT_EQ(normal(R"({"type":"Nmt"})", "a\\u0001b\\tc\u200bd\ufeff\\u000be"), "ab c d e");
  const std::string space = "\u3000 a b\u00a0";
  EXPECT_EQ(normal(R"({"type":"Strip","strip_left":true,"strip_right":true})", space), "a b");
  EXPECT_EQ(normal(R"({"type":"Strip","strip_left":true,"strip_right":false})", space),
            "a b\u00a0");
  EXPECT_EQ(normal(R"({"type":"Strip","strip_left":false,"strip_right":true})", space),
            "\u3000 a b");
  EXPECT_EQ(normal(R"({"type":"Replace","pattern":{"Regex":"a+"},"content":"x"})", "baab"), "bxb");
  EXPECT_EQ(normal(R"({"type":"Replace","pattern":{"String":"aa"},"content":"x"})", "baaab"),
            "bxab");
}

// The first characters that a form changes, and the neighbours of those that it leaves alone
// although newer versions of Unicode change them.
TEST(NormalizerStep, FormsBeginWithTheirFirstCharacter) {
  EXPECT_EQ(normal(R"({"type":"NFC"})", "e\u0300"), "è");
  EXPECT_EQ(normal(R"({"type":"NFC"})", "\u00a0\u02ff\uf900"), "\u00a0\u02ff\u8c48");
  EXPECT_EQ(normal(R"({"type":"NFKC"})", "\u00a0"), " ");
  EXPECT_EQ(normal(R"({"type":"NFKD"})", "\u00a0"), " ");
  EXPECT_EQ(normal(R"({"type":"NFD"})", "\u00c0"), "A\u0300");
  EXPECT_EQ(normal(R"({"type":"NFKD"})", "\u32fe\u32ff\u3300"), "ヲ\u32ffアハ\u309aート");
  EXPECT_EQ(normal(R"({"type":"NFKD"})", "\ua7f2\ua7f4\U0001e030\U0001e06d"),
            "\ua7f2\ua7f4\U0001e030\U0001e06d");
  // Not reordered, as a mark of a lower class would be.
  EXPECT_EQ(normal(R"({"type":"NFD"})", "e\u0301\u07fd"), "e\u0301\u07fd");
  EXPECT_EQ(normal(R"({"type":"NFD"})", "e\u0301\u0316"), "e\u0316\u0301");
}

// Characters that Hugging Face's normalizers do not know: they neither decompose nor change places
// with a mark before or behind them.
TEST(NormalizerStep, FormsLeaveNewCharactersAlone) {
  using tokenizer::UnicodeForm;
  const auto formed = [](std::string text, UnicodeForm form) {
    tokenizer::to_unicode_form(text, form);
    return text;
  };
  for (const auto& [first, last] : std::initializer_list<std::pair<char32_t, char32_t>>{
           {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},
           {0xc3c, 0xc3c},     {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},
           {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},
           {0xa82c, 0xa82c},   {0xab69, 0xab69},   {0x10781, 0x10785}, {0x10787, 0x107b0},
           {0x107b2, 0x107ba}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff},
           {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
           {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x11935, 0x11935},
           {0x11938, 0x11938}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
           {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42},
           {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1},
           {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
           {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}}) {
    for (char32_t c = first; c <= last; ++c) {
      std::string one;
      utf8::append(one, c);
      for (const UnicodeForm form :
           {UnicodeForm::nfc, UnicodeForm::nfd, UnicodeForm::nfkc, UnicodeForm::nfkd}) {
        EXPECT_EQ(formed(one, form), one) << std::hex << static_cast<unsigned>(c);
      }
      for (const std::string& text : {"a\u0301" + one, "a" + one + "\u0316"}) {
        EXPECT_EQ(formed(text, UnicodeForm::nfd), text) << std::hex << static_cast<unsigned>(c);
      }
    }
  }
  EXPECT_EQ(formed("a\u0301\u0316\u07fd\u0301\u0316", UnicodeForm::nfd),
            "a\u0316\u0301\u07fd\u0316\u0301");
}

TEST(NormalizerStep, NmtRemovesControlsAndTurnsOthersToSpaces) {
  const auto nmt = [](const std::string& text) { return normal(R"({"type":"Nmt"})", text); };
  for (const char* removed :
       {"\\u0001", "\\u0008", "\\u000b", "\\u000e", "\\u001f", "\x7f", "\u008f", "\u009f"}) {
    EXPECT_EQ(nmt("a" + std::string(removed) + "b"), "ab") << removed;
  }
  for (const char* space : {"\\t", "\\n", "\\f", "\\r", "\u1680", "\u200b", "\u200f", "\u2028",
                            "\u2029", "\u2581", "\ufeff", "\ufffd"}) {
    EXPECT_EQ(nmt("a" + std::string(space) + "b"), "a b") << space;
  }
  for (const char* kept : {" ", "~", "\u0080", "\u008e", "\u0090", "\u200a", "\u2010", "\u2027"}) {
    EXPECT_EQ(nmt("a" + std::string(kept) + "b"), "a" + std::string(kept) + "b");
  }
}

TEST(NormalizerStep, StripOfNothingButSpace) {
  const auto strip = [](const char* left, const char* right, const std::string& text) {
    return make(R"("normalizer":{"type":"Strip","strip_left":)" + std::string(left) +
                R"(,"strip_right":)" + right + "}")
        .encode(text);
  };
  EXPECT_THAT(strip("true", "false", "  "), ElementsAre());
  EXPECT_THAT(strip("false", "true", "  "), ElementsAre());
  EXPECT_THAT(strip("false", "false", "  "), ElementsAre(6, 6));
  EXPECT_THAT(strip("true", "true", " a "), ElementsAre(0));
  EXPECT_THAT(strip("true", "true", "a"), ElementsAre(0));
}

// Nothing is put before a text that is empty, also where an earlier step has emptied it.
TEST(NormalizerStep, PrependLeavesAnEmptyTextEmpty) {
  const auto ids = [](const std::string& before, const std::string& text) {
    return make(R"("normalizer":{"type":"Sequence","normalizers":[)" + before +
                R"({"type":"Prepend","prepend":"_"}]})")
        .encode(text);
  };
  const std::string strip = R"({"type":"Strip","strip_left":true,"strip_right":true},)";
  EXPECT_THAT(ids("", ""), ElementsAre());
  EXPECT_THAT(ids("", " a"), ElementsAre(7, 6, 0));
  EXPECT_THAT(ids(strip, "   "), ElementsAre());
  EXPECT_THAT(ids(strip, " a "), ElementsAre(7, 0));
  EXPECT_THAT(ids(R"({"type":"Replace","pattern":{"String":"a"},"content":""},)", "a"),
              ElementsAre());
}

TEST(NormalizerStep, BertCleansAsAsked) {
  const auto bert = [](const char* clean, const char* chinese, const char* accents,
                       const char* lower) {
    return std::string(R"({"type":"BertNormalizer","clean_text":)") + clean +
           R"(,"handle_chinese_chars":)" + chinese + R"(,"strip_accents":)" + accents +
           R"(,"lowercase":)" + lower + "}";
  };
  const std::string text = "É\\u0007\u00a0x中\ufaf5y\u200d";
  EXPECT_EQ(normal(bert("false", "false", "false", "false"), text), "É\a\u00a0x中\ufaf5y\u200d");
  EXPECT_EQ(normal(bert("true", "false", "false", "false"), text), "É x中\ufaf5y");
  EXPECT_EQ(normal(bert("false", "true", "false", "false"), text), "É\a\u00a0x 中  \ufaf5 y\u200d");
  EXPECT_EQ(normal(bert("false", "false", "true", "false"), "É"), "E");
  EXPECT_EQ(normal(bert("false", "false", "null", "false"), "É"), "É");
  EXPECT_EQ(normal(bert("false", "false", "null", "true"), "É"), "e");
  EXPECT_EQ(normal(bert("false", "false", "false", "true"), "É"), "é");
  // Line ends and tabs part words; other controls, NUL and U+FFFD go.
  EXPECT_EQ(normal(bert("true", "false", "false", "false"), "a\\rb\\nc\\td\\r\\ne"), "a b c d  e");
  EXPECT_EQ(normal(bert("true", "false", "false", "false"), "a\\u0001b\\u0000c\ufffdd\u2028e"),
            "abcd e");
}

TEST(NormalizerStep, CannotMultiplyATextWithoutBound) {
  std::string steps;
  for (int i = 0; i < 60; ++i) {
    steps += std::string(i > 0 ? "," : "") +
             R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"})";
  }
  const auto t = make(R"("normalizer":{"type":"Sequence","normalizers":[)" + steps + "]}");
  EXPECT_EQ(t.encode("b"), Ids{1});
  try {
    t.encode("a");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "the tokenizer's normalizer makes a text more than 64 times as large; shorten the "
                 "content of its "
                 "Replace or Prepend steps");
  }
  // Up to a megabyte and 64 times the text, to the byte.
  const auto grown = [](std::size_t size) {
    const auto prepend =
        make(R"("normalizer":{"type":"Prepend","prepend":")" + std::string(size - 1, 'x') + "\"}");
    try {
      prepend.encode("a");
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  EXPECT_TRUE(grown((1 << 20) + 64));
  EXPECT_FALSE(grown((1 << 20) + 65));
}

// --- decoders ---

TEST(DecoderStep, MetaspaceDropsTheFirstCharacterOnly) {
  const auto t =
      make(R"("decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"})",
           small_model(R"(,"▁a":8)"));
  EXPECT_EQ(t.decode(Ids{8, 8, 5, 0}), "a a a");
  EXPECT_EQ(streamed(t, {8, 8, 5, 0}), "a a a");
  EXPECT_EQ(t.id_to_bytes(8), " a");
  const auto never =
      make(R"("decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"})",
           small_model(R"(,"▁a":8)"));
  EXPECT_EQ(never.decode(Ids{8, 8}), " a a");
  EXPECT_EQ(streamed(never, {8, 8}), " a a");
}

TEST(DecoderStep, BpeEndsWordsButTheLast) {
  const auto t = make(R"("decoder":{"type":"BPEDecoder","suffix":"/"},)"
                      R"("added_tokens":[{"id":20,"content":"<s>","special":true}])",
                      small_model(R"(,"a/":8)"));
  EXPECT_EQ(t.decode(Ids{8, 1, 8}), "a ba");
  EXPECT_EQ(streamed(t, {8, 1, 8}), "a ba");
  EXPECT_EQ(t.decode(Ids{8, 8, 20}), "a a");  // the special token is left out
  EXPECT_EQ(streamed(t, {8, 8, 20}), "a a");
  EXPECT_EQ(t.decode(Ids{}), "");
  EXPECT_EQ(streamed(t, {}), "");
}

TEST(DecoderStep, StripsAsOftenAsAsked) {
  const auto t = make(R"("decoder":{"type":"Strip","content":"a","start":1,"stop":2})",
                      small_model(R"(,"aabaaa":8)"));
  EXPECT_EQ(t.decode(Ids{8}), "aba");
  const auto fused = make(R"("decoder":{"type":"Sequence","decoders":[{"type":"Fuse"},)"
                          R"({"type":"Strip","content":"a","start":2,"stop":0}]})");
  EXPECT_EQ(fused.decode(Ids{0, 0, 0, 1, 0}), "aba");
  EXPECT_EQ(streamed(fused, {0, 0, 0, 1, 0}), "aba");
  EXPECT_EQ(fused.decode(Ids{1, 0}), "ba");
  EXPECT_EQ(streamed(fused, {1, 0}), "ba");
  EXPECT_EQ(fused.decode(Ids{0, 1, 0}), "ba");
  EXPECT_EQ(streamed(fused, {0, 1, 0}), "ba");
}

TEST(DecoderStep, FallbackBytesAreBytes) {
  const auto t = make(R"("decoder":{"type":"ByteFallback"})",
                      small_model(R"(,"<0xE4>":8,"<0xB8>":9,"<0xAD>":10,"<0x41>":11,"<0xg1>":12)"));
  EXPECT_EQ(t.decode(Ids{8, 9, 10, 11}), "中A");
  EXPECT_EQ(streamed(t, {8, 9, 10, 11}), "中A");
  EXPECT_EQ(t.decode(Ids{12}), "<0xg1>");
  // Later steps leave a byte that is half a character unchanged.
  const auto more = make(R"("decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},)"
                         R"({"type":"Replace","pattern":{"Regex":"."},"content":"x"},)"
                         R"({"type":"ByteLevel"}]})",
                         small_model(R"(,"<0xE4>":8)"));
  EXPECT_EQ(more.decode(Ids{8}), "\xe4");
}

TEST(DecoderStep, NoDecoderPutsSpacesBetween) {
  EXPECT_EQ(make("").decode(Ids{0, 1, 2}), "a b c");
  EXPECT_EQ(streamed(make(""), {0, 1, 2}), "a b c");
}

// --- post-processors ---

TEST(PostProcessor, WrapsFromTheInsideOut) {
  const auto t = make(R"("post_processor":{"type":"Sequence","processors":[)"
                      R"({"type":"BertProcessing","cls":["a",0],"sep":["b",1]},)"
                      R"({"type":"RobertaProcessing","cls":["c",2],"sep":["d",3]}]})");
  EXPECT_THAT(t.encode("e"), ElementsAre(2, 0, 4, 1, 3));
  EXPECT_THAT(t.encode("e", encode_plain), ElementsAre(4));
  EXPECT_THAT(
      steps_error(R"("post_processor":{"type":"BertProcessing","cls":["x",99],"sep":["b",1]})"),
      HasSubstr("the id 99 is beyond the vocabulary"));
}

// --- added tokens ---

TEST(AddedTokens, AreNormalizedUnlessSpecialOrToldOtherwise) {
  const auto t = make(R"("normalizer":{"type":"Lowercase"},"added_tokens":[)"
                      R"({"id":20,"content":"AB"},{"id":21,"content":"CD","special":true},)"
                      R"({"id":22,"content":"EE","normalized":false}])");
  EXPECT_THAT(t.encode("ab AB", encode_parsing_specials), ElementsAre(20, 6, 20));
  EXPECT_THAT(t.encode("cdCD", encode_parsing_specials), ElementsAre(2, 3, 21));
  EXPECT_THAT(t.encode("eeEE"), ElementsAre(4, 4, 22));
}

// Also those of id 0; the model alone would spell them by two tokens.
TEST(AddedTokens, MayHaveTheFirstId) {
  const std::string model = R"("model":{"type":"BPE","vocab":{"ab":0,"a":1,"b":2},"merges":[]})";
  EXPECT_THAT(make("", model).encode("abb"), ElementsAre(1, 2, 2));
  for (const char* normalized : {"true", "false"}) {
    EXPECT_THAT(make(R"("added_tokens":[{"id":0,"content":"ab","normalized":)" +
                         std::string(normalized) + "}]",
                     model)
                    .encode("abb"),
                ElementsAre(0, 2));
  }
}

TEST(AddedTokens, StripEachSide) {
  const auto added = [](const std::string& keys) {
    return make(R"("added_tokens":[{"id":20,"content":"<s>","special":true)" + keys + "}]")
        .encode("a  <s>  b", encode_parsing_specials);
  };
  EXPECT_THAT(added(R"(,"lstrip":true)"), ElementsAre(0, 20, 6, 6, 1));
  EXPECT_THAT(added(R"(,"rstrip":true)"), ElementsAre(0, 6, 6, 20, 1));
}

TEST(AddedTokens, LongestWinsAndWordsStandAlone) {
  const auto t = make(R"("added_tokens":[{"id":20,"content":"[a"},{"id":21,"content":"[ab]"},)"
                      R"({"id":22,"content":"de","single_word":true}])");
  EXPECT_THAT(t.encode("[ab][aa"), ElementsAre(21, 20, 0));
  EXPECT_THAT(t.encode("de ade dea _de\U0001f130de"),
              ElementsAre(22, 6, 0, 3, 4, 6, 3, 4, 0, 6, 7, 3, 4, 3, 4));
}

// --- error messages ---

TEST(Refusals, NameWhatIsNotSupported) {
  const auto model = [](const std::string& type) {
    return steps_error("", R"("model":{"type":")" + type + R"(","vocab":[]})");
  };
  EXPECT_EQ(model("Unigram"),
            "t.json: 'model.type' is 'Unigram': only BPE is supported; use a model whose tokenizer "
            "is BPE, or train one with `fathom tokenizer train`");
  EXPECT_THAT(model("WordPiece"), HasSubstr("'WordPiece': only BPE is supported"));
  EXPECT_THAT(steps_error(R"("decoder":{"type":"CTC"})"),
              HasSubstr("'CTC', which is not supported"));
  EXPECT_THAT(steps_error(R"("decoder":{"type":"WordPiece"})"),
              HasSubstr("'WordPiece', which is not"));
  EXPECT_THAT(steps_error(R"("pre_tokenizer":{"type":"UnicodeScripts"})"),
              HasSubstr("'UnicodeScripts', which is not supported"));
  EXPECT_THAT(steps_error(R"("truncation":7)"), HasSubstr("'truncation' is 7, not an object"));
  EXPECT_EQ(steps_error(R"("truncation":{"max_length":4},"padding":{"strategy":"BatchLongest"})"),
            "no error");
  EXPECT_THAT(steps_error(R"("pre_tokenizer":{"type":"Metaspace","replacement":"▁",)"
                          R"("add_prefix_space":false,"prepend_scheme":"first"})"),
              HasSubstr("contradicts 'add_prefix_space'"));
}

}  // namespace
}  // namespace fathom
