// Keys of configs and names of enumerators, as the headers list them. What is read and written by
// one table agrees with itself also where two of its names are exchanged, so that tests of values
// that go out and come back see nothing.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Names = std::map<std::string, std::string>;

std::vector<std::pair<std::string, std::string>> headers_with(const std::string& word) {
  std::vector<std::pair<std::string, std::string>> headers;  // path, text
  for (const auto& entry : fs::recursive_directory_iterator(FATHOM_SOURCE_DIR "/src")) {
    if (!entry.is_regular_file() || entry.path().extension() != ".h") continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    if (text.str().find(word) != std::string::npos) headers.emplace_back(entry.path(), text.str());
  }
  return headers;
}

std::vector<std::smatch> matches_of(const std::string& text, const std::regex& pattern) {
  return {std::sregex_iterator(text.begin(), text.end(), pattern), std::sregex_iterator()};
}

// `name`, or what stands for it in `others`.
std::string usual(const Names& others, const std::string& name) {
  const auto other = others.find(name);
  return other == others.end() ? name : other->second;
}

TEST(SourceNames, AConfigsKeysSetTheFieldsOfTheirNames) {
  const Names others{{"template", "chat_template"}, {"stage", "stages"}};
  const std::regex key(R"re(field\(\s*"(\w+)",\s*(?:\w+\.)*(\w+))re");
  int keys = 0;
  for (const auto& [path, text] : headers_with("visit_fields(")) {
    for (const std::smatch& one : matches_of(text, key)) {
      EXPECT_EQ(one[2], usual(others, one[1])) << path;
      ++keys;
    }
  }
  EXPECT_GT(keys, 300);
}

TEST(SourceNames, EnumeratorsHaveTheirOwnNames) {
  const Names others{{"DataFormat::automatic", "auto"},
                     {"TextFormat::automatic", "auto"},
                     {"DTypeChoice::automatic", "auto"},
                     {"RecomputeChoice::automatic", "auto"},
                     {"PipelineSchedule::one_f_one_b", "1f1b"},
                     {"LossUnit::nats_per_token", "nats per token"},
                     {"LossUnit::bits_per_byte", "bits per byte"},
                     {"Cut::part", "cut"}};
  const std::regex comment(R"re(//[^\n]*)re"), word(R"re(\w+)re"), quoted(R"re("([^"]*)")re");
  const std::regex table(
      R"re(enum_names\((\w+)\) \{\s*static constexpr std::string_view names\[\] = \{([^}]*)\})re");
  int enums = 0;
  for (const auto& [path, with_comments] : headers_with("enum_names(")) {
    const std::string text = std::regex_replace(with_comments, comment, "");
    for (const std::smatch& one : matches_of(text, table)) {
      const std::string type = one[1], listed = one[2];
      const std::regex definition("enum class " + type + R"re(\b[^{]*\{([^}]*)\})re");
      const std::vector<std::smatch> enumerators = matches_of(text, definition);
      ASSERT_EQ(enumerators.size(), 1u) << path << ": " << type;
      const std::string body = enumerators[0][1];
      std::vector<std::string> expected, names;
      for (const std::smatch& own : matches_of(body, word)) {
        const std::string full = type + "::" + own.str();
        expected.push_back(others.contains(full) ? others.at(full) : own.str());
      }
      for (const std::smatch& name : matches_of(listed, quoted)) names.push_back(name[1]);
      EXPECT_EQ(names, expected) << path << ": " << type;
      ++enums;
    }
  }
  EXPECT_GT(enums, 25);
}

}  // namespace
}  // namespace fathom
