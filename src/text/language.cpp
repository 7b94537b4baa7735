#include "text/language.h"

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "text/script.h"
#include "text/utf8.h"

namespace fathom {
namespace {

constexpr std::size_t max_bytes = 64 << 10;
constexpr std::string_view unknown = "unknown";

using Names = std::pair<std::string_view, std::string_view>;

std::string_view renamed(std::string_view name, std::span<const Names> names,
                         std::string_view otherwise) {
  const auto found = std::ranges::find(names, name, &Names::first);
  return found == names.end() ? otherwise : found->second;
}

// CLD2 has some codes that ISO 639 has since replaced.
std::string_view code_of(CLD2::Language language) {
  static constexpr std::array<Names, 4> replaced = {
      {{"un", unknown}, {"iw", "he"}, {"jw", "jv"}, {"mo", "ro"}}};
  const std::string_view code = CLD2::LanguageCode(language);
  return renamed(code, replaced, code);
}

// The language whose own a script is.
std::string_view language_of_script(std::string_view script) {
  static constexpr std::array<Names, 4> languages = {
      {{"Kana", "ja"}, {"Hangul", "ko"}, {"Greek", "el"}, {"Thai", "th"}}};
  return renamed(script, languages, unknown);
}

Language ask_cld2(std::string_view text) {
  CLD2::CLDHints hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
  CLD2::Language languages[3] = {};
  int percents[3] = {}, letters = 0;
  double scores[3] = {};
  bool reliable = false;
  CLD2::ExtDetectLanguageSummary(text.data(), static_cast<int>(text.size()), true, &hints,
                                 CLD2::kCLDFlagBestEffort, languages, percents, scores, nullptr,
                                 &letters, &reliable);
  const std::string_view code = code_of(languages[0]);
  return {code, reliable && code != unknown};
}

}  // namespace

Language detect_language(std::string_view text) {
  text = text.substr(0, max_bytes);
  text = text.substr(0, utf8::valid_prefix(text));
  const std::string_view script = prevailing_script(text);
  if (script == "none") return {};
  if (const auto code = language_of_script(script); code != unknown) return {code, true};
  const Language found = ask_cld2(text);
  // CLD2 takes a few characters of Chinese for Japanese, which would have Kana.
  if (script == "Han" && !found.code.starts_with("zh")) return {"zh", false};
  return found;
}

}  // namespace fathom
