// The charts of a fit: runs, fits, their 95 % bands, and the line of the optimum.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "report/chart.h"
#include "scaling/fit.h"

namespace fathom::scaling {

struct NamedChart {
  std::string name;  // "isoflop", for a file
  Chart chart;
};

// Of one data set, as far as its fits go: the parabolas of the budgets, M_opt, D_opt and L over C,
// the surface's error, learning rate and batch over C.
std::vector<NamedChart> fit_charts(const DatasetFit& fit);

// M_opt over C of several data sets.
Chart comparison_chart(std::span<const DatasetFit> fits);

}  // namespace fathom::scaling
