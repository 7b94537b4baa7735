#include <algorithm>

#include "core/error.h"
#include "data/shard.h"
#include "data/shard_format.h"

namespace fathom {

namespace {

std::size_t token_bytes(std::int64_t vocab_size) {
  return vocab_size <= 65536 ? 2 : 4;
}

}  // namespace

ShardCounts& ShardCounts::operator+=(const ShardCounts& other) {
  documents += other.documents;
  tokens += other.tokens;
  text_bytes += other.text_bytes;
  return *this;
}

ShardWriter::ShardWriter(const std::string& path, const ShardInfo& info)
    : info_(info), file_(path) {
  require(info.source.size() < sizeof(ShardHeader::source), "{}: the source's name is too long",
          path);
  require(info.eos >= 0 && info.eos < info.vocab_size, "{}: end-of-document token {} of {}", path,
          info.eos, info.vocab_size);
  const ShardHeader blank{};  // invalid until finish() overwrites it
  file_.write(std::as_bytes(std::span(&blank, 1)));
}

void ShardWriter::write(std::span<const std::byte> bytes) {
  file_.write(bytes);
  checksum_.update(bytes);
}

template <class Token>
void ShardWriter::write_tokens(std::span<const std::int32_t> ids) {
  constexpr std::size_t piece = 4096;
  Token tokens[piece];
  for (std::size_t begin = 0; begin < ids.size(); begin += piece) {
    const auto part = ids.subspan(begin, std::min(piece, ids.size() - begin));
    for (std::size_t i = 0; i < part.size(); ++i) {
      require(part[i] >= 0 && part[i] < info_.vocab_size,
              "{}: token {} is outside the vocabulary of {}", file_.path(), part[i],
              info_.vocab_size);
      tokens[i] = static_cast<Token>(part[i]);
    }
    write(std::as_bytes(std::span(tokens, part.size())));
  }
}

void ShardWriter::add_document(std::span<const std::int32_t> ids, std::int64_t text_bytes) {
  const std::span<const std::int32_t> end(&info_.eos, 1);
  if (token_bytes(info_.vocab_size) == 2) {
    write_tokens<std::uint16_t>(ids);
    write_tokens<std::uint16_t>(end);
  } else {
    write_tokens<std::uint32_t>(ids);
    write_tokens<std::uint32_t>(end);
  }
  counts_ += {1, static_cast<std::int64_t>(ids.size()) + 1, text_bytes};
  token_ends_.push_back(static_cast<std::uint64_t>(counts_.tokens));
  byte_ends_.push_back(static_cast<std::uint64_t>(counts_.text_bytes));
}

std::uint64_t ShardWriter::finish() {
  const std::byte zeros[8] = {};
  write(std::span(zeros).first(round_up_to_8(file_.size()) - file_.size()));
  write(std::as_bytes(std::span(token_ends_)));
  write(std::as_bytes(std::span(byte_ends_)));

  ShardHeader header{};
  std::memcpy(header.magic, ShardHeader::expected_magic, sizeof header.magic);
  header.version = ShardHeader::current_version;
  header.token_bytes = static_cast<std::uint32_t>(token_bytes(info_.vocab_size));
  header.vocab_size = static_cast<std::uint64_t>(info_.vocab_size);
  header.tokenizer_hash = info_.tokenizer_hash;
  header.tokens = static_cast<std::uint64_t>(counts_.tokens);
  header.documents = static_cast<std::uint64_t>(counts_.documents);
  header.text_bytes = static_cast<std::uint64_t>(counts_.text_bytes);
  header.content_checksum = checksum_.value();
  header.eos = static_cast<std::uint32_t>(info_.eos);
  std::memcpy(header.source, info_.source.data(), info_.source.size());
  header.header_checksum = header_checksum_of(header);
  file_.overwrite(0, std::as_bytes(std::span(&header, 1)));
  file_.close();
  return header.content_checksum;
}

}  // namespace fathom
