// How often the intervals of `fathom scaling fit` hold the truth: studies are drawn from known laws
// with noise, each is fitted, and the 95 % intervals that hold the law's own parameter are counted.
//
//     scaling_recovery [studies] [draws of the bootstrap] [noise, in %] [first seed]
//
// Defaults: 100, 400, 0.2, 1. A study's seed is the first one and its number. Whoever changes the
// fits looks at seeds from 1 on, and reports others. The exit code is 1 when a parameter is held in
// fewer than 93 %.
#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "scaling/fit.h"
#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

class Counter {
 public:
  explicit Counter(std::string name, double truth) : name_(std::move(name)), truth_(truth) {}

  void add(const Parameter& parameter) { add(parameter.value, parameter.interval.value()); }
  void add(double value, const Interval& interval) {
    ++studies_;
    sum_ += value;
    held_ += interval.low <= truth_ && truth_ <= interval.high ? 1 : 0;
    width_ += interval.high - interval.low;
  }

  // Whether enough of the intervals hold the truth.
  bool report() const {
    fmt::print("{:<44}{:>10.4f}{:>10.4f}{:>10.4f}{:>6} of {}\n", name_, truth_, sum_ / studies_,
               width_ / studies_, held_, studies_);
    return held_ >= 0.93 * studies_;
  }

 private:
  std::string name_;
  double truth_;
  double sum_ = 0, width_ = 0;
  int held_ = 0, studies_ = 0;
};

DatasetFit fit_of(std::vector<RunResult> runs, const FitOptions& options) {
  return fit_results({std::move(runs), {}}, options).at(0);
}

int run(int studies, const FitOptions& options, double noise, std::uint64_t first_seed) {
  constexpr double far = 1e20;  // ten times the largest budget
  const synthetic::Chinchilla chinchilla;
  const synthetic::DeepSeek deepseek;
  Counter chinchilla_model("Chinchilla, IsoFLOP: exponent of M_opt", chinchilla.model_exponent());
  Counter surface_model("Chinchilla, surface: a", chinchilla.alpha);
  Counter surface_data("Chinchilla, surface: b", chinchilla.beta);
  const double best = chinchilla.best_model(far);
  const double chinchilla_loss = chinchilla.loss(best, far / best);
  Counter curve_exponent("Chinchilla, IsoFLOP: exponent of L(C)", chinchilla.loss_exponent());
  Counter curve_loss("Chinchilla, IsoFLOP: L(1e20)", chinchilla_loss);
  Counter surface_loss("Chinchilla, surface: L(M_opt, D_opt) at 1e20", chinchilla_loss);
  Counter deepseek_loss("DeepSeek, IsoFLOP: L(1e20)", deepseek.best_loss(far));
  Counter deepseek_model("DeepSeek, IsoFLOP: exponent of M_opt", deepseek.model_exponent);
  Counter deepseek_data("DeepSeek, IsoFLOP: exponent of D_opt", 1 - deepseek.model_exponent);
  Counter rate("DeepSeek, grids: exponent of the rate", deepseek.rate_exponent);
  Counter batch("DeepSeek, grids: exponent of the batch", deepseek.batch_exponent);
  for (int i = 0; i < studies; ++i) {
    synthetic::Study study;
    study.seed = first_seed + static_cast<std::uint64_t>(i);
    study.noise = noise;
    const DatasetFit one = fit_of(isoflop_runs(chinchilla, study), options);
    chinchilla_model.add(one.isoflop.model_flops.value().exponent);
    surface_model.add(one.surface.value().surface.model_exponent);
    surface_data.add(one.surface->surface.data_exponent);
    const LossCurve& curve = one.isoflop.loss.value();
    curve_exponent.add(curve.exponent);
    curve_loss.add(curve.at(far), curve.interval_at(far).value());
    const LossSurface& surface = one.surface->surface;
    surface_loss.add(surface.at(best, far / best), surface.interval_at(best, far / best).value());
    const DatasetFit two = fit_of(isoflop_runs(deepseek, study), options);
    deepseek_model.add(two.isoflop.model_flops.value().exponent);
    deepseek_data.add(two.isoflop.tokens.value().exponent);
    deepseek_loss.add(two.isoflop.loss.value().at(far), two.isoflop.loss->interval_at(far).value());
    const DatasetFit three = fit_of(grid_runs(deepseek, study), options);
    rate.add(three.grids.learning_rate.value().exponent);
    batch.add(three.grids.batch_tokens.value().exponent);
  }
  fmt::print("{} studies from seed {}, {} draws, noise {:.2g} %\n", studies, first_seed,
             options.bootstrap.draws, 100 * noise);
  fmt::print("{:<44}{:>10}{:>10}{:>10}  held by the interval\n", "", "truth", "mean", "width");
  bool enough = true;
  for (const Counter* counter :
       {&chinchilla_model, &curve_exponent, &curve_loss, &surface_model, &surface_data,
        &surface_loss, &deepseek_model, &deepseek_data, &deepseek_loss, &rate, &batch}) {
    enough = counter->report() && enough;
  }
  return enough ? 0 : 1;
}

}  // namespace
}  // namespace fathom::scaling

int main(int argc, char** argv) {
  fathom::scaling::FitOptions options;
  options.bootstrap.draws = argc > 2 ? std::atoi(argv[2]) : 400;
  return fathom::scaling::run(argc > 1 ? std::atoi(argv[1]) : 100, options,
                              argc > 3 ? std::atof(argv[3]) / 100 : 0.002,
                              argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 1);
}
