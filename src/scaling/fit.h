// What `fathom scaling fit` computes: all laws that the results of a study carry, for each of its
// data sets.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scaling/bootstrap.h"
#include "scaling/grid_fit.h"
#include "scaling/isoflop.h"
#include "scaling/laws.h"
#include "scaling/results.h"
#include "scaling/surface_fit.h"

namespace fathom::scaling {

enum class LossUnit { nats_per_token, bits_per_byte };
inline std::span<const std::string_view> enum_names(LossUnit) {
  static constexpr std::string_view names[] = {"nats per token", "bits per byte"};
  return names;
}

struct FitOptions {
  LossUnit unit = LossUnit::nats_per_token;
  double budget_tolerance = 0.05;  // see fit_isoflop()
  double least_compute = 0;        // FLOPs; runs of smaller budgets are left out
  BootstrapOptions bootstrap;
};

// Data that was read more than so many times teaches less than fresh data (arXiv 2305.16264): such
// runs are left out.
inline constexpr double most_epochs = 4;

// Losses that scatter more than this about the parabolas of their budgets, as a share, do not
// follow a smooth law. Runs of one setup that differ in their seed scatter by some 0.2 %.
inline constexpr double most_scatter = 0.01;

struct DatasetFit {
  std::string dataset;
  LossUnit unit = LossUnit::nats_per_token;
  std::size_t runs = 0;  // in the results
  std::size_t fitted_runs =
      0;  // of them, those that did not diverge and repeated no data too often
  Isoflop isoflop;
  GridFits grids;
  std::optional<SurfaceFit> surface;
  std::vector<std::string> warnings;  // what is left out, and why

  Laws laws() const;
};

// One fit for each data set, in the order of the results. Of runs that differ in rate or batch
// alone the best setting counts for the IsoFLOP analysis and for the surface. Throws an input Error
// for a data set that carries no law at all, with the reasons, and for a run without the wanted
// loss.
std::vector<DatasetFit> fit_results(const Results& results, const FitOptions& options);

}  // namespace fathom::scaling
