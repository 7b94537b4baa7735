#include "data/shard.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"
#include "data/shard_format.h"

namespace fathom {

static_assert(std::endian::native == std::endian::little, "shards are little endian");

namespace {

// A larger count in a header is damage, and sums of sizes could overflow.
constexpr std::uint64_t max_count = std::uint64_t{1} << 56;

template <class T>
T load(std::span<const std::byte> bytes, std::size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

void check_header(const ShardHeader& header, const std::string& path) {
  if (std::memcmp(header.magic, ShardHeader::expected_magic, sizeof header.magic) != 0) {
    fail_input("{}: not a token shard; `fathom data prepare` makes them", path);
  }
  if (header.version != ShardHeader::current_version) {
    fail_input("{}: a token shard of version {}, and this build reads version {}; prepare it again",
               path, header.version, ShardHeader::current_version);
  }
  if (header.header_checksum != header_checksum_of(header)) {
    fail_input("{}: the header is damaged (its checksum differs); prepare the data again", path);
  }
  const bool sizes = header.token_bytes == (header.vocab_size <= 65536 ? 2 : 4) &&
                     header.vocab_size >= 1 && header.vocab_size <= INT32_MAX &&
                     header.eos < header.vocab_size && header.tokens <= max_count &&
                     header.documents <= header.tokens && header.text_bytes <= max_count &&
                     header.source[sizeof header.source - 1] == 0;
  if (!sizes) fail_input("{}: the header contradicts itself; prepare the data again", path);
}

}  // namespace

Shard::Shard(const std::string& path, Verify verify)
    : path_(path), file_(path, MappedFile::Access::random) {
  open(file_.bytes(), verify);
}

Shard::Shard(std::span<const std::byte> bytes, const std::string& name, Verify verify)
    : path_(name) {
  open(bytes, verify);
}

void Shard::open(std::span<const std::byte> bytes, Verify verify) {
  ShardHeader header{};
  if (bytes.empty()) fail_input("{}: empty, so not a token shard; prepare the data again", path_);
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
  if (bytes.size() < sizeof header &&
      std::memcmp(header.magic, header.expected_magic, sizeof header.magic) == 0) {
    fail_input("{}: cut off inside the header ({} bytes); prepare the data again", path_,
               bytes.size());
  }
  check_header(header, path_);
  content_ = bytes.subspan(sizeof header);
  index_offset_ = round_up_to_8(header.tokens * header.token_bytes);
  const std::uint64_t expected = index_offset_ + 16 * header.documents;
  if (content_.size() != expected) {
    fail_input(
        "{}: {} bytes long, but its header describes {}; the file is cut off or damaged, "
        "prepare the data again",
        path_, bytes.size(), sizeof header + expected);
  }
  info_ = {header.source, header.tokenizer_hash, static_cast<std::int64_t>(header.vocab_size),
           static_cast<std::int32_t>(header.eos)};
  counts_ = {static_cast<std::int64_t>(header.documents), static_cast<std::int64_t>(header.tokens),
             static_cast<std::int64_t>(header.text_bytes)};
  checksum_ = header.content_checksum;
  const std::int64_t last = counts_.documents - 1;
  if (last < 0 ? counts_.tokens != 0
               : token_end(last) != counts_.tokens || byte_end(last) != counts_.text_bytes) {
    fail_input("{}: the document index does not fit its header; prepare the data again", path_);
  }
  if (verify == Verify::content) verify_content();
}

void Shard::verify_content() const {
  if (checksum_of(content_) != checksum_) {
    fail_input("{}: the content is damaged (its checksum differs); prepare the data again", path_);
  }
  for (std::int64_t i = 1; i < counts_.documents; ++i) {
    if (token_end(i) <= token_end(i - 1) || byte_end(i) < byte_end(i - 1)) {
      fail_input("{}: the index of document {} is out of order; prepare the data again", path_, i);
    }
  }
}

template <class Token>
void Shard::read_as(std::int64_t begin, std::span<std::int32_t> out) const {
  const auto tokens = content_.subspan(static_cast<std::size_t>(begin) * sizeof(Token));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Token id = load<Token>(tokens, i);
    if (id >= info_.vocab_size) {
      fail_input(
          "{}: token {} is {}, outside the vocabulary of {}; the file is damaged, prepare "
          "the data again",
          path_, begin + static_cast<std::int64_t>(i), id, info_.vocab_size);
    }
    out[i] = static_cast<std::int32_t>(id);
  }
}

void Shard::read(std::int64_t begin, std::span<std::int32_t> out) const {
  const auto count = static_cast<std::int64_t>(out.size());
  require(begin >= 0 && begin <= counts_.tokens && count <= counts_.tokens - begin,
          "{}: holds {} tokens, so not {} from {}", path_, counts_.tokens, count, begin);
  if (info_.vocab_size <= 65536) {
    read_as<std::uint16_t>(begin, out);
  } else {
    read_as<std::uint32_t>(begin, out);
  }
}

std::int64_t Shard::token_end(std::int64_t document) const {
  return load<std::int64_t>(content_.subspan(index_offset_), static_cast<std::size_t>(document));
}

std::int64_t Shard::byte_end(std::int64_t document) const {
  return load<std::int64_t>(content_.subspan(index_offset_),
                            static_cast<std::size_t>(counts_.documents + document));
}

std::int64_t Shard::document_at(std::int64_t position) const {
  std::int64_t low = 0, high = counts_.documents;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (token_end(middle) > position) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace fathom
