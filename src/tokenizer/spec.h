// What a tokenizer.json says, as plain data: json_read.cpp makes it from a file,
// json_write.cpp makes a file from it, Tokenizer::Impl is built from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::tokenizer {

// A regular expression in Oniguruma's (Ruby) syntax, or a literal string.
struct PatternSpec {
  enum class Kind { regex, string };
  Kind kind = Kind::string;
  std::string text;
};

struct NormalizerStep {
  enum class Kind { nfc, nfd, nfkc, nfkd, prepend, replace };
  Kind kind = Kind::nfc;
  PatternSpec pattern;  // replace
  std::string content;  // prepend, replace
};

// What becomes of the parts that a pattern matches.
enum class SplitBehavior {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous,
};

struct PreTokenizerStep {
  enum class Kind { split, digits, byte_level };
  Kind kind = Kind::split;
  PatternSpec pattern;                               // split
  SplitBehavior behavior = SplitBehavior::isolated;  // split
  bool invert = false;                               // split: cut out what does not match
  bool individual_digits = false;                    // digits
  bool add_prefix_space = false;                     // byte_level
  bool trim_offsets = true;                          // byte_level: kept, changes no id
  bool use_regex = true;                             // byte_level: split as GPT-2 does
};

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool single_word = false;  // only between characters that are not of a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // looked for in the normalised text
  bool special = false;
};

struct TemplateItem {
  std::string special_token;  // empty: the sequence itself
  std::string sequence;       // "A" or "B"
  std::int64_t type_id = 0;
};
struct TemplateToken {
  std::string name;
  std::vector<std::int32_t> ids;
  std::vector<std::string> tokens;
};

struct PostProcessorStep {
  enum class Kind { byte_level, template_processing };
  Kind kind = Kind::byte_level;
  bool add_prefix_space = false, trim_offsets = true, use_regex = true;  // byte_level
  std::vector<TemplateItem> single, pair;                                // template_processing
  std::vector<TemplateToken> special_tokens;                             // template_processing
};

struct DecoderStep {
  enum class Kind { byte_level, replace, byte_fallback, fuse, strip };
  Kind kind = Kind::byte_level;
  bool add_prefix_space = false, trim_offsets = true, use_regex = true;  // byte_level
  PatternSpec pattern;                                                   // replace
  std::string content;                                                   // replace, strip
  std::int64_t start = 0, stop = 0;                                      // strip
};

struct BpeSpec {
  // By id; an empty string is an id without a token (or one that only an added
  // token has).
  std::vector<std::string> vocab;
  // Ids of the left and right part, in order of rank, and of the token they make.
  struct Merge {
    std::int32_t left, right, result;
  };
  std::vector<Merge> merges;
  std::optional<std::string> unk_token;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
};

struct TokenizerSpec {
  std::vector<AddedToken> added_tokens;  // by id
  std::vector<NormalizerStep> normalizers;
  std::vector<PreTokenizerStep> pre_tokenizers;
  std::vector<PostProcessorStep> post_processors;
  std::vector<DecoderStep> decoders;
  BpeSpec model;
};

// Throws an input Error that starts with `source_name` and names the key.
TokenizerSpec read_spec(std::string_view text, const std::string& source_name);
std::string write_spec(const TokenizerSpec& spec);

}  // namespace fathom::tokenizer
