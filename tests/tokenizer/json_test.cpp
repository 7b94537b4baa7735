// Corrupt tokenizer.json files: each one Error that names file and key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tokenizer/json_tables.h"
#include "tokenizer/tokenizer.h"

namespace fathom {
namespace {

std::string with(const std::string& model, const std::string& rest = "") {
  return "{\"model\":{\"type\":\"BPE\"," + model + "}" + rest + "}";
}
const std::string ok_model = R"("vocab":{"a":0,"b":1,"ab":2},"merges":["a b"])";

std::string file_error(const std::string& text) {
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

// What the quick reader of vocabulary and merges takes, and what it leaves to the reader of whole
// documents.
TEST(TokenizerJson, EveryNotationOfTheListsMeansTheSame) {
  const auto expected =
      Tokenizer::from_json(with(R"("vocab":{"a":0,"\"":1,"a\"":2,"é":3,"😀":4},"merges":["a \""])"));
  EXPECT_EQ(expected.id_to_token(1), "\"");
  for (
      const auto& [quick, model] : std::vector<std::pair<bool, std::string>>{
          {true, R"("merges":["a \""],"vocab":{"a":0,"\"":1,"a\"":2,"é":3,"😀":4})"},
          {true,
           R"( "vocab" : { "\u0061" : 0 , "\"" : 1 , "a\u0022" : 2 , "\u00E9" : 3 , "😀" : 4 } ,
                    "merges" : [ [ "a" , "\"" ] ] )"},
          {true, R"("vocab":{"😀":4,"é":3,"a\"":2,"\"":1,"a":0},"merges":["#version: 0.2","a \""])"},
          {true,
           R"("x":{"vocab":["]","}"]},"vocab":{"a":0,"\"":1,"a\"":2,"é":3,"😀":4},"merges":["a \""])"},
          {false, R"("vocab":{"a":0,"\"":1,"a\"":2,"é":3,"\ud83d\ude00":4},"merges":["a \""])"},
          {false,
           R"("vocab":{"x":9},"vocab":{"a":0,"\"":1,"a\"":2,"é":3,"😀":4},"merges":["a \""])"}}) {
    const std::string text = with(model);
    EXPECT_EQ(tokenizer::scan_json_tables(text).has_value(), quick) << text;
    EXPECT_EQ(Tokenizer::from_json(text).to_json(), expected.to_json()) << text;
  }
  // The second of two values counts, as in any JSON here.
  const std::string twice = with(R"("vocab":{"a":1,"a":0},"merges":[])");
  EXPECT_EQ(Tokenizer::from_json(twice).token_to_id("a"), 0);
}

TEST(TokenizerJson, LeavesMistakesInTheListsToTheReaderOfTheDocument) {
  for (const char* model : {R"("vocab":{"a":01},"merges":[])",
                            R"("vocab":{"a":1.0},"merges":[])",
                            R"("vocab":{"a":1e0},"merges":[])",
                            R"("vocab":{"a":-0},"merges":[])",
                            R"("vocab":{"a":1234567890},"merges":[])",
                            R"("vocab":{"a":null},"merges":[])",
                            R"("vocab":{"a":0,},"merges":[])",
                            R"("vocab":{"a" 0},"merges":[])",
                            R"("vocab":{"\x":0},"merges":[])",
                            R"("vocab":{"\u12g4":0},"merges":[])",
                            R"("vocab":{"\u12":0},"merges":[])",
                            "\"vocab\":{\"\n\":0},\"merges\":[]",
                            "\"vocab\":{\"\xff\":0},\"merges\":[]",
                            R"("vocab":[],"merges":[])",
                            R"("vocab":{"a":0},"merges":{})",
                            R"("vocab":{"a":0},"merges":["a"])",
                            R"("vocab":{"a":0},"merges":["a b c"])",
                            R"("vocab":{"a":0},"merges":[["a"]])",
                            R"("vocab":{"a":0},"merges":[["a","b","c"]])",
                            R"("vocab":{"a":0},"merges":[1])",
                            R"("vocab":{"a":0},"merges":[],"merges":[])",
                            R"("vocab":{"a":0})",
                            R"("merges":[])",
                            R"("vocab":{"a":0},"merges":["a)"}) {
    EXPECT_FALSE(tokenizer::scan_json_tables(with(model))) << model;
  }
  for (const char* text : {"", "[]", "{}", "{\"model\":[]}", "{\"model\":", "{\"model\""}) {
    EXPECT_FALSE(tokenizer::scan_json_tables(text)) << text;
  }
  EXPECT_FALSE(tokenizer::scan_json_tables(with(ok_model) + "x"));
  EXPECT_FALSE(tokenizer::scan_json_tables(with(ok_model, "," + std::string("\"model\":{}"))));
}

// A mistake elsewhere has its place in the file, not in what is left without the lists.
TEST(TokenizerJson, TellsWhereAMistakeBesideTheListsIs) {
  const std::string text = with(ok_model, R"(,"decoder":nil)");
  EXPECT_TRUE(tokenizer::scan_json_tables(text));
  EXPECT_THAT(file_error(text), testing::HasSubstr(fmt::format("column {}", text.find("nil") + 2)));
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

// Each step as Hugging Face writes it.
TEST(TokenizerJson, EveryStepIsWrittenAsItWasRead) {
  const std::vector<std::pair<const char*, std::vector<std::string>>> steps{
      {"normalizer",
       {R"({"type":"NFC"})", R"({"type":"NFD"})", R"({"type":"NFKC"})", R"({"type":"NFKD"})",
        R"({"type":"Lowercase"})", R"({"type":"StripAccents"})", R"({"type":"Nmt"})",
        R"({"type":"Prepend","prepend":"_"})",
        R"({"type":"Replace","pattern":{"Regex":"a+"},"content":"x"})",
        R"({"type":"Strip","strip_left":true,"strip_right":false})",
        R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":false,"strip_accents":null,"lowercase":true})",
        R"({"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":true,"strip_accents":false,"lowercase":false})"}},
      {"pre_tokenizer",
       {R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false})",
        R"({"type":"Digits","individual_digits":true})",
        R"({"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":false})",
        R"({"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":true})",
        R"({"type":"Metaspace","replacement":"_","prepend_scheme":"never","split":true})",
        R"({"type":"Whitespace"})", R"({"type":"WhitespaceSplit"})",
        R"({"type":"BertPreTokenizer"})", R"({"type":"Punctuation","behavior":"Contiguous"})",
        R"({"type":"CharDelimiterSplit","delimiter":"-"})",
        R"({"type":"Split","pattern":{"String":"a"},"behavior":"MergedWithNext","invert":true})",
        R"({"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"BertPreTokenizer"}]})"}},
      {"post_processor",
       {R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true})",
        R"({"type":"BertProcessing","sep":["b",1],"cls":["a",0]})",
        R"({"type":"RobertaProcessing","sep":["b",1],"cls":["a",0],"trim_offsets":true,"add_prefix_space":false})",
        R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"a","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"a":{"id":"a","ids":[0],"tokens":["a"]}}})"}},
      {"decoder",
       {R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})",
        R"({"type":"ByteFallback"})", R"({"type":"Fuse"})", R"({"type":"BPEDecoder","suffix":"/"})",
        R"({"type":"Strip","content":"a","start":1,"stop":2})",
        R"({"type":"Replace","pattern":{"String":"_"},"content":" "})",
        R"({"type":"Metaspace","replacement":"_","prepend_scheme":"never","split":false})"}}};
  for (const auto& [key, all] : steps) {
    for (const std::string& step : all) {
      const std::string part = std::string("\"") + key + "\": " + step + ",\n";
      const std::string json =
          Tokenizer::from_json(with(ok_model, "," + part.substr(0, part.size() - 2))).to_json();
      EXPECT_THAT(json, testing::HasSubstr(part));
    }
  }
  const std::string token =
      R"({"id":5,"content":"<s>","single_word":true,"lstrip":false,"rstrip":true,"normalized":false,"special":true})";
  const std::string model =
      "\"dropout\": null,\n    \"unk_token\": \"b\",\n    \"continuing_subword_prefix\": \"#\",\n"
      "    \"end_of_word_suffix\": \"/\",\n    \"fuse_unk\": true,\n    \"byte_fallback\": false,\n"
      "    \"ignore_merges\": true,\n    \"vocab\": {\n      \"a\": 0,\n      \"b\": 2,\n"
      "      \"ab\": 3\n    },\n    \"merges\": [\n      ";
  const std::string json =
      Tokenizer::from_json(with(model + "]", ",\"added_tokens\":[" + token + "]")).to_json();
  EXPECT_THAT(json, testing::HasSubstr("\"added_tokens\": [\n    " + token + "\n  ],\n"));
  EXPECT_THAT(json, testing::HasSubstr(model.substr(0, model.size() - 7)));
}

// A file that leaves a switch out means the same as one that writes Hugging Face's default.
TEST(TokenizerJson, SwitchesThatAreLeftOutHaveTheUsualValues) {
  struct Step {
    const char *key, *given, *whole;
  };
  for (
      const auto& [key, given, whole] : std::vector<Step>{
          {"pre_tokenizer", R"({"type":"ByteLevel","add_prefix_space":false})",
           R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true})"},
          {"pre_tokenizer", R"({"type":"Digits"})",
           R"({"type":"Digits","individual_digits":false})"},
          {"pre_tokenizer", R"({"type":"Punctuation"})",
           R"({"type":"Punctuation","behavior":"Isolated"})"},
          {"pre_tokenizer", R"({"type":"Split","pattern":{"String":"a"},"behavior":"Isolated"})",
           R"({"type":"Split","pattern":{"String":"a"},"behavior":"Isolated","invert":false})"},
          {"pre_tokenizer", R"({"type":"Metaspace","replacement":"_"})",
           R"({"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true})"},
          {"pre_tokenizer", R"({"type":"Metaspace","replacement":"_","add_prefix_space":false})",
           R"({"type":"Metaspace","replacement":"_","prepend_scheme":"never","split":true})"},
          {"post_processor", R"({"type":"ByteLevel"})",
           R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})"},
          {"post_processor", R"({"type":"RobertaProcessing","sep":["b",1],"cls":["a",0]})",
           R"({"type":"RobertaProcessing","sep":["b",1],"cls":["a",0],"trim_offsets":true,"add_prefix_space":true})"},
          {"decoder", R"({"type":"ByteLevel"})",
           R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})"},
          {"decoder", R"({"type":"Metaspace","replacement":"_"})",
           R"({"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true})"}}) {
    const std::string name = "\"" + std::string(key) + "\":";
    EXPECT_THAT(Tokenizer::from_json(with(ok_model, "," + name + given)).to_json(),
                testing::HasSubstr(name + " " + whole + ",\n"))
        << given;
  }
  const std::string model = Tokenizer::from_json(with(ok_model)).to_json();
  for (const char* line :
       {"\"fuse_unk\": false,", "\"byte_fallback\": false,", "\"ignore_merges\": false,"}) {
    EXPECT_THAT(model, testing::HasSubstr(line));
  }
  // A special token is looked for in the text as it is, another one in the normalised text.
  for (const auto& [given, special] :
       {std::pair("", "\"normalized\":true,\"special\":false}"),
        {",\"special\":true", "\"normalized\":false,\"special\":true}"}}) {
    const std::string token = R"(,"added_tokens":[{"id":5,"content":"<s>")" + std::string(given);
    EXPECT_THAT(Tokenizer::from_json(with(ok_model, token + "}]")).to_json(),
                testing::HasSubstr(R"("single_word":false,"lstrip":false,"rstrip":false,)" +
                                   std::string(special)));
  }
}

TEST(TokenizerJson, RefusesWhatIsCorrupt) {
  using testing::HasSubstr;
  EXPECT_THAT(file_error("{"), HasSubstr("t.json: not valid JSON"));
  EXPECT_THAT(file_error("[]"), HasSubstr("t.json: is [], not an object"));
  EXPECT_THAT(file_error("{}"), HasSubstr("t.json: 'model' is missing"));
  EXPECT_THAT(file_error(with(R"("merges":[])")), HasSubstr("'model.vocab' is missing"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":-1},"merges":[])")),
              HasSubstr("'model.vocab.a' is -1, not a whole number from 0 to"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":1e3},"merges":[])")),
              HasSubstr("not a whole number"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":99999999999999999999},"merges":[])")),
              HasSubstr("vocab.a"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":2000000},"merges":[])")), HasSubstr("far beyond"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":0,"b":0},"merges":[])")),
              HasSubstr("is 0, the id of 'a' too"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":0},"merges":["a b"])")),
              HasSubstr("'model.merges[0]' makes or wants 'b', which is not in the vocabulary"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":0},"merges":["a b c"])")),
              HasSubstr("merges[0]' is \"a b c\", not \"left right\" or"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":0},"merges":[],"dropout":0.5)")),
              HasSubstr("'model.dropout' is not supported"));
  EXPECT_THAT(file_error(with(R"("vocab":{"a":0},"merges":[],"unk_token":"?")")),
              HasSubstr("'model.unk_token' is '?', which is not in the vocabulary"));
}

TEST(TokenizerJson, RefusesWhatIsNotSupported) {
  using testing::HasSubstr;
  EXPECT_THAT(file_error(with(ok_model, R"(,"normalizer":{"type":"Precompiled"})")),
              HasSubstr("t.json: 'normalizer.type' is 'Precompiled', which is not supported"));
  EXPECT_THAT(file_error(with(ok_model, R"(,"pre_tokenizer":{"type":"Split","pattern":)"
                                        R"({"Regex":"("},"behavior":"Isolated"})")),
              HasSubstr("t.json: pre_tokenizer: the regular expression '(' is not usable"));
  std::string deep = R"({"type":"NFC"})";
  for (int i = 0; i < 20; ++i) deep = R"({"type":"Sequence","normalizers":[)" + deep + "]}";
  EXPECT_THAT(file_error(with(ok_model, ",\"normalizer\":" + deep)),
              HasSubstr("nested too deeply"));
  const std::string brackets(60000, '[');
  EXPECT_THAT(file_error(with(ok_model, ",\"truncation\":" + brackets)),
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
  EXPECT_THAT(file_error(with_steps(60000)),
              testing::HasSubstr("'pre_tokenizer.pretokenizers[64]' is one step too many: at most "
                                 "64 are supported"));
}

TEST(TokenizerJson, RefusesWrongAddedTokens) {
  using testing::HasSubstr;
  const auto added = [](const std::string& list) {
    return file_error(with(ok_model, ",\"added_tokens\":[" + list + "]"));
  };
  EXPECT_THAT(added(R"({"id":0,"content":"<s>"})"), HasSubstr("the vocabulary says otherwise"));
  EXPECT_THAT(added(R"({"id":7,"content":"a"})"), HasSubstr("the vocabulary says otherwise"));
  EXPECT_THAT(added(R"({"id":7,"content":"x"},{"id":8,"content":"x"})"), HasSubstr("added twice"));
  EXPECT_THAT(added(R"({"id":7,"content":"x"},{"id":7,"content":"y"})"),
              HasSubstr("uses the id 7 twice"));
  EXPECT_THAT(added(R"({"id":7,"content":""})"), HasSubstr("is empty"));
}

// Each mistake in a step, with the key it is at.
TEST(TokenizerJson, RefusesWrongSteps) {
  const auto template_with = [](const std::string& single,
                                const std::string& tokens =
                                    R"({"a":{"id":"a","ids":[0],"tokens":["a"]}})") {
    return R"({"type":"TemplateProcessing","single":[)" + single + R"(],"special_tokens":)" +
           tokens + "}";
  };
  const std::string sequence = R"({"Sequence":{"id":"A"}})",
                    special = R"({"SpecialToken":{"id":"a"}})";
  struct Row {
    const char* key;
    std::string step, error;
  };
  for (
      const auto& [key, step, error] : std::vector<Row>{
          {"normalizer", R"({"type":"X"})",
           "'normalizer.type' is 'X', which is not supported; known are Sequence, NFC, "},
          {"normalizer", R"({"type":"Strip","strip_left":true})",
           "'normalizer.strip_right' is missing"},
          {"normalizer", R"({"type":"Strip","strip_left":1,"strip_right":true})",
           "'normalizer.strip_left' is 1"},
          {"normalizer", R"({"type":"Replace","pattern":{},"content":""})",
           "'normalizer.pattern.String' is missing"},
          {"normalizer",
           R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true})",
           "'normalizer.lowercase' is missing"},
          {"normalizer",
           R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"lowercase":true,"strip_accents":1})",
           "'normalizer.strip_accents' is 1"},
          {"pre_tokenizer", R"({"type":"ByteLevel"})",
           "'pre_tokenizer.add_prefix_space' is missing"},
          {"pre_tokenizer", R"({"type":"Split","pattern":{"String":"a"},"behavior":"Merged"})",
           "'pre_tokenizer.behavior' is 'Merged', not one of Removed, Isolated, "
           "MergedWithPrevious, MergedWithNext, Contiguous"},
          {"pre_tokenizer", R"({"type":"Metaspace","replacement":""})",
           "'pre_tokenizer.replacement' is \"\", not one character"},
          {"pre_tokenizer", R"({"type":"Metaspace","replacement":"中文"})", "not one character"},
          {"pre_tokenizer", R"({"type":"Metaspace","replacement":"_","prepend_scheme":"last"})",
           "'pre_tokenizer.prepend_scheme' is 'last', not one of always, first, never"},
          {"pre_tokenizer",
           R"({"type":"Metaspace","replacement":"_","prepend_scheme":"always","add_prefix_space":false})",
           "contradicts 'add_prefix_space'"},
          {"pre_tokenizer",
           R"({"type":"Metaspace","replacement":"_","prepend_scheme":"never","add_prefix_space":true})",
           "no error"},
          {"pre_tokenizer",
           R"({"type":"Metaspace","replacement":"_","prepend_scheme":"never","add_prefix_space":false})",
           "no error"},
          {"post_processor", R"({"type":"BertProcessing","sep":["b",1],"cls":["a"]})",
           "'post_processor.cls' is no [token, id]"},
          {"post_processor", R"({"type":"BertProcessing","sep":["b",-1],"cls":["a",0]})",
           "'post_processor.sep[1]' is -1"},
          {"post_processor", R"({"type":"BertProcessing","sep":["b",2],"cls":["a",0]})",
           "no error"},
          {"post_processor", R"({"type":"BertProcessing","sep":["b",3],"cls":["a",0]})",
           "post_processor: the id 3 is beyond the vocabulary"},
          {"post_processor", template_with(sequence), "no error"},
          {"post_processor", template_with(special + "," + sequence + "," + special), "no error"},
          {"post_processor", template_with(special),
           "post_processor.single: wants the sequence A exactly once"},
          {"post_processor", template_with(sequence + "," + sequence),
           "post_processor.single: wants the sequence A exactly once"},
          {"post_processor", template_with(R"({"Sequence":{"id":"B"}})"),
           "post_processor.single: wants the sequence A exactly once"},
          {"post_processor", template_with(R"({"Sequence":{"id":"C"}})"),
           "'post_processor.single[0].Sequence.id' is neither \"A\" nor \"B\""},
          {"post_processor", template_with(R"({"SpecialToken":{"id":""}})"),
           "'post_processor.single[0].SpecialToken.id' is empty"},
          {"post_processor", template_with(R"({"SpecialToken":{"id":"b"}},)" + sequence),
           "post_processor.single: 'b' is missing in special_tokens"},
          {"post_processor",
           template_with(special + "," + sequence, R"({"a":{"id":"a","ids":[3],"tokens":["a"]}})"),
           "post_processor.special_tokens: the id 3 is beyond the vocabulary"},
          {"decoder", R"({"type":"Strip","content":"a","start":1000,"stop":1000})", "no error"},
          {"decoder", R"({"type":"Strip","content":"a","start":1001,"stop":0})",
           "'decoder.start' is 1001"},
          {"decoder", R"({"type":"Strip","content":"a","start":0,"stop":-1})",
           "'decoder.stop' is -1"},
          {"decoder", R"({"type":"Strip","content":"ab","start":0,"stop":0})",
           "'decoder.content' is \"ab\", not one character"},
          {"decoder", R"({"type":"BPEDecoder","suffix":""})", "'decoder.suffix' is empty"},
          {"decoder",
           R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"a","start":0,"stop":1}]})",
           "decoder: a Strip of the end after Fuse is not supported"},
          {"decoder",
           R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"a","start":1,"stop":0},{"type":"Strip","content":"a","start":1,"stop":0}]})",
           "decoder: a Strip of the end after Fuse is not supported"},
          {"decoder",
           R"({"type":"Sequence","decoders":[{"type":"ByteLevel"},{"type":"ByteFallback"}]})",
           "decoder: a step other than Strip after Fuse or ByteLevel is not supported"},
          {"decoder",
           R"({"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Fuse"}]})",
           "no error"}}) {
    EXPECT_THAT(file_error(with(ok_model, ",\"" + std::string(key) + "\":" + step)),
                testing::HasSubstr(error))
        << step;
  }
}

// The largest id that a file of so many tokens may have.
TEST(TokenizerJson, BoundsIdsByTheNumberOfTokens) {
  const auto vocab = [](int id) {
    return with(R"("vocab":{"a":0,"b":)" + std::to_string(id) + R"(},"merges":[])");
  };
  EXPECT_EQ(Tokenizer::from_json(vocab(65568)).vocab_size(), 65569);
  EXPECT_THAT(file_error(vocab(65569)),
              testing::HasSubstr("'model.vocab.b' is 65569, far beyond the 2 tokens there are"));
  const auto added = [](int id) {
    return with(ok_model,
                R"(,"added_tokens":[{"id":)" + std::to_string(id) + R"(,"content":"<s>"}])");
  };
  EXPECT_EQ(Tokenizer::from_json(added(65600)).vocab_size(), 65601);
  EXPECT_THAT(
      file_error(added(65601)),
      testing::HasSubstr("'added_tokens[0].id' is 65601, far beyond the 4 tokens there are"));
}

TEST(TokenizerJson, RefusesOtherMistakesInTheModel) {
  using testing::HasSubstr;
  EXPECT_THAT(file_error(with(R"("vocab":{"":0},"merges":[])")),
              HasSubstr("belongs to an empty token"));
  EXPECT_EQ(file_error(with(R"("vocab":{"a":0},"merges":[],"dropout":0)")), "no error");
  EXPECT_EQ(file_error(with(R"("vocab":{"a":0},"merges":[],"dropout":null,"unk_token":null)")),
            "no error");
  EXPECT_THAT(file_error(with(R"("vocab":{"a":0,"b":1},"merges":["a b"])")),
              HasSubstr("makes or wants 'ab'"));
  for (const char* merge : {R"("ab")", R"(["a"])", R"(["a","b","c"])", "1", R"("a  b")"}) {
    EXPECT_THAT(
        file_error(with(R"("vocab":{"a":0,"b":1,"ab":2},"merges":[)" + std::string(merge) + "]")),
        HasSubstr("'model.merges[0]' is "))
        << merge;
  }
}

TEST(TokenizerJson, MissingFileIsAnInputError) {
  EXPECT_THROW(Tokenizer::load("/nonexistent/tokenizer.json"), Error);
}

}  // namespace
}  // namespace fathom
