// Token shards: the tokens of many documents of one source in one file.
//
//   header (256 bytes, data/shard_format.h)
//   token ids, 16 bits each when the vocabulary has at most 65536, else 32
//   padding to a multiple of 8
//   for each document the position after its last token (64-bit)
//   for each document its end in bytes of text (64-bit), so that the size of any range
//   of documents is known in bytes
//
// Each document ends with the end-of-document token. Little endian. The header
// has a checksum of itself and one of everything after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/mapped_file.h"

namespace fathom {

// Properties that all shards of a source share.
struct ShardInfo {
  std::string source;  // at most 127 bytes
  std::uint64_t tokenizer_hash = 0;
  std::int64_t vocab_size = 0;
  std::int32_t eos = 0;  // the end-of-document token

  bool operator==(const ShardInfo&) const = default;
};

struct ShardCounts {
  std::int64_t documents = 0;
  std::int64_t tokens = 0;      // end-of-document tokens included
  std::int64_t text_bytes = 0;  // of the documents' text

  ShardCounts& operator+=(const ShardCounts& other);
  bool operator==(const ShardCounts&) const = default;
};

class ShardWriter {
 public:
  // The file is complete only when finish() has returned; write it in an AtomicDirectory.
  ShardWriter(const std::string& path, const ShardInfo& info);

  // Appends the document and the end-of-document token. Throws a runtime Error
  // for an id outside the vocabulary.
  void add_document(std::span<const std::int32_t> ids, std::int64_t text_bytes);
  const ShardCounts& counts() const { return counts_; }
  // Returns the checksum of the content.
  std::uint64_t finish();

 private:
  void write(std::span<const std::byte> bytes);
  template <class Token>
  void write_tokens(std::span<const std::int32_t> ids);

  ShardInfo info_;
  FileWriter file_;
  Checksum checksum_;
  ShardCounts counts_;
  std::vector<std::uint64_t> token_ends_, byte_ends_;
};

enum class Verify {
  structure,  // header, sizes, and that the document index fits: reads no tokens
  content,    // also the checksum and every entry of the index: reads everything
};

class Shard {
 public:
  // Throws an input Error that names the file unless it is a complete shard.
  explicit Shard(const std::string& path, Verify verify = Verify::structure);
  // Reads from bytes that the caller keeps alive; errors give `name` as the path.
  Shard(std::span<const std::byte> bytes, const std::string& name, Verify verify);

  const std::string& path() const { return path_; }
  const ShardInfo& info() const { return info_; }
  const ShardCounts& counts() const { return counts_; }
  std::uint64_t checksum() const { return checksum_; }
  // Checks what Verify::content checks at opening.
  void verify_content() const;

  // Tokens [begin, begin + out.size()). Throws a runtime Error when they are not
  // all there, and an input Error on an id outside the vocabulary (damage that
  // only Verify::content sees at opening).
  void read(std::int64_t begin, std::span<std::int32_t> out) const;
  // The position after the last token of `document`, and the end of its text in bytes.
  std::int64_t token_end(std::int64_t document) const;
  std::int64_t byte_end(std::int64_t document) const;
  // The first document that ends after `position`; counts().documents when none does.
  std::int64_t document_at(std::int64_t position) const;

 private:
  void open(std::span<const std::byte> bytes, Verify verify);
  template <class Token>
  void read_as(std::int64_t begin, std::span<std::int32_t> out) const;

  std::string path_;
  MappedFile file_;
  std::span<const std::byte> content_;  // all after the header
  ShardInfo info_;
  ShardCounts counts_;
  std::uint64_t checksum_ = 0;
  std::size_t index_offset_ = 0;  // of the document index in content_
};

}  // namespace fathom
