// What `fathom scaling fit` and `predict` print: tables for people, and the same as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "report/page.h"
#include "scaling/fit.h"
#include "scaling/predict.h"

namespace fathom::scaling {

// The tables of a fit, with their titles; empty ones are left out.
std::vector<std::pair<std::string, Table>> fit_tables(const DatasetFit& fit);

std::string to_text(std::span<const DatasetFit> fits);
nlohmann::ordered_json to_json(std::span<const DatasetFit> fits);

// "0.1715 C^0.5243", "1.69 + 410 C^-0.15".
std::string power_law_text(const PowerLaw& law);
std::string loss_curve_text(const LossCurve& law);
// "0.524", with the interval "0.524 (0.512 to 0.537)"; in `digits` significant digits.
std::string figure_text(const Parameter& parameter, int digits);

// `fathom scaling predict`.
std::string to_text(const Prediction& prediction);
nlohmann::ordered_json to_json(const Prediction& prediction);

}  // namespace fathom::scaling
