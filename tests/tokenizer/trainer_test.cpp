#include "tokenizer/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "core/parallel.h"

namespace fathom {
namespace {

std::string sample(const std::string& name, int lines) {
  const std::string path = testing::TempDir() + name;
  std::ofstream file(path);
  for (int i = 0; i < lines; ++i) {
    file << "the quick brown fox " << i << " jumps, over 北京 and 上海大学 the lazy dog\n";
    file << "words of line " << i * 7919 % 1000 << " repeat as they do\n";
  }
  return path;
}

TokenizerTrainConfig config_for(const std::string& path) {
  TokenizerTrainConfig config;
  config.files = {path};
  config.vocab_size = 300;
  return config;
}

TEST(Trainer, ResultDoesNotDependOnThreads) {
  const auto config = config_for(sample("threads.txt", 40000));
  set_num_threads(1);
  const auto one = train_tokenizer(config);
  set_num_threads(3);
  const auto three = train_tokenizer(config);
  EXPECT_EQ(one.tokenizer.to_json(), three.tokenizer.to_json());
  EXPECT_THAT(one.report, testing::HasSubstr("Latin"));
}

TEST(Trainer, SplitsAsTheReportDoes) {
  const auto t = train_tokenizer(config_for(sample("split.txt", 2000))).tokenizer;
  EXPECT_EQ(t.vocab_size() % 64, 0);
  EXPECT_TRUE(t.eos_id() && t.bos_id() && t.pad_id());
  EXPECT_EQ(t.id_to_bytes(256).size(), 2u);
  for (std::int32_t id = 256; id < 300; ++id) {
    const std::string bytes(t.id_to_bytes(id));
    EXPECT_EQ(bytes.find_first_of("0123456789\n"), std::string::npos) << bytes;
  }
  const std::string text = "the fox 12\n北京, ok";
  EXPECT_EQ(t.decode(t.encode(text)), text);
}

TEST(Trainer, RefusesSizesThatMakeNoSense) {
  auto config = config_for(sample("small.txt", 10));
  config.vocab_size = 255;
  EXPECT_THROW(train_tokenizer(config), Error);
  config = config_for("/nonexistent/text");
  EXPECT_THROW(train_tokenizer(config), Error);
  config = config_for(sample("small.txt", 10));
  config.special_tokens = {"<a>", "<a>"};
  EXPECT_THROW(train_tokenizer(config), Error);
}

}  // namespace
}  // namespace fathom
