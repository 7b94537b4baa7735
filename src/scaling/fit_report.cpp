#include "scaling/fit_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/enum_names.h"
#include "scaling/compare_data.h"
#include "scaling/laws_file.h"

namespace fathom::scaling {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

std::string range_text(const std::optional<Interval>& interval, int digits) {
  return interval ? fmt::format("{} to {}", short_number(interval->low, digits),
                                short_number(interval->high, digits))
                  : "";
}

Table budget_table(const Isoflop& isoflop) {
  Table table{{"budget C", "runs", "M_opt (95 %)", "D_opt (95 %)", "lowest loss (95 %)", "used"},
              {}};
  for (const Budget& budget : isoflop.budgets) {
    const bool fitted = budget.problem.empty();  // beyond the grid a parabola says nothing
    const auto figure = [&](const Parameter& parameter, int digits) {
      return fitted ? figure_text(parameter, digits) : "";
    };
    table.rows.push_back({short_number(budget.compute, 3), std::to_string(budget.points.size()),
                          figure(budget.model_flops, 3), figure(budget.tokens, 3),
                          figure(budget.loss, 5),
                          budget.problem.empty() ? "yes" : "no: " + budget.problem});
  }
  return table;
}

Table grid_table(const GridFits& fits) {
  Table table{{"model M", "tokens D", "budget C", "runs", "near-optimal rates",
               "near-optimal batches", "best rate (95 %)", "best batch (95 %)", "used"},
              {}};
  for (const Grid& grid : fits.grids) {
    const auto figure = [](const std::optional<Parameter>& parameter) {
      return parameter ? figure_text(*parameter, 3) : "";
    };
    table.rows.push_back({short_number(grid.model_flops, 3), short_number(grid.tokens, 3),
                          short_number(grid.compute, 3), std::to_string(grid.points.size()),
                          range_text(grid.rate_band ? grid.rate_band : grid.near_rates, 3),
                          range_text(grid.batch_band ? grid.batch_band : grid.near_batches, 3),
                          figure(grid.learning_rate), figure(grid.batch_tokens),
                          grid.problem.empty() ? "yes" : "no: " + grid.problem});
  }
  return table;
}

void add_power_law(Table& table, const char* what, const std::optional<PowerLaw>& law) {
  if (!law) return;
  table.rows.push_back({what, power_law_text(*law), range_text(law->coefficient.interval, 4),
                        range_text(law->exponent.interval, 4)});
}

Table law_table(const DatasetFit& fit) {
  Table table{{"law of the budget C", "fit", "coefficient, 95 %", "exponent, 95 %"}, {}};
  add_power_law(table, "M_opt, FLOPs a token", fit.isoflop.model_flops);
  add_power_law(table, "D_opt, tokens", fit.isoflop.tokens);
  add_power_law(table, "learning rate", fit.grids.learning_rate);
  add_power_law(table, "batch, tokens", fit.grids.batch_tokens);
  if (const auto& loss = fit.isoflop.loss) {
    table.rows.push_back({"L at the optimum", loss_curve_text(*loss),
                          range_text(loss->coefficient.interval, 4),
                          range_text(loss->exponent.interval, 4)});
  }
  return table;
}

// The exponent of M_opt(C) that follows from a surface: b / (a + b).
Parameter surface_exponent(const LossSurface& surface) {
  const auto of = [](double a, double b) { return b / (a + b); };
  Parameter out{of(surface.model_exponent.value, surface.data_exponent.value), {}};
  std::vector<double> values;
  for (const auto& draw : surface.record.draws) values.push_back(of(draw[2], draw[4]));
  if (!values.empty()) out.interval = middle_95(std::move(values));
  return out;
}

Table surface_table(const DatasetFit& fit) {
  Table table{{"L(M, D) = E + A / M^a + B / D^b", "fit", "95 %"}, {}};
  if (!fit.surface) return table;
  const LossSurface& s = fit.surface->surface;
  const Parameter exponent = surface_exponent(s);
  for (const auto& [name, parameter] :
       {std::pair<const char*, const Parameter*>{"E", &s.irreducible},
        {"A", &s.model_coefficient},
        {"a", &s.model_exponent},
        {"B", &s.data_coefficient},
        {"b", &s.data_exponent},
        {"exponent of M_opt, b / (a + b)", &exponent}}) {
    table.rows.push_back(
        {name, short_number(parameter->value, 4), range_text(parameter->interval, 4)});
  }
  return table;
}

std::string heading(const DatasetFit& fit) {
  return fmt::format("{}{} of {} runs, loss in {}", fit.dataset.empty() ? "" : fit.dataset + ": ",
                     fit.fitted_runs, fit.runs, enum_name(fit.unit));
}

// Columns as wide as their widest cell.
std::string table_text(const Table& table) {
  std::vector<std::size_t> widths(table.header.size(), 0);
  const auto measure = [&](const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  };
  measure(table.header);
  for (const Row& row : table.rows) measure(row);
  const auto line = [&](const Row& row) {
    std::string out;
    for (std::size_t i = 0; i < row.size(); ++i) out += fmt::format("{:<{}}  ", row[i], widths[i]);
    return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  };
  std::string out = line(table.header);
  for (const Row& row : table.rows) out += line(row);
  return out;
}

Json json_of(const Parameter& parameter) {
  Json json = {{"value", parameter.value}};
  if (const auto& interval = parameter.interval) json["interval"] = {interval->low, interval->high};
  return json;
}

Json json_of(const Interval& interval) {
  return {interval.low, interval.high};
}

template <class T>
void add(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = json_of(*value);
}

Json json_of(const Budget& budget) {
  Json json = {{"compute", budget.compute}, {"runs", budget.points.size()}};
  if (budget.problem.empty()) {
    json["model_flops"] = json_of(budget.model_flops);
    json["tokens"] = json_of(budget.tokens);
    json["loss"] = json_of(budget.loss);
  }
  json["used"] = budget.problem.empty();
  if (!budget.problem.empty()) json["problem"] = budget.problem;
  return json;
}

Json json_of(const Grid& grid) {
  Json json = {{"model_flops", grid.model_flops},
               {"tokens", grid.tokens},
               {"compute", grid.compute},
               {"runs", grid.points.size()},
               {"near_optimal_runs", grid.near_runs},
               {"near_optimal_learning_rates", json_of(grid.near_rates)},
               {"near_optimal_batches", json_of(grid.near_batches)}};
  add(json, "learning_rate", grid.learning_rate);
  add(json, "batch_tokens", grid.batch_tokens);
  add(json, "learning_rate_band", grid.rate_band);
  add(json, "batch_band", grid.batch_band);
  json["used"] = grid.problem.empty();
  if (!grid.problem.empty()) json["problem"] = grid.problem;
  return json;
}

// As the laws file, without the records of the fits.
Json laws_json(Laws laws) {
  const auto forget = [](auto& law) {
    if (law) law->record = {};
  };
  forget(laws.learning_rate);
  forget(laws.batch_tokens);
  forget(laws.model_flops);
  forget(laws.tokens);
  forget(laws.loss);
  forget(laws.loss_surface);
  return Json::parse(laws_text(laws));
}

Json json_of(const DatasetFit& fit) {
  Json json = {{"dataset", fit.dataset},         {"runs", fit.runs},
               {"fitted_runs", fit.fitted_runs}, {"loss_unit", enum_name(fit.unit)},
               {"budgets", Json::array()},       {"grids", Json::array()}};
  for (const Budget& budget : fit.isoflop.budgets) json["budgets"].push_back(json_of(budget));
  for (const Grid& grid : fit.grids.grids) json["grids"].push_back(json_of(grid));
  json["laws"] = laws_json(fit.laws());
  if (fit.surface) {
    json["surface_model_exponent"] = json_of(surface_exponent(fit.surface->surface));
    json["surface_noise"] = fit.surface->noise;
  }
  json["isoflop_noise"] = fit.isoflop.noise;
  json["warnings"] = fit.warnings;
  return json;
}

}  // namespace

std::string power_law_text(const PowerLaw& law) {
  return fmt::format("{} C^{:.4f}", short_number(law.coefficient.value, 4), law.exponent.value);
}

std::string loss_curve_text(const LossCurve& law) {
  return fmt::format("{} + {} C^{:.4f}", short_number(law.irreducible.value, 4),
                     short_number(law.coefficient.value, 4), law.exponent.value);
}

std::string figure_text(const Parameter& parameter, int digits) {
  const std::string value = short_number(parameter.value, digits);
  return parameter.interval ? fmt::format("{} ({})", value, range_text(parameter.interval, digits))
                            : value;
}

std::vector<std::pair<std::string, Table>> fit_tables(const DatasetFit& fit) {
  std::vector<std::pair<std::string, Table>> tables{{"Budgets", budget_table(fit.isoflop)},
                                                    {"Grids", grid_table(fit.grids)},
                                                    {"Laws", law_table(fit)},
                                                    {"Surface", surface_table(fit)}};
  std::erase_if(tables, [](const auto& table) { return table.second.rows.empty(); });
  return tables;
}

std::string to_text(std::span<const DatasetFit> fits) {
  std::string text;
  for (const DatasetFit& fit : fits) {
    text += (text.empty() ? "" : "\n") + heading(fit) + "\n";
    for (const auto& [title, table] : fit_tables(fit)) text += "\n" + table_text(table);
  }
  for (const DataComparison& comparison : compare_data(fits)) {
    text += "\n" + finding(comparison) + "\n";
  }
  return text;
}

Json to_json(std::span<const DatasetFit> fits) {
  Json json = {{"datasets", Json::array()}, {"comparisons", Json::array()}};
  for (const DatasetFit& fit : fits) json["datasets"].push_back(json_of(fit));
  for (const DataComparison& c : compare_data(fits)) {
    json["comparisons"].push_back({{"larger", c.larger},
                                   {"smaller", c.smaller},
                                   {"difference", c.difference},
                                   {"interval", json_of(c.interval)},
                                   {"certain", c.certain()}});
  }
  return json;
}

std::string to_text(const Prediction& p) {
  std::string text = fmt::format(
      "M       {} FLOPs a token\nD       {} tokens\nC       {} FLOPs\n", short_number(p.model_flops, 4),
      short_number(p.tokens, 4), short_number(p.model_flops * p.tokens, 4));
  const auto add = [&](const std::optional<Parameter>& loss, std::string_view by) {
    if (!loss) return;
    text += fmt::format("loss    {} {} by the {}{}\n", figure_text(*loss, 5), p.loss_unit, by,
                        loss->interval ? " (95 % interval of the law)" : "");
  };
  add(p.by_curve, "curve of the best runs");
  add(p.by_surface, "surface of all runs");
  if (p.beyond)
    text += fmt::format("reach   {} times the largest fitted run\n", short_number(*p.beyond, 3));
  return text + fmt::format("laws    {}\n", p.laws);
}

Json to_json(const Prediction& p) {
  Json json = {{"model_flops", p.model_flops},
               {"tokens", p.tokens},
               {"compute", p.model_flops * p.tokens},
               {"loss_unit", p.loss_unit},
               {"laws", p.laws}};
  if (p.by_curve) json["loss_by_curve"] = json_of(*p.by_curve);
  if (p.by_surface) json["loss_by_surface"] = json_of(*p.by_surface);
  if (p.beyond) json["times_largest_fitted_run"] = *p.beyond;
  return json;
}

}  // namespace fathom::scaling
