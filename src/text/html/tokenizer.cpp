#include "text/html/tokenizer.h"

#include <algorithm>
#include <utility>

#include "text/ascii.h"

namespace fathom::html {
namespace {

using ascii::equal_ignoring_case;

constexpr bool is_html_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Where the value of the attribute goes; null for those that nobody reads.
std::string_view* slot_of(Attributes& attributes, std::string_view name) {
  switch (name.size()) {
    case 2:
      return equal_ignoring_case(name, "id") ? &attributes.id : nullptr;
    case 4:
      if (equal_ignoring_case(name, "role")) return &attributes.role;
      return equal_ignoring_case(name, "name") ? &attributes.name : nullptr;
    case 5:
      if (equal_ignoring_case(name, "class")) return &attributes.classes;
      return equal_ignoring_case(name, "style") ? &attributes.style : nullptr;
    case 7:
      if (equal_ignoring_case(name, "content")) return &attributes.content;
      return equal_ignoring_case(name, "charset") ? &attributes.charset : nullptr;
    case 8:
      if (equal_ignoring_case(name, "itemprop")) return &attributes.itemprop;
      if (equal_ignoring_case(name, "itemtype")) return &attributes.itemtype;
      return equal_ignoring_case(name, "property") ? &attributes.property : nullptr;
    case 10:
      return equal_ignoring_case(name, "http-equiv") ? &attributes.http_equiv : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

bool Attributes::empty() const {
  return classes.empty() && id.empty() && role.empty() && itemprop.empty() && itemtype.empty() &&
         style.empty() && name.empty() && property.empty() && content.empty() && charset.empty() &&
         http_equiv.empty() && !hidden && !link;
}

Tokenizer::Tokenizer(std::string_view html, Syntax syntax)
    : html_(html), syntax_(html.starts_with("<?xml") ? Syntax::xhtml : syntax) {
  for (const std::string_view end : {"</svg>", "</SVG>"}) {
    const std::size_t found = html.rfind(end);
    if (found != std::string_view::npos) last_svg_end_ = std::max(last_svg_end_, found);
  }
}

void Tokenizer::skip_blanks() {
  while (at_ < html_.size() && is_html_blank(html_[at_])) ++at_;
}

// Whether a tag, a comment or the like begins there: any other "<" is text.
bool Tokenizer::starts_markup(std::size_t at) const {
  if (at + 1 >= html_.size()) return false;
  const char after = html_[at + 1];
  return is_letter(after) || after == '/' || after == '!' || after == '?';
}

Token Tokenizer::next() {
  if (raw_ != Tag::other) return raw_text();
  Token token;
  while (at_ < html_.size()) {
    if (html_[at_] != '<' || !starts_markup(at_)) return text();
    if (markup(token)) return token;
  }
  return token;
}

Token Tokenizer::text() {
  const std::size_t begin = at_++;
  for (;;) {
    at_ = std::min(html_.find('<', at_), html_.size());
    if (at_ == html_.size() || starts_markup(at_)) break;
    ++at_;
  }
  Token token;
  token.kind = Token::Kind::text;
  token.text = html_.substr(begin, at_ - begin);
  return token;
}

// The characters up to the close tag of the raw text, or to the end of the page.
Token Tokenizer::raw_text() {
  const Tag tag = std::exchange(raw_, Tag::other);
  const std::size_t begin = at_;
  for (;;) {
    at_ = std::min(html_.find("</", at_), html_.size());
    if (at_ == html_.size()) break;
    const std::size_t open = at_;
    at_ += 2;
    const bool closes = tag_of(tag_name()) == tag;
    at_ = closes ? open : open + 2;
    if (closes) break;
  }
  Token token;
  token.kind = Token::Kind::text;
  token.text = html_.substr(begin, at_ - begin);
  token.decode = tag == Tag::title || tag == Tag::textarea;
  return token;
}

// Reads what begins at "<"; false for what is no tag, which is skipped.
bool Tokenizer::markup(Token& token) {
  const char after = html_[at_ + 1];
  if (is_letter(after)) {
    ++at_;
    token.kind = Token::Kind::open;
  } else if (after == '/' && at_ + 2 < html_.size() && is_letter(html_[at_ + 2])) {
    at_ += 2;
    token.kind = Token::Kind::close;
  } else {
    skip_comment();
    return false;
  }
  token.name = tag_name();
  token.tag = tag_of(token.name);
  if (token.tag == Tag::br) token.kind = Token::Kind::open;  // </br>, too, as in browsers
  token.attributes = {};
  bool self_closing = false;
  while (at_ < html_.size() && html_[at_] != '>') {
    if (is_html_blank(html_[at_])) {
      ++at_;
    } else if (html_[at_] == '/') {
      ++at_;
      self_closing = at_ < html_.size() && html_[at_] == '>';
    } else {
      attribute(token.attributes);
    }
  }
  if (at_ == html_.size()) {  // a tag without an end is no tag
    token.kind = Token::Kind::end;
    return false;
  }
  ++at_;
  if (token.kind == Token::Kind::open) begin_content(token, self_closing);
  return true;
}

// Whether the element of an open tag has content, and of which kind. An <svg> is characters up to
// its end tag, for what it holds is no text; without that tag it must not swallow the page.
void Tokenizer::begin_content(Token& token, bool self_closing) {
  const bool svg = token.tag == Tag::svg, raw = is_raw_text(token.tag);
  const bool ends = self_closing && (svg || (raw && syntax_ == Syntax::xhtml));
  token.empty = is_void(token.tag) || ends || (svg && at_ > last_svg_end_);
  if (!token.empty && (svg || raw)) raw_ = token.tag;
}

// <!-- -->, <!doctype>, <?xml>, </ >: up to its end.
void Tokenizer::skip_comment() {
  constexpr std::string_view opening = "<!--", closing = "-->";
  const bool comment = html_.substr(at_, opening.size()) == opening;
  // "<!-->" is a whole comment.
  const std::size_t end = comment ? html_.find(closing, at_ + 2) : html_.find('>', at_ + 1);
  const std::size_t length = comment ? closing.size() : 1;
  at_ = end == std::string_view::npos ? html_.size() : end + length;
}

std::string_view Tokenizer::tag_name() {
  const std::size_t begin = at_;
  while (at_ < html_.size() && !is_html_blank(html_[at_]) && html_[at_] != '/' &&
         html_[at_] != '>') {
    ++at_;
  }
  return html_.substr(begin, at_ - begin);
}

// Of attributes with one name the first counts.
void Tokenizer::attribute(Attributes& attributes) {
  const std::size_t begin = at_++;
  while (at_ < html_.size() && !is_html_blank(html_[at_]) && html_[at_] != '/' &&
         html_[at_] != '>' && html_[at_] != '=') {
    ++at_;
  }
  const std::string_view name = html_.substr(begin, at_ - begin);
  const std::size_t behind = at_;
  skip_blanks();
  std::string_view found;
  if (at_ < html_.size() && html_[at_] == '=') {
    ++at_;
    skip_blanks();
    found = value();
  } else {
    at_ = behind;
  }
  if (std::string_view* slot = slot_of(attributes, name); slot && slot->empty()) *slot = found;
  if (equal_ignoring_case(name, "href")) attributes.link = !found.empty() && found.front() != '#';
  if (equal_ignoring_case(name, "hidden") && found != "until-found") attributes.hidden = true;
  if (equal_ignoring_case(name, "aria-hidden") && found == "true") attributes.hidden = true;
}

std::string_view Tokenizer::value() {
  const std::size_t begin = at_;
  if (at_ == html_.size()) return {};
  if (const char quote = html_[at_]; quote == '"' || quote == '\'') {
    at_ = std::min(html_.find(quote, begin + 1), html_.size());
    const std::string_view found = html_.substr(begin + 1, at_ - begin - 1);
    if (at_ < html_.size()) ++at_;
    return found;
  }
  while (at_ < html_.size() && !is_html_blank(html_[at_]) && html_[at_] != '>') ++at_;
  return html_.substr(begin, at_ - begin);
}

}  // namespace fathom::html
