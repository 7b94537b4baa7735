// The bijection between bytes and printable characters that byte-level
// vocabularies are spelled in: bytes of printable Latin-1 map to themselves, the
// other 68 to U+0100 onwards, in order (the space becomes "Ġ", U+0120).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::tokenizer {

// The character for each byte.
const std::array<char32_t, 256>& byte_to_char();
// The byte for a character; -1 when there is none.
int char_to_byte(char32_t c);

// `bytes` spelled in characters, appended to `out`.
void append_byte_level(std::string& out, std::string_view bytes);
// The bytes that valid UTF-8 `token` spells; nullopt when one of its characters
// is not in the bijection.
std::optional<std::string> from_byte_level(std::string_view token);

// The byte of a byte-fallback token such as "<0x0A>"; nullopt for other tokens.
std::optional<unsigned char> byte_of_fallback(std::string_view token);

// The pattern that GPT-2 splits text with, in Oniguruma syntax.
inline constexpr const char* gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace fathom::tokenizer
