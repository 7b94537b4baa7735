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
//   two or more characters come of it, or it holds a C1 control;
//   it begins with Â or Ã, and no capital letter is before it ("NÃO" is Portuguese);
//   it begins with another capital, and a small letter of ASCII is beside it ("byÅ‚o");
//   it begins with a small letter, and its other characters are not all marks that may end a
//   quotation or sentence ("é»…"), or they are â€, â‚ or â„ with one more.
// The idea is that of ftfy (rspeer/python-ftfy), which weighs more signs. `repairs` grows by the
// number of runs.
std::string repair_mojibake(std::string_view text, std::int64_t& repairs);

}  // namespace fathom
