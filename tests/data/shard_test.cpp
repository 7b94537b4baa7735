#include "data/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <tuple>

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
  for (const std::int64_t vocab_size : {300, 65536, 65537, 100000}) {
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
    EXPECT_EQ(runtime_error_of([&] { shard.read(-1, std::span(ids).first(1)); }),
              (dir_ / "b") + ": holds 8 tokens, so not 1 from -1");
    EXPECT_EQ(runtime_error_of([&] { shard.read(9, {}); }),
              (dir_ / "b") + ": holds 8 tokens, so not 0 from 9");
    shard.read(8, {});
  }
}

// Tokens are written in pieces of 4096.
TEST_F(ShardFile, DocumentsOfAnyLengthReadBack) {
  for (const std::size_t size : {0, 1, 4095, 4096, 4097, 9000}) {
    ShardInfo wanted = info;
    wanted.vocab_size = 65536;
    wanted.eos = 65535;
    std::vector<std::int32_t> ids(size);
    for (std::size_t i = 0; i < size; ++i) ids[i] = static_cast<std::int32_t>(i * 7919 % 65535);
    ShardWriter writer(dir_ / "b", wanted);
    writer.add_document(ids, 3);
    writer.finish();
    ids.push_back(65535);
    const Shard shard(dir_ / "b", Verify::content);
    EXPECT_EQ(shard.counts(), (ShardCounts{1, std::int64_t(size) + 1, 3}));
    std::vector<std::int32_t> back(size + 1);
    shard.read(0, back);
    EXPECT_EQ(back, ids);
    EXPECT_EQ(std::filesystem::file_size(dir_ / "b"), 256 + round_up_to_8(2 * size + 2) + 16);
  }
}

TEST_F(ShardFile, MayBeWithoutDocumentsOrText) {
  ShardWriter(dir_ / "none", info).finish();
  EXPECT_EQ(Shard(dir_ / "none", Verify::content).counts(), (ShardCounts{0, 0, 0}));
  ShardWriter writer(dir_ / "empty", info);
  for (int i = 0; i < 2; ++i) writer.add_document({}, 0);
  writer.finish();
  EXPECT_EQ(Shard(dir_ / "empty", Verify::content).counts(), (ShardCounts{2, 2, 0}));
}

// The checksums are right, and the index is not.
TEST_F(ShardFile, AnIndexOutOfOrderIsSeenByVerifying) {
  const auto error = [&](int entry, std::int64_t value) {
    std::string bytes = bytes_;
    std::memcpy(bytes.data() + 256 + 16 + 8 * entry, &value, 8);
    ShardHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.content_checksum = checksum_of(std::string_view(bytes).substr(sizeof header));
    header.header_checksum = header_checksum_of(header);
    std::memcpy(bytes.data(), &header, sizeof header);
    return error_of(bytes, Verify::content);
  };
  const auto out_of_order = [](int document) {
    return fmt::format("s: the index of document {} is out of order; prepare the data again",
                       document);
  };
  EXPECT_EQ(error(0, 4), "no error");  // as it is: tokens end at 4, 5, 8 and bytes at 10, 10, 15
  EXPECT_EQ(error(1, 4), out_of_order(1));
  EXPECT_EQ(error(1, 6), "no error");
  EXPECT_EQ(error(1, 8), out_of_order(2));
  EXPECT_EQ(error(4, 9), out_of_order(1));
  EXPECT_EQ(error(4, 15), "no error");
  EXPECT_EQ(error(4, 16), out_of_order(2));
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
  for (const std::string& bytes :
       {with_header([](ShardHeader& h) { h.token_bytes = 4; }),
        with_header([](ShardHeader& h) { h.vocab_size = h.eos; }),
        with_header([](ShardHeader& h) { h.vocab_size = 1ull << 31, h.token_bytes = 4; }),
        with_header([](ShardHeader& h) { h.eos = 300; }),
        with_header([](ShardHeader& h) { h.tokens = (1ull << 56) + 1; }),
        with_header([](ShardHeader& h) { h.documents = 9; }),
        with_header([](ShardHeader& h) { h.text_bytes = (1ull << 56) + 1; }),
        with_header([](ShardHeader& h) { h.source[127] = 's'; })}) {
    EXPECT_EQ(error_of(bytes), contradiction);
  }
  const std::string damaged = "the file is cut off or damaged, prepare the data again";
  for (const std::string& bytes :
       {with_header([](ShardHeader& h) { h.tokens = 1ull << 56; }),
        with_header([](ShardHeader& h) { h.documents = 8; }),
        with_header([](ShardHeader& h) { h.vocab_size = INT32_MAX, h.token_bytes = 4; })}) {
    EXPECT_THAT(error_of(bytes), testing::HasSubstr(damaged));
  }
  const std::string index = "s: the document index does not fit its header; prepare the data again";
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.tokens = 7; })), index);
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.text_bytes = 1ull << 56; })), index);
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.text_bytes = 14; })),
            "s: the document index does not fit its header; prepare the data again");
  // 16-bit vocabulary stored as 32-bit tokens: reading would run past the end.
  EXPECT_EQ(error_of(with_header([](ShardHeader& h) { h.vocab_size = 70000; })), contradiction);
}

// Damage that only reading sees, or verifying.
TEST_F(ShardFile, TokensFromTheVocabularysSizeOnAreRefused) {
  for (const std::int64_t vocab_size : {300, 65536, 65537, 70000}) {
    ShardInfo wanted = info;
    wanted.vocab_size = vocab_size;
    write_shard(dir_ / "b", wanted);
    const std::string whole = read_file(dir_ / "b");
    const std::size_t bytes = vocab_size <= 65536 ? 2 : 4;
    const auto error = [&](std::uint64_t id) {
      std::string changed = whole;
      std::memcpy(changed.data() + 256 + 6 * bytes, &id, bytes);
      return input_error_of([&] {
        const Shard shard(std::as_bytes(std::span(changed)), "s", Verify::structure);
        std::vector<std::int32_t> ids(4);
        shard.read(3, ids);
      });
    };
    EXPECT_EQ(error(static_cast<std::uint64_t>(vocab_size) - 1), "no error");
    for (const std::uint64_t id : {static_cast<std::uint64_t>(vocab_size), UINT64_MAX}) {
      if (vocab_size == 65536) break;  // every number of 16 bits is a token
      EXPECT_EQ(error(id),
                fmt::format("s: token 6 is {}, outside the vocabulary of {}; the file is damaged, "
                            "prepare the data again",
                            id & (bytes == 2 ? 0xffffu : 0xffffffffu), vocab_size));
    }
  }
}

TEST_F(ShardFile, WriterRefusesTokensOutsideTheVocabulary) {
  ShardWriter writer(dir_ / "b", info);
  EXPECT_EQ(runtime_error_of([&] { writer.add_document(std::vector<std::int32_t>{300}, 1); }),
            (dir_ / "b") + ": token 300 is outside the vocabulary of 300");
  EXPECT_EQ(runtime_error_of([&] {
              writer.add_document(std::vector<std::int32_t>{0, -1}, 1);
            }),
            (dir_ / "b") + ": token -1 is outside the vocabulary of 300");
  for (const std::int32_t eos : {-1, 300}) {
    ShardInfo wrong = info;
    wrong.eos = eos;
    EXPECT_EQ(runtime_error_of([&] { ShardWriter(dir_ / "b", wrong); }),
              fmt::format("{}: end-of-document token {} of 300", dir_ / "b", eos));
  }
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

// The second of the four shards is empty.
TEST_F(ShardFile, StreamJoinsShards) {
  ShardWriter(dir_ / "none", info).finish();
  std::vector<Shard> shards;
  for (const char* name : {"a", "none", "a", "a"}) shards.emplace_back(dir_ / name);
  const TokenStream stream(std::move(shards));
  EXPECT_EQ(stream.counts(), (ShardCounts{9, 24, 45}));
  std::vector<std::int32_t> ids(10);
  stream.read(6, ids);
  EXPECT_THAT(ids, testing::ElementsAre(299, 7, 1, 2, 3, 7, 7, 4, 299, 7));
  stream.read(14, ids);
  EXPECT_THAT(ids, testing::ElementsAre(299, 7, 1, 2, 3, 7, 7, 4, 299, 7));
  stream.read(24, {});
  EXPECT_EQ(runtime_error_of([&] { stream.read(15, ids); }), "10 tokens from 15 of a stream of 24");
  EXPECT_EQ(runtime_error_of([&] { stream.read(-1, ids); }), "10 tokens from -1 of a stream of 24");
  EXPECT_EQ(runtime_error_of([&] { stream.read(25, {}); }), "0 tokens from 25 of a stream of 24");
  const std::string one = checksum_text(Shard(dir_ / "a").checksum());
  EXPECT_EQ(stream.checksum(),
            checksum_of(one + checksum_text(Shard(dir_ / "none").checksum()) + one + one));
}

TEST_F(ShardFile, StreamTellsWhereDocumentsStart) {
  ShardWriter(dir_ / "none", info).finish();
  std::vector<Shard> shards;
  for (const char* name : {"none", "a", "none", "a", "a"}) shards.emplace_back(dir_ / name);
  const TokenStream stream(std::move(shards));
  const std::vector<std::int64_t> all{4, 5, 8, 12, 13, 16, 20, 21};
  for (std::int64_t begin = 0; begin <= 24; ++begin) {
    for (std::int64_t end = begin; end <= 26; ++end) {
      std::vector<std::int64_t> starts{-7}, expected;
      stream.document_starts(begin, end, starts);
      for (const std::int64_t start : all) {
        if (start > begin && start < end) expected.push_back(start);
      }
      EXPECT_EQ(starts, expected) << begin << " " << end;
    }
  }
}

// Whole documents, and the first of them even when it is too long.
TEST_F(ShardFile, StreamCountsItsFirstDocuments) {
  ShardWriter(dir_ / "none", info).finish();
  std::vector<Shard> shards;
  for (const char* name : {"none", "a", "none", "a"}) shards.emplace_back(dir_ / name);
  const TokenStream stream(std::move(shards));
  const std::tuple<std::int64_t, ShardCounts> limits[] = {
      {0, {1, 4, 10}},   {3, {1, 4, 10}},   {4, {1, 4, 10}},   {5, {2, 5, 10}},
      {7, {2, 5, 10}},   {8, {3, 8, 15}},   {11, {3, 8, 15}},  {12, {4, 12, 25}},
      {13, {5, 13, 25}}, {15, {5, 13, 25}}, {16, {6, 16, 30}}, {INT64_MAX, {6, 16, 30}}};
  for (const auto& [tokens, counts] : limits) {
    EXPECT_EQ(stream.first_documents(tokens), counts) << tokens;
  }
  EXPECT_EQ(TokenStream().first_documents(9), ShardCounts());
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
