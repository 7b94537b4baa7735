#include "data/remix.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fathom {
namespace {

// Less than a token is what rounding left of a source that was read up to its cap.
double cap_of(const RemixSource& source, const RemixOptions& options) {
  const double epochs = source.max_epochs > 0 ? source.max_epochs : options.max_epochs;
  const double left = epochs * source.tokens - source.read;
  return left < 1 ? 0 : left;
}

void check(const std::vector<RemixSource>& sources, const RemixOptions& options) {
  if (!(options.budget > 0)) fail_input("tokens: {} is not above 0", options.budget);
  if (!(options.temperature > 0)) fail_input("temperature: {} is not above 0", options.temperature);
  if (!(options.max_epochs > 0)) fail_input("max-epochs: {} is not above 0", options.max_epochs);
  double available = 0;
  for (const RemixSource& source : sources) {
    if (!(source.tokens > 0)) fail_input("source '{}': has no tokens", source.name);
    if (!(source.weight >= 0) || !std::isfinite(source.weight)) {
      fail_input("source '{}': weight {} must be 0 or more", source.name, source.weight);
    }
    if (!(source.max_epochs >= 0)) {
      fail_input("source '{}': cap {} is not above 0", source.name, source.max_epochs);
    }
    if (source.weight > 0) available += cap_of(source, options);
  }
  if (available < options.budget) {
    fail_input(
        "tokens: {:.4g} are more than the {:.4g} that the sources give at their most epochs; raise "
        "max-epochs, or add data",
        options.budget, available);
  }
}

// What the sources that are not capped want, in proportion. Sizes count relative to the largest of
// them, so that no temperature overflows, or leaves nothing to all.
std::vector<double> wants_of(const std::vector<RemixSource>& sources,
                             const std::vector<RemixShare>& shares, double temperature) {
  double largest = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!shares[i].capped && sources[i].weight > 0) largest = std::max(largest, sources[i].tokens);
  }
  std::vector<double> wants(sources.size(), 0);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (shares[i].capped || !(sources[i].weight > 0)) continue;
    wants[i] = sources[i].weight * std::pow(sources[i].tokens / largest, 1 / temperature);
  }
  return wants;
}

}  // namespace

std::vector<RemixShare> remix(const std::vector<RemixSource>& sources,
                              const RemixOptions& options) {
  check(sources, options);
  std::vector<RemixShare> shares;
  for (const RemixSource& source : sources) shares.push_back({source.name, 0, 0, 0, false});
  // Each round caps at least one source more, or ends.
  for (bool again = true; again;) {
    again = false;
    const std::vector<double> wants = wants_of(sources, shares, options.temperature);
    double left = options.budget, wanted = 0;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      shares[i].capped ? left -= cap_of(sources[i], options) : wanted += wants[i];
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const double cap = cap_of(sources[i], options);
      if (shares[i].capped) continue;
      shares[i].tokens = wanted > 0 ? left * wants[i] / wanted : 0;
      // Rounding must not cap what exactly reaches its cap after others were.
      if (shares[i].tokens <= cap * (1 + 1e-12)) continue;
      shares[i].tokens = cap;
      shares[i].capped = again = true;
    }
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    shares[i].share = shares[i].tokens / options.budget;
    shares[i].epochs = shares[i].tokens / sources[i].tokens;
  }
  return shares;
}

std::vector<std::vector<RemixShare>> remix_phases(std::vector<RemixSource> sources,
                                                  const std::vector<RemixPhase>& phases,
                                                  const RemixOptions& options) {
  std::vector<std::vector<RemixShare>> all;
  double begin = 0;
  for (std::size_t i = 0; i <= phases.size(); ++i) {
    const double end = i < phases.size() ? phases[i].begin : 1;
    if (!(end > begin && end <= 1) || (end == 1 && i < phases.size())) {
      fail_input("the phase from {} on: phases begin at ascending shares between 0 and 1", end);
    }
    RemixOptions part = options;
    part.budget = options.budget * (end - begin);
    try {
      all.push_back(remix(sources, part));
    } catch (const Error& error) {
      if (i == 0) throw;
      fail_input("the phase from {} on: {}", begin, error.what());
    }
    for (std::size_t s = 0; s < sources.size(); ++s) {
      sources[s].read += all.back()[s].tokens;
      if (i < phases.size()) sources[s].weight = phases[i].weights[s];
    }
    begin = end;
  }
  return all;
}

}  // namespace fathom
