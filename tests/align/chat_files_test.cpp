#include "align/chat_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/line_reader.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::Pair;

TEST(ChatFiles, AreThoseOfTheConversationAlone) {
  const std::string from = testing::TempDir() + "chat_files_from",
                    to = testing::TempDir() + "chat_files_to";
  for (const std::string& directory : {from, to}) {
    fs::remove_all(directory);
    fs::create_directories(directory);
  }
  fs::create_directories(from + "/additional_chat_templates");
  const auto write = [&](const std::string& name) { std::ofstream(from + "/" + name) << name; };
  for (const char* name :
       {"chat_template.jinja", "additional_chat_templates/rag.jinja", "tokenizer_config.json",
        "generation_config.json", "additional_chat_templates/notes.txt", "config.json"}) {
    write(name);
  }
  EXPECT_THAT(read_chat_files(from),
              ElementsAre(Pair("additional_chat_templates/rag.jinja", testing::_),
                          Pair("chat_template.jinja", "chat_template.jinja"),
                          Pair("generation_config.json", testing::_),
                          Pair("tokenizer_config.json", testing::_)));
  copy_chat_files(from, to);
  EXPECT_EQ(read_chat_files(to), read_chat_files(from));
  EXPECT_FALSE(fs::exists(to + "/config.json"));
  EXPECT_TRUE(read_chat_files("").empty());
  fs::remove_all(from);
  fs::remove_all(to);
}

}  // namespace
}  // namespace fathom
