// Opening prepared data: what its manifest may say, which sources a config takes, and who
// verifies which shard.
#include "data/prepared.h"

#include <gmock/gmock.h>

#include <cmath>
#include <tuple>

#include "data/sample_data.h"

namespace fathom {
namespace {

using test::byte_encoder;
using test::input_error_of;
using test::read_file;
using test::sample_config;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;

TEST(Prepared, ManifestsReadBack) {
  const TempDir dir;
  Manifest manifest{0xfedcba9876543210, 70000, 3, -5, 0.25, {}};
  for (const char* name : {"a", "b"}) {
    SourceEntry source{name, 2.5, {}};
    source.shards[0] = {{"train/x-00000.tokens", {1, 20, 300}, 0xffffffffffffffff},
                        {"train/x-00001.tokens", {4, 50, 600}, 0}};
    source.shards[1] = {{"held_out/x-00000.tokens", {7, 80, 900}, 1}};
    manifest.sources.push_back(source);
  }
  const std::string text = manifest_text(manifest);
  EXPECT_THAT(text, HasSubstr("\"documents\": 5,\n        \"tokens\": 70,\n"
                              "        \"text_bytes\": 900,"));
  write_file(dir / "manifest.json", text);
  const Manifest back = read_manifest(dir.path());
  EXPECT_EQ(manifest_text(back), text);
  EXPECT_EQ(back.tokenizer_hash, 0xfedcba9876543210);
  EXPECT_EQ(back.seed, -5);
  EXPECT_EQ(back.sources.at(1).counts(Split::train), (ShardCounts{5, 70, 900}));
  EXPECT_EQ(back.sources.at(1).counts(Split::held_out), (ShardCounts{7, 80, 900}));
  EXPECT_EQ(back.sources.at(1).shards[0].at(0).checksum, 0xffffffffffffffff);
}

TEST(Prepared, ManifestsThatMakeNoSenseAreRefused) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder());
  const std::string path = dir / "out/manifest.json", whole = read_file(path);
  const std::string hash = "0000000000001234", file = "train/a-00000.tokens";
  for (const auto& [old, changed, problem] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"fathom token shards", "shards", "another format"},
           {"\"version\": 1", "\"version\": 2", "version 2 is not known"},
           {hash, hash + "x", "'" + hash + "x' is not a checksum"},
           {hash, "", "'' is not a checksum"},
           {hash, "1" + hash, "'1" + hash + "' is not a checksum"},
           {"\"eos\": 0", "\"eos\": -1", "'tokenizer.eos' is -1, not a whole number from 0 to"},
           {file, "", "'' is not a file of this directory"},
           {file, "/a", "'/a' is not a file of this directory"},
           {file, "train/../a", "'train/../a' is not a file of this directory"}}) {
    std::string text = whole;
    ASSERT_NE(text.find(old), std::string::npos) << old;
    text.replace(text.find(old), old.size(), changed);
    write_file(path, text);
    EXPECT_THAT(input_error_of([&] { open_prepared(dir / "out"); }),
                AllOf(testing::StartsWith(path + ": not the manifest of prepared data: " + problem),
                      testing::EndsWith("; run `fathom data prepare`")));
  }
  Manifest empty = (write_file(path, whole), read_manifest(dir / "out"));
  empty.sources.clear();
  write_file(path, manifest_text(empty));
  EXPECT_EQ(input_error_of([&] { open_prepared(dir / "out"); }),
            (dir / "out") + ": holds no sources; prepare the data again");
}

// What the manifest says of a shard, in each of its parts.
TEST(Prepared, ShardsAreThoseOfTheManifest) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder());
  const Manifest whole = read_manifest(dir / "out");
  const auto error = [&](auto change) {
    Manifest manifest = whole;
    change(manifest);
    write_file(dir / "out/manifest.json", manifest_text(manifest));
    return input_error_of([&] { open_prepared(dir / "out"); });
  };
  EXPECT_EQ(error([](Manifest&) {}), "no error");
  const std::string problem = "a-00000.tokens: not the shard that " + (dir / "out/manifest.json") +
                              " describes; prepare the data again";
  EXPECT_THAT(error([](Manifest& m) { m.tokenizer_hash = 1; }), HasSubstr(problem));
  EXPECT_THAT(error([](Manifest& m) { m.vocab_size = 1; }), HasSubstr(problem));
  EXPECT_THAT(error([](Manifest& m) { m.eos = 1; }), HasSubstr(problem));
  EXPECT_THAT(error([](Manifest& m) { m.sources[0].name = "c"; }), HasSubstr(problem));
  EXPECT_THAT(error([](Manifest& m) { ++m.sources[0].shards[0][0].counts.tokens; }),
              HasSubstr(problem));
  EXPECT_THAT(error([](Manifest& m) { ++m.sources[0].shards[0][0].checksum; }), HasSubstr(problem));
}

TEST(Prepared, ConfigsThatCannotBeCarriedOutAreRefused) {
  const TempDir dir;
  PrepareConfig prepare = sample_config(dir);
  prepare_data(prepare, byte_encoder());
  prepare.output = dir / "other";
  DocumentEncoder encoder = byte_encoder();
  encoder.hash = 5;
  prepare_data(prepare, encoder);
  const std::string out = dir / "out", other = dir / "other";
  const auto error = [&](const std::vector<DataSourceConfig>& sources,
                         const std::string& directory) {
    DataConfig config;
    config.directory = directory;
    config.sources = sources;
    return input_error_of([&] { open_prepared(config); });
  };
  EXPECT_EQ(error({{"a", out, {}}, {"b", out, 0.0}}, ""), "no error");
  EXPECT_EQ(error({{"a", out, {}}, {"b", "", {}}}, ""),
            "data.sources: source 'b' has no directory, and data.directory is not set");
  EXPECT_EQ(
      error({{"a", "", {}}, {"b", other, {}}}, out),
      other + ": prepared with another tokenizer than " + out + "; prepare both with the same one");
  EXPECT_EQ(error({{"a", "", {}}, {"a", "", {}}}, out),
            "data.sources: " + out + " has no source 'a', or it is listed twice; it has , b");
  for (const double weight : {-0.5, double(INFINITY), std::nan("")}) {
    EXPECT_EQ(
        error({{"b", "", {}}, {"a", "", weight}}, out),
        fmt::format("data.sources: source 'a' has the weight {}; it must be 0 or more", weight));
  }
}

// A config's weight, also 0, takes the place of the one that the source was prepared with (3 and
// 1).
TEST(Prepared, SourcesHaveTheirOwnWeightsUnlessTheConfigGivesThem) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder());
  const auto weights = [&](const std::vector<DataSourceConfig>& sources) {
    DataConfig config;
    config.directory = dir / "out";
    config.sources = sources;
    std::vector<std::pair<std::string, double>> found;
    for (const PreparedSource& source : open_prepared(config).sources) {
      found.emplace_back(source.name, source.weight);
    }
    return found;
  };
  using testing::ElementsAre;
  using testing::Pair;
  EXPECT_THAT(weights({}), ElementsAre(Pair("a", 3), Pair("b", 1)));
  EXPECT_THAT(weights({{"a", "", {}}, {"b", "", {}}}), ElementsAre(Pair("a", 3), Pair("b", 1)));
  EXPECT_THAT(weights({{"b", "", 0.5}, {"a", "", {}}}), ElementsAre(Pair("b", 0.5), Pair("a", 3)));
  EXPECT_THAT(weights({{"a", "", 0.0}, {"b", "", 2.0}}), ElementsAre(Pair("a", 0), Pair("b", 2)));
  EXPECT_THAT(weights({{"a", "", 1.0}}), ElementsAre(Pair("a", 1)));
}

// Phases and limits know a source by its name alone.
TEST(Prepared, SourcesOfOneNameHaveNoPhasesAndNoLimits) {
  const TempDir dir;
  PrepareConfig prepare = sample_config(dir);
  prepare_data(prepare, byte_encoder());
  prepare.output = dir / "other";
  prepare_data(prepare, byte_encoder());
  DataConfig same;
  same.directory = dir / "out";
  same.sources = {{"a", "", {}}, {"b", "", {}}, {"a", dir / "other", {}}};
  const auto error = [](const DataConfig& config) {
    return input_error_of([&] { open_prepared(config); });
  };
  EXPECT_EQ(error(same), "no error");
  DataConfig phased = same, limited = same, one_limited = same;
  phased.phases = {{0.5, {}, {}, {{"b", 2}}}};
  limited.max_epochs = 4;
  one_limited.sources[2].max_epochs = 4;
  for (DataConfig config : {phased, limited, one_limited}) {
    EXPECT_EQ(error(config),
              "data.sources: two are named 'a', which data.phases and max_epochs could not tell "
              "apart: prepare one of them under another name");
    config.sources.erase(config.sources.begin());
    EXPECT_EQ(error(config), "no error");
  }
}

TEST(Prepared, LimitsOfEpochsAreAboveZero) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder());
  const auto error = [&](std::optional<double> all, std::optional<double> of_b) {
    DataConfig config;
    config.directory = dir / "out";
    config.sources = {{"a", "", {}}, {"b", "", {}}};
    config.max_epochs = all;
    config.sources[1].max_epochs = of_b;
    return input_error_of([&] { open_prepared(config); });
  };
  EXPECT_EQ(error(0.001, 0.5), "no error");
  for (const double none : {0.0, -1.0, std::nan("")}) {
    EXPECT_EQ(error(none, {}), fmt::format("data.max_epochs is {}: use a number above 0", none));
    EXPECT_EQ(error(4, none),
              fmt::format("data.sources: max_epochs of 'b' is {}: use a number above 0", none));
  }
}

TEST(Prepared, LimitsOfEpochsAreFoundAndCleared) {
  DataConfig config;
  config.sources = {{"a", "", {}}, {"b", "", {}}};
  EXPECT_FALSE(has_max_epochs(config));
  config.max_epochs = 2;
  EXPECT_TRUE(has_max_epochs(config));
  clear_max_epochs(config);
  EXPECT_FALSE(has_max_epochs(config));
  config.sources[1].max_epochs = 2;
  EXPECT_TRUE(has_max_epochs(config));
  clear_max_epochs(config);
  EXPECT_FALSE(config.sources[1].max_epochs);
}

// What a config with `verify` finds at the start, reading finds otherwise.
TEST(Prepared, ContentIsVerifiedWhereTheConfigSaysSo) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder());
  const std::string path = dir / "out/train/a-00000.tokens";
  std::string damaged = read_file(path);
  damaged[256] = static_cast<char>(damaged[256] ^ 1);
  write_file(path, damaged);
  for (const bool listed : {false, true}) {
    DataConfig config;
    config.directory = dir / "out";
    if (listed) config.sources = {{"a", "", {}}};
    EXPECT_EQ(input_error_of([&] { open_prepared(config); }), "no error");
    config.verify = true;
    EXPECT_EQ(input_error_of([&] { open_prepared(config); }),
              path + ": the content is damaged (its checksum differs); prepare the data again");
  }
}

// Every shard is verified by one of the processes, and between shards each may be ended.
TEST(Prepared, ProcessesShareTheVerification) {
  const TempDir dir;
  prepare_data(sample_config(dir), byte_encoder());
  const Manifest manifest = read_manifest(dir / "out");
  std::vector<std::string> files;
  for (const SourceEntry& source : manifest.sources) {
    for (const auto& shards : source.shards) {
      for (const ShardEntry& shard : shards) files.push_back(dir / ("out/" + shard.file));
    }
  }
  ASSERT_GT(files.size(), 12u);
  const auto fails = [&](int index, Verify verify = Verify::content) {
    return input_error_of([&] {
             open_prepared(dir / "out", verify, {index, 3, {}});
           }) != "no error";
  };
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string whole = read_file(files[i]);
    std::string damaged = whole;
    damaged[256] = static_cast<char>(damaged[256] ^ 1);
    write_file(files[i], damaged);
    for (int index = 0; index < 3; ++index) {
      EXPECT_EQ(fails(index), i % 3 == std::size_t(index)) << i << " of process " << index;
    }
    EXPECT_FALSE(fails(0, Verify::structure));
    write_file(files[i], whole);
  }
  std::atomic<int> between = 0;
  open_prepared(dir / "out", Verify::content, {0, 1, [&] { ++between; }});
  EXPECT_EQ(between, std::ssize(files));
  EXPECT_EQ(
      test::runtime_error_of([&] {
        open_prepared(dir / "out", Verify::content, {0, 1, [] { fail_runtime("rank 1: died"); }});
      }),
      "rank 1: died");
}

}  // namespace
}  // namespace fathom
