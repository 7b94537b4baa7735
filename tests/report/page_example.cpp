// Writes a page with every kind of part, for browser_test.py and for looking at:
//     page_example OUTPUT.html
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/error.h"
#include "report/page.h"

namespace fathom {
namespace {

constexpr auto linear = Axis::Scale::linear, logarithmic = Axis::Scale::logarithmic;

// A loss of 20,000 steps with a spike and a gap, and its validation.
Chart loss_chart() {
  Series training, validation;
  training.name = "training";
  validation.name = "validation";
  for (int step = 1; step <= 20'000; ++step) {
    const double loss = 8 * std::pow(step, -0.2) + 1 + 0.1 * std::sin(step * 1.7);
    training.x.push_back(step);
    training.y.push_back(step == 8123 ? 9 : loss);
    if (step >= 12'000 && step < 12'500) {
      training.y.back() = std::numeric_limits<double>::quiet_NaN();
    }
    if (step % 1000 != 0) continue;
    validation.x.push_back(step);
    validation.y.push_back(loss + 0.15);
  }
  return {"Loss", {"step", "", linear}, {"loss", "nats per token", linear}, {training, validation}};
}

// Losses of models over their compute, two at each, and a power law with its band.
Chart law_chart() {
  Series models, fit;
  models.name = "models";
  models.mark = Series::Mark::points;
  fit.name = "fit";
  for (int i = 0; i <= 16; ++i) {
    const double flops = std::pow(10, 16 + 0.3 * i), loss = 90 * std::pow(flops, -0.08);
    fit.x.push_back(flops);
    fit.y.push_back(loss);
    fit.low.push_back(loss * 0.97);
    fit.high.push_back(loss * 1.03);
    if (i % 2 != 0) continue;
    for (const double off : {0.985, 1.02}) {
      models.x.push_back(flops);
      models.y.push_back(loss * off);
    }
  }
  return {"Scaling law",
          {"compute", "FLOPs", logarithmic},
          {"loss", "nats per byte", logarithmic},
          {models, fit}};
}

// Two budgets: points with bars, and a parabola through each, which has no name of its own.
Chart parabola_chart() {
  Chart chart{"Budgets",
              {"model scale", "FLOPs a token", logarithmic},
              {"loss", "nats per token", linear},
              {}};
  for (const double best : {1e8, 3e8}) {
    Series runs, parabola;
    runs.name = best < 2e8 ? "C = 1e17" : "C = 1e18";
    runs.mark = Series::Mark::points;
    for (int i = -40; i <= 40; ++i) {
      const double u = i / 20.0, loss = (best < 2e8 ? 3.5 : 3.2) + 0.05 * u * u;
      parabola.x.push_back(best * std::exp(u));
      parabola.y.push_back(loss);
      if (i % 10 != 0) continue;
      runs.x.push_back(parabola.x.back());
      runs.y.push_back(loss + 0.01 * std::sin(i));
      runs.low.push_back(runs.y.back() - 0.02);
      runs.high.push_back(runs.y.back() + 0.02);
    }
    chart.series.push_back(runs);
    chart.series.push_back(parabola);
  }
  return chart;
}

Page example() {
  const std::string hostile = "</script><script>document.title = 'taken'</script>\u2028&amp;";
  Chart odd = loss_chart();
  odd.title = odd.x.name = odd.y.name = odd.series[0].name = hostile;
  odd.events = {{"other data", 9000}, {hostile, 9100}};
  return {"A page with every part",
          {{"", {Figures{{{"parameters", "25.1M"}, {"tokens", "1.2G"}, {"time", "3 h"}}}}},
           {"Curves", {loss_chart(), law_chart(), parabola_chart(), odd}},
           {"Tasks",
            {Paragraph{"Shares of right answers, 0-shot."},
             Table{{"task", "metric", "score"}, {{"copying", "exact", "0.75"}}}}},
           {"Samples",
            {Continuations{"Step 2000",
                           {{"Once upon a time", " there was a\n  ship"}, {hostile, hostile}},
                           Fold::open},
             Continuations{"Step 1000", {{"从前", "有一座山"}, {"The end", ""}}, Fold::closed}}},
           {"Settings", {Preformatted{"Configuration", "seed = 1\n[train]\nsteps = 20000\n"}}}}};
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: page_example OUTPUT.html\n", stderr);
    return 2;
  }
  try {
    fathom::write_page(argv[1], fathom::example());
    return 0;
  } catch (const fathom::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
