// Debian's Ceres is compiled without AVX, and its Eigen then aligns memory to 16 bytes. Inline
// functions of both are merged when they are linked, so ours must not align to 32.
#define EIGEN_MAX_ALIGN_BYTES 16

#include "scaling/robust_fit.h"

#include <ceres/ceres.h>

#include <limits>

namespace fathom::scaling {
namespace {

// One observation, as Ceres asks for it.
class Observation : public ceres::CostFunction {
 public:
  Observation(const Residual& residual, std::size_t index, std::size_t parameters)
      : residual_(residual), index_(index), gradient_(parameters) {
    set_num_residuals(1);
    mutable_parameter_block_sizes()->push_back(static_cast<int>(parameters));
  }

  bool Evaluate(const double* const* parameters, double* residuals,
                double** jacobians) const override {
    const std::span<const double> at(parameters[0], gradient_.size());
    const bool wanted = jacobians != nullptr && jacobians[0] != nullptr;
    residuals[0] = residual_(
        index_, at, wanted ? std::span<double>(jacobians[0], at.size()) : std::span(gradient_));
    return true;
  }

 private:
  const Residual& residual_;
  std::size_t index_;
  mutable std::vector<double> gradient_;  // of calls that ask for the residual alone
};

ceres::Solver::Options solver_options() {
  ceres::Solver::Options options;
  options.linear_solver_type = ceres::DENSE_QR;
  options.logging_type = ceres::SILENT;
  options.max_num_iterations = 300;
  options.function_tolerance = 1e-12;
  options.gradient_tolerance = 1e-14;
  options.parameter_tolerance = 1e-11;
  return options;
}

}  // namespace

RobustFit robust_fit(std::size_t observations, const Residual& residual, double delta,
                     std::vector<double> start) {
  RobustFit fit{std::move(start), 0};
  ceres::HuberLoss huber(delta);
  ceres::Problem::Options problem_options;
  problem_options.loss_function_ownership = ceres::DO_NOT_TAKE_OWNERSHIP;
  ceres::Problem problem(problem_options);
  for (std::size_t i = 0; i < observations; ++i) {
    problem.AddResidualBlock(new Observation(residual, i, fit.parameters.size()), &huber,
                             fit.parameters.data());
  }
  static const ceres::Solver::Options options = solver_options();
  ceres::Solver::Summary summary;
  ceres::Solve(options, &problem, &summary);
  fit.cost =
      summary.IsSolutionUsable() ? summary.final_cost : std::numeric_limits<double>::infinity();
  return fit;
}

}  // namespace fathom::scaling
