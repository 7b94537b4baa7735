// json.dumps() of Python, and the JSON that a template is given as its variables.
#include "align/jinja/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "align/jinja/operator_checks.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

class JsonWriter {
 public:
  JsonWriter(Rendering& rendering, const JsonStyle& style)
      : rendering_(rendering), style_(style), out_(rendering) {}

  Text write(const Value& value) {
    add(value, 0);
    return out_.take();
  }

 private:
  void add(const Value& value, std::size_t level) {
    rendering_.spend(1);
    if (value.is_none()) return out_.add("null");
    if (value.is_boolean()) return out_.add(value.boolean() ? "true" : "false");
    if (value.is_integer()) return out_.add(std::to_string(value.integral()));
    if (value.is_real()) return out_.add(real(value.real()));
    if (value.is_text()) return add_text(value.text());
    if (value.is_dict()) return add_dict(value.dict(), level);
    if (value.is_sequence() && (value.sequence().kind == SequenceKind::list ||
                                value.sequence().kind == SequenceKind::tuple)) {
      return add_list(value.sequence(), level);
    }
    require_defined(rendering_, value);
    rendering_.fail("tojson: a {} has no form in JSON", value.type_name());
  }

  static std::string real(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
    return real_text(number);
  }

  void add_escape(char32_t c) {
    if (c >= 0x10000) {
      add_escape(0xd800 + ((c - 0x10000) >> 10));
      add_escape(0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
      out_.add(fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c)));
    }
  }

  void add_character(const Text& text, std::size_t at, std::size_t length) {
    const char* position = text.bytes().data() + at;
    const char32_t c = utf8::next(position);
    switch (c) {
      case '"':
        return out_.add("\\\"");
      case '\\':
        return out_.add("\\\\");
      case '\n':
        return out_.add("\\n");
      case '\r':
        return out_.add("\\r");
      case '\t':
        return out_.add("\\t");
      case '\b':
        return out_.add("\\b");
      case '\f':
        return out_.add("\\f");
      default:
        break;
    }
    if (c < 0x20 || (style_.ensure_ascii && c > 0x7e)) return add_escape(c);
    out_.add(text, at, at + length);
  }

  void add_text(const Text& text) {
    out_.add("\"");
    const std::string& bytes = text.bytes();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = utf8::length(bytes[at]);
      rendering_.spend(at % 8 == 0);
      add_character(text, at, length);
      at += length;
    }
    out_.add("\"");
  }

  void add_key(const Value& key) {
    if (key.is_text()) return add_text(key.text());
    if (!key.is_number() && !key.is_none()) {
      rendering_.fail("tojson: a {} can't be a key in JSON", key.type_name());
    }
    out_.add("\"");
    add(key, 0);
    out_.add("\"");
  }

  void new_line(std::size_t level) {
    if (!style_.pretty) return;
    out_.add("\n");
    for (std::size_t i = 0; i < level; ++i) out_.add(style_.indent);
  }

  void add_list(const Sequence& list, std::size_t level) {
    if (list.items.empty()) return out_.add("[]");
    out_.add("[");
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.add(style_.item_separator);
      new_line(level + 1);
      add(list.items[i], level + 1);
    }
    new_line(level);
    out_.add("]");
  }

  void add_dict(const Dict& dict, std::size_t level) {
    if (dict.entries.empty()) return out_.add("{}");
    auto entries = dict.entries;
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
        return less(rendering_, a.first, b.first);
      });
    }
    out_.add("{");
    bool first = true;
    for (const auto& [key, value] : entries) {
      if (!std::exchange(first, false)) out_.add(style_.item_separator);
      new_line(level + 1);
      add_key(key);
      out_.add(style_.key_separator);
      add(value, level + 1);
    }
    new_line(level);
    out_.add("}");
  }

  Rendering& rendering_;
  const JsonStyle& style_;
  TextBuilder out_;
};

using Json = nlohmann::ordered_json;

// Turns JSON into values; the path is that of the value, its parts joined by '.'.
class JsonReader {
 public:
  JsonReader(Rendering& rendering, const std::vector<std::string>& trusted)
      : rendering_(rendering), trusted_(trusted) {}

  Value read(const Json& json, const std::string& path) {
    const Nesting nesting(rendering_);
    switch (json.type()) {
      case Json::value_t::boolean:
        return json.get<bool>();
      case Json::value_t::number_integer:
        return json.get<std::int64_t>();
      case Json::value_t::number_unsigned:
        return unsigned_integer(json, path);
      case Json::value_t::number_float:
        return json.get<double>();
      case Json::value_t::string:
        return text(json.get_ref<const std::string&>(), path);
      case Json::value_t::array: {
        std::vector<Value> items;
        items.reserve(json.size());
        for (const Json& item : json) items.push_back(read(item, path + ".*"));
        return make_list(rendering_, std::move(items));
      }
      case Json::value_t::object: {
        DictBuilder dict(rendering_);
        for (const auto& [key, value] : json.items()) {
          check_text(key, path);
          dict.set(key, read(value, path.empty() ? key : path + "." + key));
        }
        return dict.take();
      }
      default:
        return {};
    }
  }

 private:
  Value unsigned_integer(const Json& json, const std::string& path) {
    const auto number = json.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      rendering_.fail("variable '{}': {} does not fit into 64 bits", path, number);
    }
    return static_cast<std::int64_t>(number);
  }

  void check_text(const std::string& bytes, const std::string& path) {
    if (utf8::valid_prefix(bytes) != bytes.size()) {
      rendering_.fail("variable '{}': the text is not valid UTF-8", path);
    }
  }

  Value text(const std::string& bytes, const std::string& path) {
    check_text(bytes, path);
    const bool trusted = std::find(trusted_.begin(), trusted_.end(), path) != trusted_.end();
    return make_text(rendering_, Text(bytes, trusted ? from_template : from_variable));
  }

  Rendering& rendering_;
  const std::vector<std::string>& trusted_;
};

}  // namespace

Text to_json(Rendering& rendering, const Value& value, const JsonStyle& style) {
  return JsonWriter(rendering, style).write(value);
}

Value from_json(Rendering& rendering, const Json& json, const std::vector<std::string>& trusted) {
  return JsonReader(rendering, trusted).read(json, "");
}

}  // namespace fathom::jinja
