#include "data/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "data/shard_format.h"
#include "data/token_stream.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::read_file;
using test::runtime_error_of;
using test::TempDir;
using test::write_file;

const ShardInfo info{"src", 42, 300, 7};

void write_shard(const std::string& path, const ShardInfo& with = info) {
  ShardWriter writer(path, with);
  writer.add_document(std::vector<std::int32_t>{1, 2, 3}, 10);
  writer.add_document(std::vector<std::int32_t>{}, 0);
  writer.add_document(std::vector<std::int32_t>{4, 299}, 5);
  writer.finish();
}

std::string error_of(const std::string& bytes, Verify verify = Verify::structure) {
  return input_error_of([&] { Shard(std::as_bytes(std::span(bytes)), "s", verify); });
}

class ShardFile : public testing::Test {
 protected:
  ShardFile() {
    write_shard(dir_ / "a");
    bytes_ = read_file(dir_ / "a");
  }
  // The file with its header changed by f and made to look whole.
  template <class F>
  std::string with_header(F&& f) const {
    std::string bytes = bytes_;
    ShardHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    f(header);
    header.header_checksum = header_checksum_of(header);
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
  }
  TempDir dir_;
  std::string bytes_;
};

TEST_F(ShardFile, ReadsBack) {
  for (const std::int64_t vocab_size : {300, 100000}) {
    ShardInfo wanted = info;
    wanted.vocab_size = vocab_size;
    write_shard(dir_ / "b", wanted);
    const Shard shard(dir_ / "b", Verify::content);
    EXPECT_EQ(shard.info(), wanted);
    EXPECT_EQ(shard.counts(), (ShardCounts{3, 8, 15}));
    std::vector<std::int32_t> ids(8);
    shard.read(0, ids);
    EXPECT_THAT(ids, testing::ElementsAre(1, 2, 3, 7, 7, 4, 299, 7));
    EXPECT_EQ(shard.token_end(1), 5);
    EXPECT_EQ(shard.byte_end(1), 10);
    EXPECT_EQ(shard.document_at(3), 0);
    EXPECT_EQ(shard.document_at(4), 1);
    EXPECT_EQ(shard.document_at(8), 3);
    EXPECT_EQ(runtime_error_of([&] { shard.read(1, ids); }),
              (dir_ / "b") + ": holds 8 tokens, so not 8 from 1");
  }
}

TEST_F(ShardFile, TruncationAnywhereIsSeen) {
  for (std::size_t size = 0; size < bytes_.size(); ++size) {
    ASSERT_NE(error_of(bytes_.substr(0, size)), "no error") << size;
  }
  EXPECT_EQ(error_of(bytes_.substr(0, 100)),
            "s: cut off inside the header (100 bytes); prepare the data again");
  EXPECT_EQ(error_of(bytes_.substr(0, 300)),
            "s: 300 bytes long, but its header describes 320; the file is cut off or damaged, "
            "prepare the data again");
  EXPECT_NE(error_of(bytes_ + "x"), "no error");
}

TEST_F(ShardFile, EveryFlippedByteIsSeenByVerifying) {
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    std::string bytes = bytes_;
    bytes[i] ^= 1;
    ASSERT_NE(error_of(bytes, Verify::content), "no error") << i;
  }
  std::string bytes = bytes_;
  bytes[256] ^= 1;
  EXPECT_EQ(error_of(bytes, Verify::content),
            "s: the content is damaged (its checksum differs); prepare the data again");
  bytes[20] ^= 1;
  EXPECT_EQ(error_of(bytes),
            "s: the header is damaged (its checksum differs); prepare the data again");
}

TEST_F(ShardFile, OtherFilesAndVersionsAreRefused) {
  EXPECT_EQ(input_error_of([] { Shard({}, "s", Verify::structure); }),
            "s: empty, so not a token shard; prepare the data again");
  EXPECT_EQ(error_of(std::string(400, 'x')),
            "s: not a token shard; `fathom data prepare` makes them");
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.version = 9; })),
            "s: a token shard of version 9, and this build reads version 1; prepare it again");
}

TEST_F(ShardFile, LyingHeadersAreRefused) {
  const std::string contradiction = "s: the header contradicts itself; prepare the data again";
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.token_bytes = 3; })), contradiction);
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.vocab_size = 0; })), contradiction);
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.tokens = UINT64_MAX; })), contradiction);
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.documents = 1ull << 60; })), contradiction);
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.text_bytes = 14; })),
            "s: the document index does not fit its header; prepare the data again");
  // 16-bit vocabulary stored as 32-bit tokens: reading would run past the end.
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.vocab_size = 70000; })), contradiction);
}

TEST_F(ShardFile, WriterRefusesTokensOutsideTheVocabulary) {
  ShardWriter writer(dir_ / "b", info);
  EXPECT_EQ(runtime_error_of([&] { writer.add_document(std::vector<std::int32_t>{300}, 1); }),
            (dir_ / "b") + ": token 300 is outside the vocabulary of 300");
}

// The header ends the name with a zero.
TEST_F(ShardFile, TheLongestNameOfASourceReadsBack) {
  const std::string path = dir_ / "b";
  ShardInfo named = info;
  named.source = std::string(sizeof(ShardHeader::source) - 1, 's');
  write_shard(path, named);
  EXPECT_EQ(Shard(path, Verify::content).info().source, named.source);
  named.source += 's';
  EXPECT_EQ(runtime_error_of([&] { write_shard(path, named); }),
            path + ": the source's name is too long");
}

TEST_F(ShardFile, StreamJoinsShards) {
  std::vector<Shard> shards;
  for (int i = 0; i < 3; ++i) shards.emplace_back(dir_ / "a");
  const TokenStream stream(std::move(shards));
  EXPECT_EQ(stream.counts(), (ShardCounts{9, 24, 45}));
  std::vector<std::int32_t> ids(10);
  stream.read(6, ids);
  EXPECT_THAT(ids, testing::ElementsAre(299, 7, 1, 2, 3, 7, 7, 4, 299, 7));
  std::vector<std::int64_t> starts;
  stream.document_starts(0, 24, starts);
  EXPECT_THAT(starts, testing::ElementsAre(4, 5, 8, 12, 13, 16, 20, 21));
  stream.document_starts(4, 12, starts);
  EXPECT_THAT(starts, testing::ElementsAre(5, 8));
  EXPECT_EQ(stream.first_documents(12), (ShardCounts{4, 12, 25}));
  EXPECT_EQ(stream.first_documents(1), (ShardCounts{1, 4, 10}));
}

TEST_F(ShardFile, StreamRefusesShardsOfDifferentTokenizers) {
  ShardInfo other = info;
  other.tokenizer_hash = 43;
  write_shard(dir_ / "b", other);
  std::vector<Shard> shards;
  shards.emplace_back(dir_ / "a");
  shards.emplace_back(dir_ / "b");
  EXPECT_THAT(input_error_of([&] { TokenStream stream(std::move(shards)); }),
              testing::HasSubstr("made with another tokenizer or for another source than"));
}

}  // namespace
}  // namespace fathom
