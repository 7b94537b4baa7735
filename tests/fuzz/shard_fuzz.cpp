// Any bytes are a token shard or an Error, opened and read in every way. The header's
// checksum is set right first, or the fuzzer would never come past it.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "data/shard.h"
#include "data/shard_format.h"
#include "data/token_stream.h"

namespace {

void read_all(const std::vector<std::byte>& bytes, fathom::Verify verify) {
  using namespace fathom;
  try {
    std::vector<Shard> shards;
    for (int i = 0; i < 2; ++i) shards.emplace_back(bytes, "fuzz", verify);
    const TokenStream stream(std::move(shards));
    std::vector<std::int64_t> starts;
    stream.document_starts(0, stream.tokens(), starts);
    stream.document_starts(stream.tokens() / 3, stream.tokens() / 2, starts);
    stream.first_documents(stream.tokens() / 2);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(stream.tokens()));
    stream.read(0, ids);
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fathom::ShardHeader;
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  if (size >= sizeof(ShardHeader)) {
    ShardHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    std::memcpy(header.magic, header.expected_magic, sizeof header.magic);
    header.version = header.current_version;
    header.content_checksum = fathom::checksum_of(std::span(bytes).subspan(sizeof header));
    header.header_checksum = fathom::header_checksum_of(header);
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  read_all(bytes, fathom::Verify::structure);
  read_all(bytes, fathom::Verify::content);
  return 0;
}
