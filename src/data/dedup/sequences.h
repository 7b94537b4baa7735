// Sequences of n tokens that were in the texts before: "exact substrings" of Lee et al., arXiv
// 2107.06499, section 4.1, found by hashes of all sequences in place of a suffix array. A suffix
// array's neighbours with n tokens in common are the sequences that stand twice, so both find the
// same; hashes take memory by choice and are sorted on the disk.
//
// Tokens are those of data/dedup/exact_tokens.h. A sequence goes when it stood before, in the order
// of reading, in a document that stays or in the same one; but in the document where it stood first
// not when it begins within the one before that is equal to it, as in tables of many zeros.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/dedup/clusters.h"
#include "data/dedup/removed_parts.h"

namespace fathom::dedup {

// Hashes of the sequences of `length` tokens of a text, by their first tokens; `out` is
// overwritten. A hash is a polynomial modulo 2^61 - 1 in a fixed number, whose factors are hashes
// of tokens: of all such numbers at most a share of length / 2^61 makes those of two given
// sequences equal, so among n sequences equal hashes are to be expected with probability n² length
// / 2^62 at most. (Modulo 2^64 some sequences are equal whatever the number is.)
class SequenceHasher {
 public:
  explicit SequenceHasher(std::int64_t length);
  void hash(std::string_view text, std::vector<std::uint64_t>& out);

 private:
  std::size_t length_;
  std::uint64_t leaving_;  // factor of the token that leaves a sequence
  std::vector<std::uint64_t> tokens_;
};

// Reads the texts of the config's sources twice, without the lines and paragraphs that go. Uses
// `memory_bytes`: a table of bits finds the sequences that may stand twice, and these are sorted.
// The result depends neither on that nor on the number of threads. Throws a runtime Error when the
// disk has no space for them.
RemovedParts find_sequences(const Index& index, const Clusters& clusters, const Removals& removals,
                            const DedupConfig& config, const std::string& scratch,
                            std::size_t memory_bytes);

}  // namespace fathom::dedup
