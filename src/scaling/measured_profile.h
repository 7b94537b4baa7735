// A card's profile from what `fathom bench gpu` has measured on it.
#pragma once

#include <string>

#include "measure/report.h"
#include "scaling/card_profile.h"

namespace fathom::scaling {

// Products, attention and what memory bounds at their rates in the step. A single GPU says nothing
// of links, nor of products of other sizes: `like` gives the links, and products of other sizes
// follow the law of the step's own. Throws an input Error for a result without operations.
CardProfile measured_profile(const measure::BenchResult& result, const CardProfile& like);

// As TOML, with a word on where it is from.
std::string profile_text(CardProfile profile, const std::string& like);

}  // namespace fathom::scaling
