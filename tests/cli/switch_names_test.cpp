// The switches of all commands, as their sources list them, and the fields that they set: of two
// that are exchanged each still takes a value and does something.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace fathom {
namespace {

namespace fs = std::filesystem;

// Fields that are not called after their switches.
const std::map<std::string, std::set<std::string>> other_names{
    {"add_special", {"special"}},
    {"bos_token", {"bos"}},
    {"cap", {"caps"}},
    {"cors", {"origins"}},
    {"eos_token", {"eos"}},
    {"json", {"json", "as_json"}},
    {"keep_special", {"special"}},
    {"max_shard_size", {"max_shard_bytes"}},
    {"model", {"model", "model_file"}},
    {"new", {"new_tokens"}},
    {"peak", {"peak_tflops"}},
    {"phase", {"phases"}},
    {"prompt", {"prompt", "prompts"}},
    {"prompts", {"prompts", "prompts_file"}},
    {"scores", {"scores", "samples"}},
    {"sequence_length", {"sequence_length", "length"}},
    {"served_model_name", {"name"}},
    {"set", {"overrides"}},
    {"simulate_failures", {"gpu_hours_between"}},
    {"template", {"chat_template", "choice", "template_choice"}},
    {"text_field", {"field", "fields"}},
    {"tls_cert", {"tls_certificate"}},
    {"tokens", {"tokens", "budget"}},
    {"weight", {"weights"}}};

TEST(SwitchNames, AreThoseOfTheFieldsThatTheySet) {
  const std::regex option(
      R"re(add_(?:option|flag)\(\s*"(?:[^",]*,)?-*([a-z-]+)",\s*\*?(\w+(?:(?:\.|->)\w+)*))re");
  int switches = 0;
  for (const auto& entry : fs::directory_iterator(FATHOM_SOURCE_DIR "/src/cli")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ostringstream read;
    read << std::ifstream(entry.path()).rdbuf();
    const std::string text = read.str();
    for (std::sregex_iterator one(text.begin(), text.end(), option), end; one != end; ++one) {
      std::string name = (*one)[1];
      std::ranges::replace(name, '-', '_');
      const std::string place = (*one)[2], field = place.substr(place.find_last_of(".>") + 1);
      const auto other = other_names.find(name);
      const bool fits = other == other_names.end() ? field == name : other->second.contains(field);
      EXPECT_TRUE(fits) << entry.path() << ": " << name << " sets " << place;
      ++switches;
    }
  }
  EXPECT_GT(switches, 200);
}

}  // namespace
}  // namespace fathom
