// Every switch of every command: the list of them is what --help says, and each does
// something that can be seen from outside, or is named with the test that sees it.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/tiny_run.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Arguments = std::vector<std::string>;

// Files that all rows read, made once: a run of a few steps, its model, and text.
struct World {
  TempDir dir{"switches"};
  std::string model, run, tokenizer, special;

  World() {
    make_tiny_data(dir);
    must(run_fathom(dir, {"train", make_tiny_config(dir), "--set", "train.steps=20", "--set",
                          "checkpoint.every_steps=20"}));
    run = dir / "run";
    model = run + "/model";
    tokenizer = dir / "tokenizer.json";
    const auto json = nlohmann::json::parse(read_file(tokenizer));
    special = json.at("added_tokens").at(0).at("content");
    write_file(dir / "prompts.txt", "7 ships\n9 ships left\n");
    write_file(dir / "two_fields.jsonl", R"({"text": "one", "body": "other words"})"
                                         "\n");
    write_file(dir / "ids.txt", "65 66 67\n");
  }
};

class Switches : public testing::Test {
 protected:
  static void SetUpTestSuite() { shared_ = new std::optional<World>; }
  static void TearDownTestSuite() { delete shared_; }
  static World& world() {
    if (!*shared_) shared_->emplace();
    return **shared_;
  }
  Outcome run(Arguments arguments) { return run_fathom(dir_, std::move(arguments)); }
  // Standard output of a command that succeeds.
  std::string out(Arguments arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err << testing::PrintToString(arguments);
    return outcome.out;
  }
  static Arguments with(Arguments arguments, const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  TempDir dir_;

 private:
  static std::optional<World>* shared_;
};
std::optional<World>* Switches::shared_ = nullptr;

// The switches of each command. A new switch belongs here, and in a test.
const std::map<std::string, std::set<std::string>> surface{
    {"bench cpu",
     {"--model", "--device", "--tokens-per-step", "--sequence-length", "--micro-batch",
      "--recompute", "--logits-chunk", "--dtype", "--precision", "--heat", "--threads", "--steps",
      "--text-lengths", "--pairs", "--peak", "--brief", "--json"}},
    {"bench gpu",
     {"--model", "--device", "--tokens-per-step", "--sequence-length", "--micro-batch",
      "--recompute", "--logits-chunk", "--dtype", "--precision", "--heat", "--threads", "--steps",
      "--text-lengths", "--pairs", "--peak", "--brief", "--json", "--profile", "--profile-like"}},
    {"bench generate",
     {"--device", "--dtype", "--weights", "--sequences", "--requests", "--prompt", "--new", "--tokens-per-step",
      "--temperature", "--top-k", "--top-p", "--turns", "--threads", "--batch-invariant", "--json"}},
    {"bench save",
     {"--model", "--device", "--tokens-per-step", "--sequence-length", "--micro-batch",
      "--recompute", "--logits-chunk", "--dtype", "--precision", "--heat", "--threads", "--steps", "--directory",
      "--discard"}},
    {"chat",
     {"--batch-invariant", "--tokenizer", "--device", "--dtype", "--threads", "--weights", "--temperature", "--top-k", "--top-p",
      "--min-p", "--repetition-penalty", "--seed", "--template", "--system", "--max-tokens",
      "--load", "--server", "--api-key-file"}},
    {"completion", {}},
    {"convert", {"--dtype", "--max-shard-size", "--tokenizer", "--bos-token", "--eos-token"}},
    {"data prepare", {"--set", "--overwrite"}},
    {"data check",
     {"--model", "--tokenizer", "--chat-template", "--context", "--learn", "--rankings", "--system",
      "--no-system", "--no-exams", "--show", "--color"}},
    {"data clean", {"--set", "--shared", "--dry-run", "--rules"}},
    {"data dedup", {"--set", "--shared"}},
    {"data mix", {"--tokens", "--temperature", "--max-epochs", "--weight", "--cap", "--phase"}},
    {"data quality train", {"--set"}},
    {"data run", {"--set", "--from", "--until", "--dry-run", "--help-config"}},
    {"data sample",
     {"--format", "--content", "--field", "--separator", "--skip-broken-lines", "--count",
      "--seed"}},
    {"data stats",
     {"--format", "--content", "--field", "--separator", "--skip-broken-lines", "--json"}},
    {"data text", {"--source", "--held-out"}},
    {"generate",
     {"--prompt", "--prompts", "--max-tokens", "--temperature", "--top-k", "--top-p", "--min-p",
      "--repetition-penalty", "--stop", "--parse-special", "--seed", "--tokenizer", "--device",
      "--dtype", "--weights", "--threads", "--batch-invariant", "--batch", "--conversations",
      "--template", "--system"}},
    {"info", {"--json"}},
    {"manual", {}},
    {"dpo", {"--set", "--resume", "--ranks", "--trace", "--help-config"}},
    {"dpo sample",
     {"--model", "--output", "--answers", "--rule", "--answers-file", "--from-answers", "--scores",
      "--reward", "--template", "--system", "--max-tokens", "--temperature", "--top-p", "--seed",
      "--batch", "--device", "--dtype", "--threads"}},
    {"eval",
     {"--tasks", "--data", "--configs", "--set", "--shots", "--limit", "--batch", "--cache-gib",
      "--max-length", "--out", "--beside", "--code", "--python", "--all-scores", "--checkpoints", "--api-key-file", "--chat", "--template", "--system", "--tokenizer", "--device", "--dtype",
      "--weights", "--threads", "--batch-invariant"}},
    {"eval compare", {"--json"}},
    {"eval overlap",
     {"--tasks", "--data", "--configs", "--set", "--length", "--shortest", "--text-field", "--scores", "--out", "--trace"}},
    {"plan",
     {"--gpus", "--gpu", "--tokens", "--gpus-per-node", "--sequence-length", "--batch", "--layouts",
      "--micro-batch", "--recompute", "--best", "--json", "--timeline", "--trace",
      "--simulate-failures", "--restart-seconds", "--checkpoint-seconds", "--write-gbs"}},
    {"scaling allocate", {"--compute", "--laws", "--sequence-length", "--out", "--data", "--json"}},
    {"scaling fit", {"--metric", "--budget-tolerance", "--least-compute", "--draws", "--seed", "--out", "--json"}},
    {"scaling flops", {"--sequence-length", "--json"}},
    {"scaling hparams",
     {"--compute", "--model", "--tokens", "--laws", "--sequence-length", "--json"}},
    {"scaling predict",
     {"--laws", "--model-flops", "--model", "--tokens", "--compute", "--unique-tokens",
      "--sequence-length", "--json"}},
    {"scaling plan", {"--out", "--set", "--tflops", "--jobs", "--json", "--help-config"}},
    {"scaling run", {"--jobs", "--part"}},
    {"serve",
     {"--tokenizer", "--device", "--dtype", "--weights", "--threads", "--template", "--served-model-name",
      "--host", "--port", "--api-key-file", "--cors", "--max-sequences", "--max-waiting",
      "--max-length", "--tokens-per-step", "--cache-gib", "--max-body-mib", "--max-unsent-mib",
      "--drain-seconds", "--tls-cert", "--tls-key", "--follow", "--swap-seconds",
      "--batch-invariant"}},
    {"sft", {"--set", "--resume", "--ranks", "--trace", "--help-config"}},
    {"tokenizer train",
     {"--out", "--vocab-size", "--pad-to-multiple", "--special", "--like", "--set", "--threads"}},
    {"tokenizer encode",
     {"--out", "--whole", "--jsonl", "--text-field", "--add-special", "--plain", "--stats",
      "--repeat", "--threads"}},
    {"tokenizer decode", {"--out", "--whole", "--jsonl", "--keep-special"}},
    {"train", {"--set", "--resume", "--ranks", "--trace", "--help-config"}},
    {"verify", {"--layouts", "--steps", "--transfers", "--directory", "--set"}},
};

TEST_F(Switches, AreThoseThatHelpNames) {
  for (const auto& [command, expected] : surface) {
    std::istringstream words(command);
    Arguments arguments{std::istream_iterator<std::string>(words), {}};
    const std::string help = out(with(arguments, {"--help"}));
    EXPECT_THAT(help, HasSubstr("Example: fathom " + command));
    std::set<std::string> switches;
    for (const std::string& line : lines_of(help)) {
      const auto begin = line.find("--");
      // A switch is at the beginning of its line, or after a short name.
      if (begin == std::string::npos || begin > 6 || !line.starts_with("  ")) continue;
      const std::string name = line.substr(begin, line.find_first_of(" ,=[", begin) - begin);
      if (name != "--help") switches.insert(name);
    }
    EXPECT_EQ(switches, expected) << command;
  }
}

TEST_F(Switches, EveryLevelHasAnExample) {
  for (const Arguments& level : {Arguments{}, {"data"}, {"data", "quality"}, {"tokenizer"}, {"bench"}, {"scaling"}}) {
    std::string name;
    for (const std::string& word : level) name += " " + word;
    EXPECT_THAT(out(with(level, {"--help"})), HasSubstr("Example: fathom" + name + " "));
  }
}

TEST_F(Switches, OfGenerate) {
  const World& w = world();
  const Arguments bare{"generate", w.model, "--threads", "1"};
  const Arguments base = with(bare, {"--prompt", "7 ships", "--max-tokens", "14"});
  const Arguments hot = with(base, {"--temperature", "3", "--seed", "1"});
  const std::string sampled = out(hot), greedy = out(with(base, {"--temperature", "0"}));
  EXPECT_NE(sampled, greedy);
  EXPECT_NE(out(with(base, {"--temperature", "3", "--seed", "2"})), sampled);
  EXPECT_EQ(out(with(hot, {"--top-k", "1"})), greedy);
  EXPECT_EQ(out(with(hot, {"--top-p", "1e-9"})), greedy);
  EXPECT_EQ(out(with(hot, {"--min-p", "1"})), greedy);
  EXPECT_NE(out(with(base, {"--temperature", "0", "--repetition-penalty", "9"})), greedy);
  const Arguments bits = with(bare, {"--prompt", "7 ships", "--temperature", "3", "--dtype"});
  EXPECT_NE(out(with(bits, {"bf16"})), out(with(bits, {"f32"})));
  EXPECT_EQ(run(with(base, {"--weights", "int8"})).code, 0);
  EXPECT_EQ(run(with(base, {"--weights", "int4"})).code, 2);
  const std::string stop = greedy.substr(4, 2);
  EXPECT_EQ(out(with(base, {"--temperature", "0", "--stop", stop})),
            greedy.substr(0, greedy.find(stop)) + "\n");
  EXPECT_NE(out(with(bare, {"--prompt", "grain", "--max-tokens", "14", "--temperature", "0"})),
            greedy);
  EXPECT_EQ(run(with(base, {"--device", "cuda:99"})).code, 2);
  const auto tokens = [&](const Arguments& more) {
    const auto lines = lines_of(out(with(bare, more)));
    const auto json = nlohmann::json::parse(lines.at(0));
    return std::pair<int, int>(json.at("prompt_tokens"), json.at("tokens"));
  };
  EXPECT_EQ(tokens({"--prompts", w.dir / "prompts.txt", "--max-tokens", "3"}).second, 3);
  const Arguments twice{"--max-tokens", "1", "--prompt", w.special, "--prompt", "x"};
  EXPECT_GT(tokens(twice).first, 1);
  EXPECT_EQ(tokens(with(twice, {"--parse-special"})).first, 1);
}

// Generated one after another they finish in their order; together, the shortest first.
TEST_F(Switches, BatchOfGenerate) {
  Arguments base{"generate",      world().model, "--threads", "1", "--seed",       "2",
                 "--temperature", "3",           "--stop",    "a", "--max-tokens", "60"};
  for (int i = 0; i < 6; ++i) base.insert(base.end(), {"--prompt", "7 ships"});
  const auto finished = [&](const char* batch) {
    std::vector<std::pair<int, int>> order;  // tokens, index
    for (const std::string& line : lines_of(out(with(base, {"--batch", batch})))) {
      const auto json = nlohmann::json::parse(line);
      order.emplace_back(json.at("tokens"), json.at("index"));
    }
    return order;
  };
  const auto by_index = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto one = finished("1"), all = finished("6");
  EXPECT_EQ(one.size(), 6u);
  EXPECT_TRUE(std::ranges::is_sorted(one, by_index));
  EXPECT_FALSE(std::ranges::is_sorted(one));
  EXPECT_TRUE(std::ranges::is_sorted(all));
  EXPECT_TRUE(std::ranges::is_permutation(one, all));
}

TEST_F(Switches, TokenizerOfGenerateAndConvert) {
  const World& w = world();
  fs::copy(w.model, dir_ / "bare");
  fs::remove(dir_ / "bare/tokenizer.json");
  const Arguments base{"generate", dir_ / "bare", "--prompt", "7", "--max-tokens", "2"};
  EXPECT_EQ(run(base).code, 2);
  EXPECT_EQ(run(with(base, {"--tokenizer", w.tokenizer})).code, 0);
  out({"convert", w.run, dir_ / "named", "--tokenizer", w.tokenizer});
  EXPECT_TRUE(fs::exists(dir_ / "named/tokenizer.json"));
  EXPECT_EQ(run({"convert", dir_ / "bare", dir_ / "back", "--tokenizer", "/no/such.json"}).code, 2);
  out({"convert", dir_ / "bare", dir_ / "back", "--tokenizer", w.tokenizer});
  EXPECT_EQ(read_file(dir_ / "back/tokenizer.json"), read_file(w.tokenizer));
}

TEST_F(Switches, OfConvert) {
  const World& w = world();
  out({"convert", w.run, dir_ / "plain"});
  const auto config = [&](const std::string& directory) {
    return nlohmann::json::parse(read_file(dir_ / (directory + "/config.json")));
  };
  out({"convert", w.run, dir_ / "ids", "--eos-token", "5", "--bos-token", "3"});
  EXPECT_EQ(config("ids").at("eos_token_id"), 5);
  EXPECT_EQ(config("ids").at("bos_token_id"), 3);
  EXPECT_NE(config("plain"), config("ids"));
  out({"convert", w.run, dir_ / "f32", "--dtype", "f32"});
  EXPECT_GT(fs::file_size(dir_ / "f32/model.safetensors"),
            fs::file_size(dir_ / "plain/model.safetensors") * 3 / 2);
  out({"convert", w.run, dir_ / "parts", "--max-shard-size", "50KB"});
  EXPECT_TRUE(fs::exists(dir_ / "parts/model.safetensors.index.json"));
  for (const Arguments& option : {Arguments{"--dtype", "f32"},
                                  {"--max-shard-size", "1GB"},
                                  {"--eos-token", "5"},
                                  {"--bos-token", "5"}}) {
    const Outcome outcome = run(with({"convert", w.model, dir_ / "no"}, option));
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(option[0] + " applies to a Hugging Face directory"));
  }
  EXPECT_FALSE(fs::exists(dir_ / "no"));
  // Tokens that are given come before the model's own, one by one, in GGUF files too.
  const auto through_gguf = [&](const std::string& name, const Arguments& to,
                                const Arguments& from) {
    out(with({"convert", dir_ / "ids", dir_ / (name + ".gguf")}, to));
    out(with({"convert", dir_ / (name + ".gguf"), dir_ / name}, from));
    return std::pair<int, int>(config(name).at("bos_token_id"), config(name).at("eos_token_id"));
  };
  EXPECT_EQ(through_gguf("own", {}, {}), std::pair(3, 5));
  EXPECT_EQ(through_gguf("end", {"--eos-token", "7"}, {}), std::pair(3, 7));
  EXPECT_EQ(through_gguf("begin", {"--bos-token", "8"}, {"--eos-token", "9"}), std::pair(8, 9));
  const auto refused = [&](const Arguments& arguments, const std::string& message) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(message));
  };
  refused({"convert", w.run, dir_ / "no", "--dtype", "q8_0"},
          "--dtype q8_0 applies to a GGUF file");
  refused({"convert", w.run, dir_ / "no.gguf", "--max-shard-size", "1GB"},
          "--max-shard-size applies to a Hugging Face directory, not to a GGUF file");
}

TEST_F(Switches, OfTokenizerEncodeAndDecode) {
  const World& w = world();
  const std::string text = w.dir / "prompts.txt", jsonl = w.dir / "two_fields.jsonl";
  const Arguments encode{"tokenizer", "encode", w.tokenizer};
  const std::string plain = out(with(encode, {text}));
  EXPECT_EQ(lines_of(plain).size(), 2u);
  EXPECT_EQ(lines_of(out(with(encode, {text, "--whole"}))).size(), 1u);
  EXPECT_EQ(out(with(encode, {text, "--out", dir_ / "ids"})), "");
  EXPECT_EQ(read_file(dir_ / "ids"), plain);
  EXPECT_THAT(out(with(encode, {jsonl, "--jsonl"})), testing::StartsWith("["));
  EXPECT_NE(out(with(encode, {jsonl, "--jsonl", "--text-field", "body"})),
            out(with(encode, {jsonl, "--jsonl"})));
  // A number behind each space, and one at each line's beginning.
  const auto tokens = std::ranges::count(plain, ' ') + 2;
  EXPECT_THAT(run(with(encode, {text, "--stats", "--repeat", "2"})).err,
              testing::MatchesRegex(fmt::format(
                  "2 documents, 19 bytes, {} tokens, {:.3f} bytes per token, [0-9.]+ s, [0-9.]+ "
                  "MB/s\n",
                  tokens, 19.0 / double(tokens))));
  // More lines than one batch holds.
  write_file(dir_ / "empty.txt", std::string((1 << 20) + 9, '\n'));
  const Outcome lines = run(with(encode, {dir_ / "empty.txt", "--stats"}));
  EXPECT_EQ(lines.out, std::string((1 << 20) + 9, '\n'));
  EXPECT_THAT(lines.err, HasSubstr("1048585 documents, 0 bytes, 0 tokens, 0.000 bytes per token"));
  write_file(dir_ / "special.txt", w.special + "\n");
  const std::string one = out(with(encode, {dir_ / "special.txt"}));
  const std::string spelled = out(with(encode, {dir_ / "special.txt", "--plain"}));
  EXPECT_EQ(one.find(' '), std::string::npos) << one;
  EXPECT_NE(spelled.find(' '), std::string::npos) << spelled;

  const Arguments decode{"tokenizer", "decode", w.tokenizer};
  const std::string ids = w.dir / "ids.txt";
  const std::string decoded = out(with(decode, {ids}));
  EXPECT_EQ(out(with(decode, {ids, "--whole"})) + "\n", decoded);
  EXPECT_THAT(out(with(decode, {ids, "--jsonl"})), testing::StartsWith("\""));
  EXPECT_EQ(out(with(decode, {ids, "--out", dir_ / "text"})), "");
  EXPECT_EQ(read_file(dir_ / "text"), decoded);
  write_file(dir_ / "special.ids", one);
  EXPECT_EQ(out(with(decode, {dir_ / "special.ids"})), "\n");
  EXPECT_EQ(out(with(decode, {dir_ / "special.ids", "--keep-special"})), w.special + "\n");
}

// The post-processor's template, which our own tokenizers do not have.
TEST_F(Switches, AddSpecialOfTokenizerEncode) {
  const World& w = world();
  auto json = nlohmann::json::parse(read_file(w.tokenizer));
  const int id = json.at("added_tokens").at(0).at("id");
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", w.special}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair",
       {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}}},
      {"special_tokens",
       {{w.special, {{"id", w.special}, {"ids", {id}}, {"tokens", {w.special}}}}}}};
  write_file(dir_ / "tokenizer.json", json.dump());
  const Arguments base{"tokenizer", "encode", dir_ / "tokenizer.json", w.dir / "prompts.txt"};
  const auto without = lines_of(out(base)), added = lines_of(out(with(base, {"--add-special"})));
  ASSERT_EQ(added.size(), 2u);
  EXPECT_EQ(added[0], std::to_string(id) + " " + without.at(0));
}

TEST_F(Switches, OfTokenizerTrain) {
  const World& w = world();
  const Arguments base{"tokenizer", "train", w.dir / "text.txt", "--out", dir_ / "t.json"};
  const auto trained = [&](const Arguments& more) {
    out(with(base, more));
    return nlohmann::json::parse(read_file(dir_ / "t.json"));
  };
  const auto size = [](const nlohmann::json& json) { return json["model"]["vocab"].size(); };
  EXPECT_EQ(size(trained({"--vocab-size", "280"})), 280u);
  EXPECT_EQ(size(trained({"--set", "vocab_size=290"})), 290u);
  const Arguments small{"--vocab-size", "270"};
  EXPECT_EQ(trained(with(small, {"--special", "<mine>"}))["added_tokens"][0]["content"], "<mine>");
  const auto padded = trained(with(small, {"--pad-to-multiple", "512"}));
  EXPECT_EQ(size(padded) + padded["added_tokens"].size(), 512u);
  auto other = trained(small);
  EXPECT_TRUE(other["normalizer"].is_null());
  other["normalizer"] = {{"type", "NFC"}};
  write_file(dir_ / "like.json", other.dump());
  EXPECT_EQ(trained(with(small, {"--like", dir_ / "like.json"}))["normalizer"]["type"], "NFC");
}

TEST_F(Switches, OfData) {
  const World& w = world();
  const std::string data = w.dir / "data";
  const std::string all = out({"data", "text", data});
  EXPECT_EQ(out({"data", "text", data, "--source", "ships"}), all);
  EXPECT_EQ(run({"data", "text", data, "--source", "none"}).code, 2);
  const std::string held_out = out({"data", "text", data, "--held-out"});
  EXPECT_NE(held_out, all);
  EXPECT_EQ(lines_of(all).size() + lines_of(held_out).size(), 300u);
  const Arguments again{"data", "prepare", w.dir / "data.toml", "--set", "output=" + (dir_ / "d")};
  out(again);
  EXPECT_EQ(run(again).code, 2);
  EXPECT_EQ(run(with(again, {"--overwrite"})).code, 0);
}

TEST_F(Switches, OfDataClean) {
  write_file(dir_ / "web.jsonl", "{\"text\": \"one two three\"}\n{\"text\": \"four\"}\n");
  write_file(dir_ / "clean.toml", "output = \"" + (dir_ / "cleaned") +
                                      "\"\n[[filters]]\nrule = \"words\"\nmin = 2\n"
                                      "[[sources]]\nname = \"web\"\npaths = [\"" +
                                      (dir_ / "web.jsonl") + "\"]\n");
  const Arguments base{"data", "clean", dir_ / "clean.toml"};
  EXPECT_THAT(out(with(base, {"--dry-run", "1"})), HasSubstr("one two three"));
  EXPECT_FALSE(fs::exists(dir_ / "cleaned"));
  EXPECT_THAT(out(base), HasSubstr("kept"));
  EXPECT_TRUE(fs::exists(dir_ / "cleaned/texts/web-00000.jsonl.zst"));
  EXPECT_THAT(run(with(base, {"--set", "samples=-1"})).err, HasSubstr("samples: -1"));
  EXPECT_THAT(out({"data", "clean", "--rules"}),
              testing::AllOf(HasSubstr("mean_word_length"), HasSubstr("bits_per_byte")));
}

TEST_F(Switches, OfDataDedup) {
  write_file(dir_ / "web.jsonl", "{\"text\": \"one two\"}\n{\"text\": \"One  two\"}\n");
  write_file(dir_ / "dedup.toml", "output = \"" + (dir_ / "deduped") +
                                      "\"\n[[sources]]\nname = \"web\"\npaths = [\"" +
                                      (dir_ / "web.jsonl") + "\"]\n");
  const Arguments base{"data", "dedup", dir_ / "dedup.toml"};
  EXPECT_THAT(out(base), HasSubstr("50.00"));
  EXPECT_THAT(run(with(base, {"--set", "keep=none"})).err, HasSubstr("first"));
}

TEST_F(Switches, OfDataQuality) {
  write_file(dir_ / "good.jsonl", "{\"text\": \"one two\"}\n");
  write_file(dir_ / "bad.jsonl", "{\"text\": \"three four\"}\n");
  write_file(dir_ / "quality.toml",
             "output = \"" + (dir_ / "quality.bin") +
                 "\"\nheld_out_fraction = 0.0\nbuckets = 10\ndim = 2\nmin_count = 1\n"
                 "[[classes]]\nname = \"good\"\npaths = [\"" + (dir_ / "good.jsonl") +
                 "\"]\n[[classes]]\nname = \"bad\"\npaths = [\"" + (dir_ / "bad.jsonl") + "\"]\n");
  const Arguments base{"data", "quality", "train", dir_ / "quality.toml"};
  EXPECT_THAT(out(base), HasSubstr("nothing was measured"));
  EXPECT_TRUE(fs::exists(dir_ / "quality.bin"));
  EXPECT_THAT(run(with(base, {"--set", "dim=0"})).err, HasSubstr("dim: 0 is not in [1, 4096]"));
}

TEST_F(Switches, OfDataMix) {
  const World& w = world();
  const Arguments base{"data", "mix", w.dir / "data", "--tokens", "1000"};
  EXPECT_THAT(out(base), HasSubstr("[[data.sources]]\nname = \"ships\"\nweight = 1\n"));
  EXPECT_THAT(out(with(base, {"--temperature", "2", "--weight", "ships=3"})),
              HasSubstr("weight = 1\n"));
  EXPECT_THAT(run(with(base, {"--weight", "boats=3"})).err, HasSubstr("has no source 'boats'"));
  EXPECT_THAT(run(with(base, {"--weight", "ships"})).err, HasSubstr("is not SOURCE=NUMBER"));
  const Arguments large{"data", "mix", w.dir / "data", "--tokens", "1e9"};
  EXPECT_THAT(run(large).err, HasSubstr("raise max-epochs, or add data"));
  EXPECT_EQ(run(with(large, {"--max-epochs", "1e9"})).code, 0);
  EXPECT_EQ(run(with(large, {"--cap", "ships=1e9"})).code, 0);
  EXPECT_THAT(run(with(base, {"--cap", "ships=0"})).err,
              HasSubstr("--cap: 'ships=0' is not above 0"));
  const std::string phased = out(with(base, {"--phase", "0.8:ships=2", "--phase", "0.9:ships=1"}));
  EXPECT_THAT(phased, HasSubstr("# from 0.8 of the tokens on\n"));
  EXPECT_THAT(phased, HasSubstr("# in all\n"));
  EXPECT_THAT(phased, HasSubstr("[[data.phases]]\nbegin_share = 0.9\nweights = { \"ships\" = 1.0 "
                                "}\n"));
  EXPECT_THAT(out({"data", "mix", "--help"}), HasSubstr("--phase SHARE:SOURCE=FACTOR,..."));
  for (const char* phase : {"ships=2", ":ships=2", "x:ships=2", "0.8"}) {
    EXPECT_THAT(run(with(base, {"--phase", phase})).err,
                HasSubstr("is not SHARE:SOURCE=FACTOR,..."));
  }
  EXPECT_THAT(run(with(base, {"--phase", "0.8:boats=1"})).err, HasSubstr("has no source 'boats'"));
  EXPECT_THAT(run(with(base, {"--phase", "1.5:ships=1"})).err,
              HasSubstr("ascending shares between 0 and 1"));
}

// A source that is read as often as it may be in one part is marked so in that part, and in all.
TEST_F(Switches, OfDataMixOfTwoSources) {
  const World& w = world();
  std::string config = "tokenizer = \"" + w.tokenizer + "\"\noutput = \"" + (dir_ / "two") +
                       "\"\nheld_out_fraction = 0.0\n";
  for (const char* name : {"a", "b"}) {
    config += fmt::format("[[sources]]\nname = \"{}\"\npaths = [\"{}\"]\nformat = \"lines\"\n",
                          name, w.dir / "text.txt");
  }
  write_file(dir_ / "two.toml", config);
  out({"data", "prepare", dir_ / "two.toml"});
  const auto tokens_line = out({"data", "check", dir_ / "two"});
  const auto rows = [&](const Arguments& more) {
    std::vector<std::string> found;
    for (const std::string& line :
         lines_of(out(with({"data", "mix", dir_ / "two", "--tokens", "4000"}, more)))) {
      if (line.starts_with("# a ") || line.starts_with("# b ")) found.push_back(line);
    }
    return found;
  };
  const auto is_capped = [](const std::string& row) { return row.ends_with(" (its most)"); };
  const auto once = rows({"--cap", "a=0.1"});
  ASSERT_EQ(once.size(), 2u) << tokens_line;
  EXPECT_TRUE(is_capped(once[0]));
  EXPECT_FALSE(is_capped(once[1]));
  const auto parts = rows({"--cap", "a=0.1", "--phase", "0.5:a=0"});
  ASSERT_EQ(parts.size(), 6u);
  EXPECT_TRUE(is_capped(parts[0]));
  EXPECT_FALSE(is_capped(parts[2]));
  EXPECT_TRUE(is_capped(parts[4]));
  EXPECT_FALSE(is_capped(parts[5]));
  const auto later = rows({"--weight", "a=0", "--cap", "a=0.1", "--phase", "0.5:a=1"});
  ASSERT_EQ(later.size(), 6u);
  EXPECT_FALSE(is_capped(later[0]));
  EXPECT_TRUE(is_capped(later[2]));
  EXPECT_TRUE(is_capped(later[4]));
}

TEST_F(Switches, OfDataStatsAndSample) {
  const World& w = world();
  const std::string rows = w.dir / "two_fields.jsonl";
  write_file(dir_ / "broken.jsonl", "{\"text\": \"a\"}\n{\"text\": 1}\n");
  write_file(dir_ / "parts.txt", "a\nb\n--\nc\n");
  const auto count = [&](const Arguments& more) {
    const std::string json = out(with({"data", "stats", "--json"}, more));
    return nlohmann::json::parse(json).at("all").at("documents").get<int>();
  };
  EXPECT_THAT(out({"data", "stats", rows}), HasSubstr("ideographs"));
  EXPECT_EQ(count({rows}), 1);
  EXPECT_EQ(count({w.dir / "prompts.txt", "--format", "lines"}), 2);
  EXPECT_EQ(count({dir_ / "parts.txt", "--format", "separated", "--separator", "--"}), 2);
  EXPECT_EQ(count({dir_ / "broken.jsonl", "--skip-broken-lines"}), 1);
  EXPECT_EQ(run({"data", "stats", dir_ / "broken.jsonl"}).code, 2);
  EXPECT_EQ(run({"data", "stats", rows, "--field", "title"}).code, 2);
  EXPECT_EQ(run({"data", "stats", rows, "--format", "lnes"}).code, 2);
  const Arguments sample{"data", "sample", w.dir / "text.txt", "--format", "lines"};
  const std::string drawn = out(sample);
  EXPECT_EQ(lines_of(drawn).size(), 10u);
  EXPECT_EQ(out(sample), drawn);
  EXPECT_NE(out(with(sample, {"--seed", "1"})), drawn);
  EXPECT_EQ(lines_of(out(with(sample, {"--count", "3"}))).size(), 3u);
}

TEST_F(Switches, OfVerify) {
  const World& w = world();
  const Arguments base{"verify", w.dir / "run.toml", "--directory", dir_ / "states"};
  const auto verdicts = [&](const Arguments& more) { return lines_of(out(with(base, more))); };
  const auto two = verdicts({"--layouts", "dp2", "--steps", "2", "--transfers", "none"});
  EXPECT_THAT(two.back(), HasSubstr("all agree with one rank"));
  EXPECT_GT(verdicts({"--layouts", "dp2 tp2", "--steps", "1", "--transfers", "ring"}).size(),
            two.size());
  const Outcome nowhere = run({"verify", w.dir / "run.toml", "--layouts", "dp2", "--steps", "1",
                               "--directory", w.tokenizer + "/states"});
  EXPECT_NE(nowhere.code, 0);
  EXPECT_THAT(nowhere.err, HasSubstr(w.tokenizer + "/states"));
  // Gradients without bounds take rounding to other weights: layouts differ, and exit code 1
  // says so.
  const Outcome differs =
      run(with(base, {"--layouts", "tp2", "--steps", "6", "--transfers", "none", "--set",
                      "schedule.peak=1e4", "--set", "schedule.warmup_steps=0"}));
  EXPECT_EQ(differs.code, 1) << differs.out << differs.err;
  EXPECT_THAT(differs.out, HasSubstr("not all agree with one rank"));
}

// Numbers that do not fit where they go, or whose products would not.
TEST_F(Switches, RefuseNumbersThatAreTooLarge) {
  const World& w = world();
  const std::string most = "9223372036854775807", more = "9223372036854775808";
  const auto refused = [&](const Arguments& arguments, const std::string& message) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(arguments) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  };
  const Arguments generate{"generate", w.model, "--prompt", "7"};
  for (const char* option : {"--max-tokens", "--top-k", "--batch"}) {
    refused(with(generate, {option, more}), more + " is a larger number");
  }
  refused(with(generate, {"--seed", "18446744073709551616"}), "larger number than 64 bits hold");
  // Also where the switch has bounds of its own.
  refused({"serve", dir_ / "none", "--max-length", more}, more + " is a larger number");
  refused({"dpo", "sample", "--batch", more}, more + " is a larger number");
  EXPECT_EQ(run(with(generate, {"--max-tokens", "1", "--batch", most, "--top-k", most, "--seed",
                                "18446744073709551615"}))
                .code,
            0);
  for (const char* option : {"--tokens-per-step", "--sequence-length", "--logits-chunk"}) {
    refused({"bench", "cpu", option, most}, std::string(option) + " is " + most);
  }
  const Arguments train{"train", w.dir / "run.toml", "--set", "output=" + (dir_ / "run")};
  for (const char* key : {"train.steps", "train.tokens", "train.global_batch",
                          "train.sequence_length", "model.max_position", "model.num_layers"}) {
    refused(with(train, {"--set", key + ("=" + most)}), key);
    refused(with(train, {"--set", key + ("=" + more)}), "");
  }
  refused({"tokenizer", "train", w.dir / "text.txt", "--set", "memory_mb=" + most}, "memory_mb");
  refused({"tokenizer", "train", w.dir / "text.txt", "--set", "report_mb=" + most}, "report_mb");
}

}  // namespace
}  // namespace fathom::test
