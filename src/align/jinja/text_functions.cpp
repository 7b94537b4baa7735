#include "align/jinja/text_functions.h"

#include <utf8proc.h>

#include <algorithm>
#include <string_view>

#include "align/jinja/operators.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

char32_t character_at(std::string_view bytes, std::size_t at) {
  const char* position = bytes.data() + at;
  return utf8::next(position);
}

std::size_t character_before(std::string_view bytes, std::size_t end) {
  do {
    --end;
  } while ((static_cast<unsigned char>(bytes[end]) & 0xc0) == 0x80);
  return end;
}

// Character by character: `map` appends what becomes of one to a text.
template <class Map>
Text map_characters(Rendering& rendering, const Text& text, Map map) {
  TextBuilder mapped(rendering);
  const std::string& bytes = text.bytes();
  rendering.spend(bytes.size() / 8);
  std::string buffer;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = utf8::length(bytes[at]);
    buffer.clear();
    map(character_at(bytes, at), buffer);
    mapped.add(buffer, text.flags_at(at));
    at += length;
  }
  return mapped.take();
}

void append_upper(char32_t c, std::string& out) {
  // The sharp s has no capital of one letter in Python.
  if (c == 0xdf) {
    out += "SS";
    return;
  }
  utf8::append(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}

void append_lower(char32_t c, std::string& out) {
  utf8::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

void append_title(char32_t c, std::string& out) {
  if (c == 0xdf) {
    out += "Ss";
    return;
  }
  utf8::append(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
}

bool is_line_end(char32_t c) {
  return (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

bool is_space(char32_t c) {
  return utf8::is_space(c) || (c >= 0x1c && c <= 0x1f);
}

bool is_upper(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_LU;
}
bool is_lower(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LL;
}
bool is_cased(char32_t c) {
  return is_upper(c) || is_lower(c) ||
         utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LT;
}

Text strip(Rendering& rendering, const Text& text, Side side, const Text* characters) {
  const std::string_view bytes = text.bytes();
  const auto stripped = [&](std::size_t at) {
    rendering.spend(1 + (characters ? characters->bytes().size() / 64 : 0));
    if (!characters) return is_space(character_at(bytes, at));
    const std::string_view one = bytes.substr(at, utf8::length(bytes[at]));
    return characters->bytes().find(one) != std::string::npos;
  };
  std::size_t begin = 0;
  std::size_t end = bytes.size();
  if (side != Side::right) {
    while (begin < end && stripped(begin)) begin += utf8::length(bytes[begin]);
  }
  if (side != Side::left) {
    while (begin < end && stripped(character_before(bytes, end))) {
      end = character_before(bytes, end);
    }
  }
  return subtext(rendering, text, begin, end);
}

namespace {

using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

Ranges split_at_space(Rendering& rendering, std::string_view bytes, std::int64_t limit) {
  Ranges parts;
  std::size_t at = 0;
  const auto skip = [&](bool space) {
    while (at < bytes.size() && is_space(character_at(bytes, at)) == space) {
      at += utf8::length(bytes[at]);
    }
  };
  rendering.spend(bytes.size() / 8);
  for (skip(true); at < bytes.size(); skip(true)) {
    const std::size_t begin = at;
    if (limit >= 0 && parts.size() >= static_cast<std::size_t>(limit)) {
      parts.emplace_back(begin, bytes.size());
      break;
    }
    skip(false);
    parts.emplace_back(begin, at);
  }
  return parts;
}

Ranges split_at_space_from_right(Rendering& rendering, std::string_view bytes, std::size_t limit) {
  Ranges parts;
  std::size_t end = bytes.size();
  const auto skip = [&](bool space) {
    while (end > 0 && is_space(character_at(bytes, character_before(bytes, end))) == space) {
      end = character_before(bytes, end);
    }
  };
  rendering.spend(bytes.size() / 8);
  for (skip(true); end > 0; skip(true)) {
    const std::size_t last = end;
    if (parts.size() >= limit) {
      parts.emplace_back(0, last);
      break;
    }
    skip(false);
    parts.emplace_back(end, last);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Ranges split_at(Rendering& rendering, std::string_view bytes, std::string_view separator,
                std::int64_t limit) {
  Ranges parts;
  std::size_t begin = 0;
  rendering.spend_bytes(bytes.size());
  while (limit < 0 || parts.size() < static_cast<std::size_t>(limit)) {
    const std::size_t found = bytes.find(separator, begin);
    if (found == std::string_view::npos) break;
    parts.emplace_back(begin, found);
    begin = found + separator.size();
  }
  parts.emplace_back(begin, bytes.size());
  return parts;
}

Ranges split_at_from_right(Rendering& rendering, std::string_view bytes, std::string_view separator,
                           std::size_t limit) {
  Ranges parts;
  std::size_t end = bytes.size();
  rendering.spend_bytes(bytes.size());
  while (parts.size() < limit && end >= separator.size()) {
    const std::size_t found = bytes.rfind(separator, end - separator.size());
    if (found == std::string_view::npos) break;
    parts.emplace_back(found + separator.size(), end);
    end = found;
  }
  parts.emplace_back(0, end);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

Value split(Rendering& rendering, const Text& text, const Text* separator, std::int64_t limit,
            Side side) {
  if (separator && separator->empty()) rendering.fail("split(): the separator is empty");
  const std::string_view bytes = text.bytes();
  const bool from_right = side == Side::right && limit >= 0;
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(limit, 0));
  const Ranges parts =
      !separator ? (from_right ? split_at_space_from_right(rendering, bytes, most)
                               : split_at_space(rendering, bytes, limit))
                 : (from_right ? split_at_from_right(rendering, bytes, separator->bytes(), most)
                               : split_at(rendering, bytes, separator->bytes(), limit));
  std::vector<Value> items;
  for (const auto& [begin, end] : parts) {
    rendering.spend(1);
    items.push_back(make_text(rendering, subtext(rendering, text, begin, end)));
  }
  return make_list(rendering, std::move(items));
}

std::vector<Text> split_lines(Rendering& rendering, const Text& text, bool keep_ends) {
  std::vector<Text> lines;
  const std::string_view bytes = text.bytes();
  rendering.spend(bytes.size() / 8);
  std::size_t begin = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const bool end = is_line_end(character_at(bytes, at));
    const std::size_t last = at;
    at += utf8::length(bytes[at]);
    if (!end) continue;
    if (bytes[last] == '\r' && at < bytes.size() && bytes[at] == '\n') ++at;
    rendering.spend(1);
    rendering.check_memory(lines.size() * 2 * sizeof(Text));
    lines.push_back(subtext(rendering, text, begin, keep_ends ? at : last));
    begin = at;
  }
  if (begin < bytes.size()) lines.push_back(subtext(rendering, text, begin, bytes.size()));
  return lines;
}

Text replace(Rendering& rendering, const Text& text, const Text& old, const Text& with,
             std::int64_t limit) {
  TextBuilder out(rendering);
  const std::string& bytes = text.bytes();
  rendering.spend_bytes(bytes.size());
  std::size_t begin = 0;
  // An empty text is found before each character and at the end.
  for (std::size_t at = 0; limit != 0; --limit) {
    const std::size_t found = old.empty() ? at : bytes.find(old.bytes(), at);
    if (found == std::string::npos || found > bytes.size()) break;
    rendering.spend(1);
    out.add(text, begin, found);
    out.add(with);
    begin = found + old.bytes().size();
    at = begin;
    if (old.empty()) at += utf8::length(bytes[found]);  // at the end that of the string's zero
  }
  out.add(text, std::min(begin, bytes.size()), bytes.size());
  return out.take();
}

Text join(Rendering& rendering, const Text& separator, const std::vector<Value>& items) {
  TextBuilder joined(rendering);
  bool first = true;
  for (const Value& item : items) {
    if (!std::exchange(first, false)) joined.add(separator);
    joined.add(to_text(rendering, item));
  }
  return joined.take();
}

Text upper(Rendering& rendering, const Text& text) {
  return map_characters(rendering, text, append_upper);
}

Text lower(Rendering& rendering, const Text& text) {
  return map_characters(rendering, text, append_lower);
}

Text capitalize(Rendering& rendering, const Text& text) {
  return map_characters(rendering, text, [first = true](char32_t c, std::string& out) mutable {
    if (std::exchange(first, false)) {
      append_title(c, out);
    } else {
      append_lower(c, out);
    }
  });
}

Text title(Rendering& rendering, const Text& text) {
  return map_characters(rendering, text, [in_word = false](char32_t c, std::string& out) mutable {
    if (in_word) {
      append_lower(c, out);
    } else {
      append_title(c, out);
    }
    in_word = is_cased(c);
  });
}

}  // namespace fathom::jinja
