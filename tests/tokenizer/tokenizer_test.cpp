#include "tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <thread>
#include <tuple>

#include "core/error.h"
#include "core/parallel.h"
#include "io/temp_dir.h"
#include "text/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/impl.h"
#include "tokenizer/marked_spans.h"

namespace fathom {
namespace {

using testing::ElementsAre;

// 256 bytes by value, "ab" (256), "abc" (257), " a" (258).
std::string byte_vocabulary(const std::string& rest = "", const std::string& pre = "") {
  std::string vocab;
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    utf8::append(token, tokenizer::byte_to_char()[static_cast<std::size_t>(byte)]);
    if (token == "\"" || token == "\\") token = "\\" + token;
    vocab += "\"" + token + "\":" + std::to_string(byte) + ",";
  }
  const std::string level = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":)" +
                            std::string(pre.empty() ? "true}" : "false}");
  return R"({"pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + pre + level +
         R"(]},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{)" + vocab +
         R"("ab":256,"abc":257,"Ġa":258},"merges":["a b","ab c","Ġ a"]})" + rest + "}";
}

TEST(Tokenizer, MergesByRankFromTheLeft) {
  const auto t = Tokenizer::from_json(byte_vocabulary());
  EXPECT_THAT(t.encode("abcab a"), ElementsAre(257, 256, 258));
  EXPECT_EQ(t.id_to_bytes(258), " a");
  EXPECT_EQ(t.token_to_id("Ġa"), 258);
}

// A thread finds its own workspace again, whose caches know its text, whatever others take.
TEST(WorkspacePool, GivesAThreadItsOwnWorkspace) {
  const tokenizer::PreTokenizer splitter({}, "none");
  const tokenizer::WorkspacePool pool;
  const auto take_and_put = [&] {
    std::unique_ptr<tokenizer::Workspace> workspace = pool.take(splitter);
    const tokenizer::Workspace* const address = workspace.get();
    pool.put(std::move(workspace));
    return address;
  };
  const auto* const mine = take_and_put();
  const tokenizer::Workspace* others = nullptr;
  std::thread([&] { others = take_and_put(); }).join();
  EXPECT_NE(others, mine);
  EXPECT_EQ(take_and_put(), mine);
}

TEST(Tokenizer, LongPiecesMergeAsShortOnesDo) {
  const auto t = Tokenizer::from_json(byte_vocabulary());
  std::string text;
  std::vector<std::int32_t> expected;
  for (int i = 0; i < 500; ++i) {
    text += i % 3 == 0 ? "abc" : "ab";
    expected.push_back(i % 3 == 0 ? 257 : 256);
  }
  EXPECT_EQ(t.encode(text), expected);
}

TEST(Tokenizer, AnyBytesComeBack) {
  const auto t = Tokenizer::from_json(byte_vocabulary());
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::size_t i = random() % 200; i > 0; --i) {
      text +=
          static_cast<char>(random() % 3 == 0 ? random() % 256 : "ab c\xe4\xb8\xad"[random() % 7]);
    }
    EXPECT_EQ(t.decode(t.encode(text), SpecialTokens::keep), text);
    StreamDecoder stream(t, SpecialTokens::keep);
    std::string streamed;
    for (const auto id : t.encode(text)) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), text);
  }
}

TEST(Tokenizer, StreamHoldsBackHalfACharacter) {
  const auto t = Tokenizer::from_json(byte_vocabulary());
  StreamDecoder stream(t);
  EXPECT_EQ(stream.push(0xe4), "");
  EXPECT_EQ(stream.push(0xb8), "");
  EXPECT_EQ(stream.push(0xad), "中");
  EXPECT_EQ(stream.push(0xe4), "");
  EXPECT_EQ(stream.finish(), "\xe4");
}

TEST(Tokenizer, SplitBehaviours) {
  const auto pieces = [](const std::string& behavior, const std::string& invert = "false") {
    const auto t = Tokenizer::from_json(byte_vocabulary(
        R"(,"normalizer":null)", R"({"type":"Split","pattern":{"String":"b"},"behavior":")" +
                                     behavior + R"(","invert":)" + invert + "},"));
    return t.encode("abcbb");
  };
  const std::int32_t a = 'a', b = 'b', c = 'c';
  EXPECT_THAT(pieces("Removed"), ElementsAre(a, c));
  EXPECT_THAT(pieces("Removed", "true"), ElementsAre(b, b, b));
  EXPECT_THAT(pieces("Isolated"), ElementsAre(a, b, c, b, b));
  EXPECT_THAT(pieces("MergedWithPrevious"), ElementsAre(256, c, b, b));
  EXPECT_THAT(pieces("MergedWithNext"), ElementsAre(a, b, c, b, b));
  EXPECT_THAT(pieces("Contiguous"), ElementsAre(a, b, c, b, b));
}

TEST(Tokenizer, AddedTokensAreCutOut) {
  const auto t = Tokenizer::from_json(byte_vocabulary(
      R"(,"added_tokens":[{"id":300,"content":"<s>","special":true,"lstrip":true,"rstrip":true},)"
      R"({"id":301,"content":"xy","single_word":true},{"id":302,"content":"<s>>","special":true}])"));
  EXPECT_THAT(t.encode("c  <s>  c", encode_parsing_specials), ElementsAre('c', 300, 'c'));
  EXPECT_THAT(t.encode("<s>>", encode_parsing_specials), ElementsAre(302));
  EXPECT_THAT(t.encode("cxy xy"), ElementsAre('c', 'x', 'y', ' ', 301));
  EXPECT_THAT(t.encode("<s>"), ElementsAre('<', 's', '>'));
  EXPECT_THAT(t.encode("<s>", encode_plain), ElementsAre('<', 's', '>'));
  const std::vector<std::int32_t> ids = {300, 'c'};
  EXPECT_EQ(t.decode(ids), "c");
  EXPECT_EQ(t.decode(ids, SpecialTokens::keep), "<s>c");
}

// Text never becomes a special token unless the caller asks for it, also where a file
// forgets to mark a control token special.
TEST(Tokenizer, TextIsTextUnlessSpecialsAreAskedFor) {
  const auto t = Tokenizer::from_json(byte_vocabulary(
      R"(,"added_tokens":[{"id":300,"content":"</s>","special":true},)"
      R"({"id":301,"content":"<|x|>","special":false},{"id":302,"content":"<｜x｜>"},)"
      R"({"id":303,"content":"[x]","special":false},{"id":304,"content":"<|>"}])"));
  const auto as_text = [&](const std::string& text) {
    const auto ids = t.encode(text);
    EXPECT_EQ(t.decode(ids), text);
    return testing::Value(ids, testing::Each(testing::Lt(256)));
  };
  EXPECT_TRUE(as_text("</s>"));
  EXPECT_TRUE(as_text("<|x|>"));
  EXPECT_TRUE(as_text("<｜x｜>"));
  EXPECT_THAT(t.encode("[x]"), ElementsAre(303));
  EXPECT_THAT(t.encode("<|>"), ElementsAre(304));
  EXPECT_THAT(t.encode("</s><|x|><｜x｜>", encode_parsing_specials), ElementsAre(300, 301, 302));
}

TEST(Tokenizer, TemplateAddsItsTokens) {
  const auto t = Tokenizer::from_json(byte_vocabulary(
      R"(,"added_tokens":[{"id":300,"content":"<s>","special":true}],"post_processor":)"
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
      R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":)"
      R"({"<s>":{"id":"<s>","ids":[300],"tokens":["<s>"]}}})"));
  EXPECT_THAT(t.encode("c"), ElementsAre(300, 'c'));
  EXPECT_THAT(t.encode("c", encode_plain), ElementsAre('c'));
  EXPECT_EQ(t.bos_id(), 300);
  EXPECT_EQ(t.eos_id(), std::nullopt);
}

// Each name of a token that ends, begins or fills up texts; the first of a list goes before the
// rest.
TEST(Tokenizer, KnowsSpecialTokensByTheirNames) {
  const std::vector<std::string> ends{"<｜end▁of▁sentence｜>",
                                      "</s>",
                                      "<|endoftext|>",
                                      "<|end_of_text|>",
                                      "<eos>",
                                      "<|eot_id|>",
                                      "<|im_end|>",
                                      "[EOS]",
                                      "[eos]",
                                      "<eod>"};
  const std::vector<std::string> begins{"<｜begin▁of▁sentence｜>", "<s>",   "<|begin_of_text|>",
                                        "<|startoftext|>",         "<bos>", "[BOS]"};
  const std::vector<std::string> pads{"<｜▁pad▁｜>", "<pad>", "<|pad|>", "[PAD]",
                                      "<|finetune_right_pad_id|>"};
  // The names get ids from 300 on, in this order.
  const auto with = [](const std::vector<std::string>& names, const char* special) {
    std::string tokens;
    for (std::size_t i = 0; i < names.size(); ++i) {
      tokens += (i ? "," : "") + std::string(R"({"id":)") + std::to_string(300 + i) +
                R"(,"content":")" + names[i] + R"(","special":)" + special + "}";
    }
    return Tokenizer::from_json(byte_vocabulary(",\"added_tokens\":[" + tokens + "]"));
  };
  using Id = std::optional<std::int32_t>;
  const auto found = [](const Tokenizer& t) {
    return std::vector<Id>{t.eos_id(), t.bos_id(), t.pad_id()};
  };
  for (const auto& [names, place] : {std::pair(ends, 0), {begins, 1}, {pads, 2}}) {
    std::vector<Id> expected(3);
    for (const std::string& name : names) {
      EXPECT_EQ(found(with({name}, "false")), expected) << name;
      std::vector<Id> own = expected;
      own[static_cast<std::size_t>(place)] = 300;
      EXPECT_EQ(found(with({name}, "true")), own) << name;
    }
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      std::vector<Id> own = expected;
      own[static_cast<std::size_t>(place)] = 301;
      EXPECT_EQ(found(with({names[i + 1], names[i]}, "true")), own) << names[i];
    }
  }
  EXPECT_THAT(with({"<eod>", "</s>", "<|im_end|>"}, "true").eos_candidates(),
              ElementsAre(301, 302, 300));
  EXPECT_THAT(with({"</S>", "<|endoftext|", "eos"}, "true").eos_candidates(), ElementsAre());
  // A token of the vocabulary that nobody has marked is text.
  const auto plain = Tokenizer::from_json(
      R"({"model":{"type":"BPE","vocab":{"</s>":0,"<s>":1,"<pad>":2},"merges":[]}})");
  EXPECT_EQ(found(plain), std::vector<Id>(3));
  EXPECT_FALSE(plain.is_special(0));
}

// Ids that no token has are passed over.
TEST(Tokenizer, DecodesNothingOfIdsBetweenTokens) {
  const auto t = Tokenizer::from_json(
      byte_vocabulary(R"(,"added_tokens":[{"id":262,"content":"<s>","special":true}])"));
  EXPECT_EQ(t.vocab_size(), 263);
  EXPECT_EQ(t.id_to_token(260), "");
  EXPECT_EQ(t.id_to_bytes(260), "");
  EXPECT_EQ(t.decode(std::vector<std::int32_t>{'a', 260, 'b'}), "ab");
  StreamDecoder stream(t);
  EXPECT_EQ(
      stream.push('a') + stream.push(260) + stream.push(262) + stream.push('b') + stream.finish(),
      "ab");
  EXPECT_EQ(t.token_to_id(""), std::nullopt);
  EXPECT_TRUE(t.is_special(262));
  EXPECT_FALSE(t.is_special(260));
}

TEST(Tokenizer, EncodesBehindWhatIsThere) {
  const auto t = Tokenizer::from_json(byte_vocabulary());
  std::vector<std::int32_t> ids{7};
  t.encode_to("abc", encode_plain, ids);
  EXPECT_THAT(ids, ElementsAre(7, 257));
  EXPECT_THAT(t.encode(""), ElementsAre());
}

// Names of control tokens have something between their marks.
TEST(Tokenizer, ControlNamesHaveAMiddle) {
  const auto is_text = [](const std::string& name) {
    const auto t = Tokenizer::from_json(
        byte_vocabulary(R"(,"added_tokens":[{"id":300,"content":")" + name + "\"}]"));
    return t.encode(name, encode_plain) == std::vector<std::int32_t>{300};
  };
  for (const char* name : {"<||>", "<｜｜>", "<|x>", "<x|>", "<|x｜>", "<｜x|>", "|x|", "<|x|> "})
    EXPECT_TRUE(is_text(name)) << name;
  for (const char* name : {"<|x|>", "<｜x｜>", "<|||>", "<｜中｜>", "<| |>"})
    EXPECT_FALSE(is_text(name)) << name;
}

TEST(Tokenizer, WrongIdsAreErrors) {
  const auto t = Tokenizer::from_json(byte_vocabulary());
  for (const std::int32_t id : {-1, 259}) {
    const std::string message =
        fmt::format("{} is not a token id of this tokenizer, which has 0 to 258", id);
    StreamDecoder stream(t);
    const std::function<void()> uses[] = {[&] { t.decode(std::vector<std::int32_t>{id}); },
                                          [&] { t.id_to_token(id); }, [&] { t.id_to_bytes(id); },
                                          [&] { t.is_special(id); }, [&] { stream.push(id); }};
    for (const auto& use : uses) EXPECT_EQ(test::input_error_of(use), message);
  }
  EXPECT_EQ(t.id_to_token(258), "Ġa");
  EXPECT_THROW(t.decode(std::vector<std::int32_t>{-1}), Error);
  EXPECT_THROW(t.id_to_bytes(259), Error);
}

TEST(Tokenizer, ManyThreadsEncodeTheSame) {
  const auto t = Tokenizer::from_json(byte_vocabulary());
  const std::string text = "abc ab a 中文 abcabc";
  const auto expected = t.encode(text);
  std::vector<int> wrong(4);
  on_each_thread(
      [&](int thread, int) {
        for (int i = 0; i < 200; ++i)
          wrong[static_cast<std::size_t>(thread)] += t.encode(text) != expected;
      },
      4);
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

const char* marked_tokens = R"(,"added_tokens":[
    {"id":300,"content":"<a>","special":true,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false},
    {"id":301,"content":"<a><b>","special":true,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false},
    {"id":302,"content":"<|c|>","special":false,"normalized":true,"single_word":false,"lstrip":false,"rstrip":false}])";

// Special tokens are made where they lie within a span, and nowhere else.
TEST(EncodeMarked, SpecialTokensLieWithinTheirSpans) {
  const auto t = Tokenizer::from_json(byte_vocabulary(marked_tokens));
  const std::string text = "<a>ab<|c|><a>";
  const auto ids = [&](std::vector<ByteSpan> spans) {
    return t.encode_marked({text, spans, {}}).ids;
  };
  EXPECT_EQ(ids({{0, 13}}), t.encode(text, {Template::skip, SpecialText::parse}));
  EXPECT_EQ(ids({}), t.encode(text, encode_plain));
  EXPECT_THAT(ids({{0, 3}}), ElementsAre(300, 256, '<', '|', 'c', '|', '>', '<', 'a', '>'));
  EXPECT_THAT(ids({{5, 10}}), ElementsAre('<', 'a', '>', 256, 302, '<', 'a', '>'));
  EXPECT_THAT(ids({{1, 9}, {10, 13}}),
              ElementsAre('<', 'a', '>', 256, '<', '|', 'c', '|', '>', 300));
}

// A longer token that begins in other text takes nothing away from the span.
TEST(EncodeMarked, TextBeforeASpanSwallowsNoToken) {
  const auto t = Tokenizer::from_json(byte_vocabulary(marked_tokens));
  const std::vector<ByteSpan> spans{{3, 9}};
  EXPECT_THAT(t.encode_marked({"<a><b><a>", spans, {}}).ids,
              ElementsAre('<', 'a', '>', '<', 'b', '>', 300));
}

TEST(EncodeMarked, TokensThatOverlapASpanGetAMark) {
  const auto t = Tokenizer::from_json(byte_vocabulary(marked_tokens));
  const auto marks = [&](const std::string& text, std::vector<ByteSpan> marked) {
    const std::vector<ByteSpan> everywhere{{0, text.size()}};
    return t.encode_marked({text, everywhere, marked}).marks;
  };
  // " ", "ab", "<a>", "abc", "x"
  EXPECT_THAT(marks(" ab<a>abcx", {{1, 2}}), ElementsAre(0, 1, 0, 0, 0));
  EXPECT_THAT(marks(" ab<a>abcx", {{2, 4}}), ElementsAre(0, 1, 1, 0, 0));
  EXPECT_THAT(marks(" ab<a>abcx", {{0, 1}, {8, 10}}), ElementsAre(1, 0, 0, 1, 1));
  EXPECT_THAT(marks(" ab<a>abcx", {}), ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(marks(" ab<a>abcx", {{3, 3}, {9, 10}}), ElementsAre(0, 0, 0, 0, 1));
}

TEST(MarkedSpans, OverlapWhereTheyShareAByte) {
  using namespace tokenizer;
  const std::vector<ByteSpan> spans{{2, 4}, {4, 5}, {8, 10}};
  for (const auto& [begin, end, overlap] :
       std::initializer_list<std::tuple<std::size_t, std::size_t, bool>>{{0, 1, false},
                                                                         {0, 2, false},
                                                                         {0, 3, true},
                                                                         {1, 9, true},
                                                                         {2, 3, true},
                                                                         {3, 4, true},
                                                                         {4, 5, true},
                                                                         {5, 8, false},
                                                                         {5, 9, true},
                                                                         {9, 10, true},
                                                                         {10, 12, false}}) {
    EXPECT_EQ(overlaps(spans, {begin, end}), overlap) << begin << " " << end;
    EXPECT_EQ(!spans_within(spans, {begin, end}).empty(), overlap) << begin << " " << end;
  }
  EXPECT_FALSE(overlaps({}, {0, 9}));
  const auto within = [&](std::size_t begin, std::size_t end) {
    std::string all;
    for (const ByteSpan& span : spans_within(spans, {begin, end}))
      all += fmt::format("{}-{} ", span.begin, span.end);
    return all;
  };
  EXPECT_EQ(within(0, 12), "2-4 4-5 8-10 ");
  EXPECT_EQ(within(3, 9), "0-1 1-2 5-6 ");
  EXPECT_EQ(within(2, 4), "0-2 ");
  EXPECT_EQ(within(9, 10), "0-1 ");
}

// Characters that no token spells, and blanks that the pre-tokenizer removes.
TEST(EncodeMarked, UnknownTextAndBlanksHaveTheirPlaces) {
  const auto marks = [](const std::string& parts, const std::string& text,
                        std::vector<ByteSpan> marked) {
    const auto t = Tokenizer::from_json(
        R"({"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":{"type":"Fuse"},"model":{"type":"BPE",)"
        R"("unk_token":"?","vocab":{"?":0,"a":1,"b":2,"ab":3},"merges":["a b"])" +
        parts + "}}");
    const MarkedTokens tokens = t.encode_marked({text, {}, marked});
    std::string shown;
    for (std::size_t i = 0; i < tokens.ids.size(); ++i)
      shown += std::string(t.id_to_token(tokens.ids[i])) + (tokens.marks[i] ? "! " : " ");
    return shown;
  };
  EXPECT_EQ(marks("", "ab \t\n b a", {{5, 6}}), "ab b a ");
  EXPECT_EQ(marks("", "ab \t\n b a", {{6, 7}}), "ab b! a ");
  EXPECT_EQ(marks("", "ab \t\n b a", {{8, 9}}), "ab b a! ");
  EXPECT_EQ(marks("", "ab  b a", {{4, 5}}), "ab b! a ");
  EXPECT_EQ(marks("", "ab  b a", {{1, 2}}), "ab! b a ");
  // Each unknown character a token, or all of a run together.
  EXPECT_EQ(marks("", "a中éb", {{1, 2}}), "a ?! ? b ");
  EXPECT_EQ(marks("", "a中éb", {{4, 5}}), "a ? ?! b ");
  EXPECT_EQ(marks("", "a中éb", {{6, 7}}), "a ? ? b! ");
  const std::string fused = R"(,"fuse_unk":true)";
  EXPECT_EQ(marks(fused, "a中éb", {{4, 5}}), "a ?! b ");
  EXPECT_EQ(marks(fused, "a中éb", {{6, 7}}), "a ? b! ");
  EXPECT_EQ(marks(fused, "中é", {{4, 5}}), "?! ");
}

TEST(EncodeMarked, NamesATokenThatDoesNotSpellItsText) {
  const auto t = Tokenizer::from_json(
      R"({"decoder":{"type":"Replace","pattern":{"String":"a"},"content":"x"},)"
      R"("model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}})");
  const std::vector<ByteSpan> part{{0, 1}}, all{{0, 2}};
  EXPECT_EQ(test::input_error_of([&] {
              t.encode_marked({"ba", {}, part});
            }),
            "this tokenizer's token 'x' does not spell the text \"a\" that it stands for, so the "
            "tokens of an answer can't be "
            "told from the rest");
  EXPECT_THAT(t.encode_marked({"ba", {}, all}).marks, ElementsAre(1, 1)) << "all the same";
  EXPECT_THAT(t.encode_marked({"ba", {}, {}}).marks, ElementsAre(0, 0));
  EXPECT_THAT(test::error_of(ErrorKind::runtime,
                             [&] {
                               t.encode_marked({"\xff", {}, {}});
                             }),
              testing::HasSubstr("valid UTF-8"));
}

// A normalizer moves the places of what follows: "é" of two characters becomes one.
TEST(EncodeMarked, SpansFollowTheNormalizer) {
  const auto t = Tokenizer::from_json(
      byte_vocabulary(std::string(marked_tokens) + R"(,"normalizer":{"type":"NFC"})"));
  const std::string text = "e\u0301x<|c|>y";
  const std::vector<ByteSpan> token{{4, 9}}, x_and_token{{3, 9}};
  const auto encoded = t.encode_marked({text, token, x_and_token});
  EXPECT_THAT(encoded.ids, ElementsAre(0xc3, 0xa9, 'x', 302, 'y'));
  EXPECT_THAT(encoded.marks, ElementsAre(0, 0, 1, 1, 0));
  // The mark goes through the character that the normalizer joins.
  const std::vector<ByteSpan> accent{{1, 3}};
  EXPECT_THAT(t.encode_marked({text, {}, accent}).marks[1], 1);
  // So do two marks that share it, behind a third.
  const std::string later = "y" + text;
  const std::vector<ByteSpan> three{{0, 1}, {1, 2}, {2, 4}};
  EXPECT_THAT(t.encode_marked({later, {}, three}).marks,
              ElementsAre(1, 1, 1, 0, 0, 0, 0, 0, 0, 0));
}

}  // namespace
}  // namespace fathom
