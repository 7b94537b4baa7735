// When two answers of the MATH benchmark (Hendrycks et al., 2021) are the same: its authors' rules for
// texts in LaTeX, which lm-evaluation-harness has too. Nothing is computed: 0.50 and 1/2 differ.
#pragma once

#include <optional>
#include <string>

namespace fathom::eval {

// Compares the plain forms of both, or where one has none, the texts.
bool same_mathematics(const std::string& one, const std::string& other);

// A text without blanks, units, sizes of brackets, degrees, percent and dollar signs, with \frac and
// \sqrt in braces; nullopt where these rules fail, such as for \sqrt at the end.
std::optional<std::string> plain_mathematics(std::string text);

}  // namespace fathom::eval
