// The bars of long commands end when all of their sources are read, not one of them.
#include "core/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/child_test.h"
#include "data/clean/clean.h"
#include "data/dedup/dedup.h"
#include "data/sample_data.h"

namespace fathom {
namespace {

using test::TempDir;

// Two sources of equal size, each of which is read at once.
std::vector<TextSourceConfig> equal_sources(const TempDir& dir) {
  std::vector<TextSourceConfig> sources(2);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    std::string text;
    for (int line = 0; line < 100; ++line) text += name + test::document(10 + line % 7) + "\n";
    test::write_file(dir / (name + ".txt"), text);
    sources[i].name = name;
    sources[i].paths = {dir / (name + ".txt")};
    sources[i].format = TextFormat::lines;
  }
  return sources;
}

// Run with a terminal as standard error.
TEST(BarChild, DISABLED_Prepare) {
  const TempDir dir;
  PrepareConfig config;
  config.output = dir / "out";
  config.held_out_fraction = 0;
  config.threads = 1;
  for (const TextSourceConfig& source : equal_sources(dir)) {
    config.sources.push_back({source, 1.0, {}});
  }
  prepare_data(config, test::byte_encoder());
}

TEST(BarChild, DISABLED_Clean) {
  const TempDir dir;
  clean::CleanConfig config;
  config.output = dir / "out";
  config.sources = equal_sources(dir);
  config.threads = 1;
  clean::clean_data(config);
}

TEST(BarChild, DISABLED_Dedup) {
  const TempDir dir;
  dedup::DedupConfig config;
  config.output = dir / "out";
  config.sources = equal_sources(dir);
  config.threads = 1;
  dedup::deduplicate(config);
}

TEST(Bars, AreHalfFullAfterOneOfTwoSources) {
  for (const auto& [command, labels] :
       {std::pair<std::string, std::vector<std::string>>{"Prepare", {"preparing"}},
        {"Clean", {"cleaning"}},
        {"Dedup", {"indexing", "writing"}}}) {
    const std::string shown = test::shown_on_terminal("BarChild.*" + command, 200);
    for (const std::string& label : labels) {
      const std::string first = shown.substr(std::min(shown.find(label + " ["), shown.size()));
      EXPECT_THAT(first, testing::StartsWith(label + " [============            ]  50 %"));
    }
  }
}

}  // namespace
}  // namespace fathom
