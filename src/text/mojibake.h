// Repairs text whose UTF-8 was read as windows-1252 or Latin-1, once or twice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

// `text` is valid UTF-8, and so is the result. Looked at are the longest runs of characters beyond
// ASCII; one is repaired when all of its characters are bytes of windows-1252 (or C1 controls, the
// bytes that it lacks and those of Latin-1), these bytes as a whole are UTF-8, and the run is no
// text that somebody may have written:
//   two or more characters come of it, or it holds a C1 control (but for × and ß before one);
//   one comes of it, and it begins with
//     Â or Ã, and no capital letter is before it ("NÃO" is Portuguese); where … – — or a quote is
//       behind Ã, a small letter or a digit must be beside them, and Ã’ stays;
//     another capital but × and ß, with a small letter of ASCII beside it ("byÅ‚o"), and its other
//       character is none that may follow a word ("Ü’nün"); but › and » may be before a small
//       letter ("Å›wiat"), and † ‡ ‰ may when one is before the capital ("byÄ‡");
//     â before €, ‚, „ or ˆ; á before º or »; ã to é, ï or ð to ô; not before a space that does not
//       break, and with one character at least that is neither a mark or quote which may follow a
//       word nor a letter of windows-1252 ("é»…", "též“" and "café–šunka" stay).
// Right text may still be taken for misread: it would have to hold such a run. The idea is that of
// ftfy (rspeer/python-ftfy), which weighs more signs. `repairs` grows by the number of runs.
std::string repair_mojibake(std::string_view text, std::int64_t& repairs);

}  // namespace fathom
