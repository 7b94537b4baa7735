// Chat data from tests/golden/parquet is read as the same rows in JSON lines are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "align/chat_data.h"
#include "align/preference_data.h"
#include "io/temp_dir.h"
#include "small_tokenizer.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::string golden(const std::string& name) {
  return std::string(FATHOM_SOURCE_DIR) + "/tests/golden/parquet/" + name;
}

class ParquetData : public testing::Test {
 protected:
  std::vector<std::string> read(const std::string& path) {
    ExampleSet set;
    statistics_ = read_examples({path}, chat_, tokenizer_, options_, set);
    std::vector<std::string> rows;
    for (std::int64_t i = 0; i < set.size(); ++i) {
      const auto [tokens, learned] = set[i];
      rows.push_back(
          shown(tokenizer_, {tokens.begin(), tokens.end()}, {learned.begin(), learned.end()}));
    }
    return rows;
  }

  Tokenizer tokenizer_ = small_tokenizer();
  ChatTemplate chat_ = ChatTemplate::open("deepseek", "", tokenizer_);
  ChatDataOptions options_;
  ChatStatistics statistics_;
};

TEST_F(ParquetData, ConversationsAreThoseOfJsonLines) {
  options_.bad_rows = RowPolicy::leave_out;
  const auto rows = read(golden("chats.parquet"));
  EXPECT_THAT(
      rows, ElementsAre("<s>Be brief.\n\nUser: What is two and two?\n\nAssistant:[ Four.</s>]",
                        "<s>User: 你好，请介绍一下北京。\n\nAssistant:[ 北京是中国的首都。</s>]"));
  EXPECT_EQ(statistics_.bad.first,
            golden("chats.parquet") + ":3: there is no assistant's message to learn");
  EXPECT_EQ(read(golden("chats.jsonl")), rows);
  // A column that no message of the row has a value in is absent.
  chat_ = ChatTemplate::from_source(
      "{% for m in messages %}{{ m.role[0] }}{{ '+' ~ m.name if m.name is defined }}"
      "{{ 'calls' if 'tool_calls' in m }}{% generation %}{{ m.content }}{% endgeneration %}"
      "{% endfor %}",
      "t", {});
  EXPECT_THAT(read(golden("chats.parquet")),
              ElementsAre("s[Be brief.]u+Ann[What is two and two?]a[Four.]",
                          "u[你好，请介绍一下北京。]a[北京是中国的首都。]"));
}

TEST_F(ParquetData, PreferencesAreKnownByTheirColumns) {
  EXPECT_FALSE(holds_preferences({golden("chats.parquet")}));
  EXPECT_TRUE(holds_preferences({golden("preferences.parquet")}));
  PreferenceSet set;
  read_preferences({golden("preferences.parquet")}, chat_, tokenizer_, options_,
                   RankingPairs::best_and_worst, set);
  ASSERT_EQ(set.size(), 2);
  const auto text_of = [&](std::span<const std::int32_t> part) {
    return shown(tokenizer_, {part.begin(), part.end()});
  };
  EXPECT_EQ(text_of(set[0].prompt), "<s>User: p\n\nAssistant:");
  EXPECT_EQ(text_of(set[1].chosen), " 好</s>");
  EXPECT_EQ(text_of(set[1].rejected), " 坏</s>");
}

TEST_F(ParquetData, ABinaryColumnIsRefusedByName) {
  EXPECT_THAT(input_error_of([&] { read(golden("images.parquet")); }),
              HasSubstr("images.parquet: the column 'image.bytes' holds binary data"));
}

}  // namespace
}  // namespace fathom
