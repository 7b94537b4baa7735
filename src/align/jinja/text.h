// Text of a template's values: UTF-8 bytes, and for each byte where it comes from. The
// origin survives slicing, joining, stripping and replacing, so that the rendered text still
// tells the template's own bytes, which may be special tokens, from the user's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "align/jinja/rendering.h"

namespace fathom::jinja {

// Flags of a byte. Without from_template it counts as the user's: so do bytes of unknown
// origin, such as digits of a number.
enum OriginFlags : std::uint8_t {
  from_variable = 0,
  from_template = 1,  // literal text of the template, or a variable that the caller trusts
  in_generation = 2,  // written between {% generation %} and {% endgeneration %}
};

// The bytes [begin, end) that carry `flags`, which are not 0.
struct OriginSpan {
  std::size_t begin;
  std::size_t end;
  std::uint8_t flags;
  bool operator==(const OriginSpan&) const = default;
};

class Text {
 public:
  Text() = default;
  // `bytes` must be valid UTF-8.
  explicit Text(std::string bytes, std::uint8_t flags = from_variable);

  const std::string& bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  std::size_t characters() const { return characters_; }
  bool ascii() const { return characters_ == bytes_.size(); }
  // Ascending, disjoint; neighbours with equal flags are merged.
  const std::vector<OriginSpan>& spans() const { return spans_; }
  // Flags of one byte.
  std::uint8_t flags_at(std::size_t byte) const;
  // Byte at which a character begins; the text's end for characters().
  std::size_t offset(std::size_t character) const;
  // Bytes of memory that the text takes.
  std::size_t memory() const;

 private:
  friend class TextBuilder;
  std::string bytes_;
  std::vector<OriginSpan> spans_;
  std::size_t characters_ = 0;
};

// Makes a text of parts, within the memory that the rendering may take.
class TextBuilder {
 public:
  explicit TextBuilder(Rendering& rendering) : rendering_(&rendering) {}

  // Flags that every appended byte gets besides its own.
  void set_extra_flags(std::uint8_t flags) { extra_flags_ = flags; }
  std::uint8_t extra_flags() const { return extra_flags_; }

  void add(const Text& text) { add(text, 0, text.bytes().size()); }
  // The bytes [begin, end) of `text`.
  void add(const Text& text, std::size_t begin, std::size_t end);
  void add(std::string_view bytes, std::uint8_t flags = from_variable);
  void add_repeated(char c, std::size_t count);

  std::size_t size() const { return text_.bytes_.size(); }
  Text take();

 private:
  void reserve(std::size_t more);
  void mark(std::size_t begin, std::size_t end, std::uint8_t flags);

  Rendering* rendering_;
  Text text_;
  std::uint8_t extra_flags_ = 0;
};

// The bytes [begin, end) of `text` as a text of their own.
Text subtext(Rendering& rendering, const Text& text, std::size_t begin, std::size_t end);

}  // namespace fathom::jinja
