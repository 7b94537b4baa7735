// The content of a tokenizer.json as plain data: json_read.cpp reads it, json_write.cpp
// writes it, and Tokenizer::Impl is built from it.
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
  bool operator==(const PatternSpec&) const = default;
};

struct NormalizerStep {
  enum class Kind {
    nfc,
    nfd,
    nfkc,
    nfkd,
    prepend,
    replace,
    lowercase,
    strip,
    strip_accents,
    nmt,
    bert,
  };
  Kind kind = Kind::nfc;
  PatternSpec pattern;                         // replace
  std::string content;                         // prepend, replace
  bool strip_left = true, strip_right = true;  // strip
  bool clean_text = true;                      // bert
  bool handle_chinese_chars = true;            // bert
  bool lowercase = true;                       // bert
  std::optional<bool> strip_accents;           // bert; absent: as lowercase
};

// What a split does with the parts that its pattern matches.
enum class SplitBehavior {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous,
};

// Where Metaspace inserts its character if it is not there already: before every piece,
// before the one at the beginning of the text, or nowhere.
enum class PrependScheme { always, first, never };

struct PreTokenizerStep {
  enum class Kind {
    split,
    digits,
    byte_level,
    metaspace,
    whitespace,        // runs of word characters, runs of others; no white space
    whitespace_split,  // runs of anything but white space
    punctuation,
    bert,  // whitespace_split, then punctuation isolated
    char_delimiter,
  };
  Kind kind = Kind::split;
  PatternSpec pattern;                               // split
  SplitBehavior behavior = SplitBehavior::isolated;  // split, punctuation
  bool invert = false;                               // split: the pattern matches the pieces
  bool individual_digits = false;                    // digits
  bool add_prefix_space = false;                     // byte_level
  bool trim_offsets = true;                          // byte_level: kept, changes no id
  bool use_regex = true;                             // byte_level: split as GPT-2 does
  std::string character;                             // metaspace, char_delimiter: one in UTF-8
  PrependScheme prepend = PrependScheme::always;     // metaspace
  bool split_words = true;                           // metaspace: cut before each character
  bool operator==(const PreTokenizerStep&) const = default;
};

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool single_word = false;  // not next to a character of a word
  bool lstrip = false;       // includes the white space before it
  bool rstrip = false;       // includes the white space after it
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
  enum class Kind { byte_level, template_processing, bert, roberta };
  struct Token {
    std::string content;
    std::int32_t id = 0;
  };
  Kind kind = Kind::byte_level;
  // byte_level, and the first two roberta: kept, they change no id.
  bool add_prefix_space = false, trim_offsets = true, use_regex = true;
  Token begin, end;                           // bert, roberta
  std::vector<TemplateItem> single, pair;     // template_processing
  std::vector<TemplateToken> special_tokens;  // template_processing
};

struct DecoderStep {
  enum class Kind { byte_level, replace, byte_fallback, fuse, strip, metaspace, bpe };
  Kind kind = Kind::byte_level;
  bool add_prefix_space = false, trim_offsets = true, use_regex = true;  // byte_level
  PatternSpec pattern;                                                   // replace
  std::string content;               // replace, strip; metaspace: its character; bpe: the suffix
  std::int64_t start = 0, stop = 0;  // strip
  PrependScheme prepend = PrependScheme::always;  // metaspace
  bool split_words = true;                        // metaspace: kept, changes no text
};

struct BpeSpec {
  // By id; an empty string is an id without a token, or with an added token only.
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
  // The vocabulary spells every symbol of a piece but the first with this prefix, and the
  // last with this suffix. A merge joins "a" and "##b" to "ab".
  std::string continuing_subword_prefix, end_of_word_suffix;
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
