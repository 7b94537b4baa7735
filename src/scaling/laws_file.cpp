#include "scaling/laws_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/config.h"
#include "io/atomic_file.h"
#include "io/json_object.h"

namespace fathom::scaling {
namespace {

constexpr std::int64_t version = 1;

// The parameters of a law, in the order of its draws.
template <class Law, class Visitor>
void visit_parameters(Law& law, Visitor&& parameter) {
  if constexpr (requires { law.irreducible; }) parameter("irreducible", law.irreducible);
  if constexpr (requires { law.model_exponent; }) {
    parameter("model_coefficient", law.model_coefficient);
    parameter("model_exponent", law.model_exponent);
    parameter("data_coefficient", law.data_coefficient);
    parameter("data_exponent", law.data_exponent);
  } else {
    parameter("coefficient", law.coefficient);
    parameter("exponent", law.exponent);
  }
}

template <class AnyLaws, class Visitor>
void visit_laws(AnyLaws& laws, Visitor&& law) {
  law("learning_rate", laws.learning_rate);
  law("batch_tokens", laws.batch_tokens);
  law("model_flops", laws.model_flops);
  law("tokens", laws.tokens);
  law("loss", laws.loss);
  law("loss_surface", laws.loss_surface);
}

void refuse_unknown_keys(const JsonValue& object, const std::vector<std::string>& known) {
  for (const std::string& key : object.keys()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const std::string guess = nearest(key, known);
    object.at(key).refuse("is no key of a laws file; " +
                          (guess.empty() ? fmt::format("known here: {}", fmt::join(known, ", "))
                                         : fmt::format("did you mean '{}'?", guess)));
  }
}

template <std::size_t N>
std::array<double, N> read_numbers(const JsonValue& value) {
  const std::vector<JsonValue> items = value.items();
  if (items.size() != N) value.refuse(fmt::format("has {} numbers, not {}", items.size(), N));
  std::array<double, N> numbers;
  for (std::size_t i = 0; i < N; ++i) numbers[i] = items[i].number();
  return numbers;
}

template <std::size_t N>
void read_rows(const JsonValue& law, const char* key, std::vector<std::array<double, N>>& rows) {
  const auto value = law.find(key);
  if (!value) return;
  for (const JsonValue& row : value->items()) rows.push_back(read_numbers<N>(row));
}

void read_parameter(const JsonValue& law, const std::string& key, Parameter& parameter) {
  const JsonValue value = law.at(key);
  parameter.value = value.number();
  if (key.ends_with("coefficient") && parameter.value <= 0) {
    value.refuse(fmt::format("is {}, not a positive number", parameter.value));
  }
  const auto interval = law.find(key + "_interval");
  if (!interval) return;
  const auto [low, high] = read_numbers<2>(*interval);
  if (low > high) interval->refuse("does not begin with its lower end");
  parameter.interval = Interval{low, high};
}

template <class Law>
void read_law(const JsonValue& value, Law& law) {
  std::vector<std::string> known{"points", "draws"};
  visit_parameters(law, [&](const std::string& key, Parameter&) {
    known.push_back(key);
    known.push_back(key + "_interval");
  });
  refuse_unknown_keys(value, known);
  visit_parameters(law, [&](const std::string& key, Parameter& parameter) {
    read_parameter(value, key, parameter);
  });
  read_rows(value, "points", law.record.points);
  read_rows(value, "draws", law.record.draws);
}

// Fields of an object at one depth of the file, each on a line of its own.
class Fields {
 public:
  explicit Fields(std::size_t depth) : indent_(2 * depth, ' ') {}

  void add(const std::string& key, const std::string& json) {
    text_ += fmt::format("{}\n{}{}: {}", text_.empty() ? "" : ",", indent_, json_quoted(key), json);
  }
  void add(const std::string& key, double number) {
    require(std::isfinite(number), "the law's '{}' is {}", key, number);
    add(key, nlohmann::json(number).dump());
  }
  template <std::size_t N>
  void add(const std::string& key, const std::vector<std::array<double, N>>& rows) {
    for (const auto& row : rows) {
      for (const double number : row) {
        require(std::isfinite(number), "the law's '{}' hold {}", key, number);
      }
    }
    if (!rows.empty()) add(key, nlohmann::json(rows).dump());
  }
  std::string object() const { return fmt::format("{{{}\n{}}}", text_, indent_.substr(2)); }

 private:
  std::string indent_, text_;
};

template <class Law>
std::string law_text(const Law& law) {
  Fields fields(2);
  visit_parameters(law, [&](const std::string& key, const Parameter& parameter) {
    fields.add(key, parameter.value);
    if (!parameter.interval) return;
    const auto [low, high] = *parameter.interval;
    require(std::isfinite(low) && std::isfinite(high), "the interval of '{}' has no end", key);
    fields.add(key + "_interval", nlohmann::json{low, high}.dump());
  });
  fields.add("points", law.record.points);
  fields.add("draws", law.record.draws);
  return fields.object();
}

Laws read_laws(const JsonValue& value) {
  const JsonValue found = value.at("version");
  if (found.integer() != version) {
    found.refuse(fmt::format("is {}: this Fathom reads version {}", found.integer(), version));
  }
  Laws laws;
  std::vector<std::string> known{"version", "data", "loss_unit"};
  visit_laws(laws, [&](const char* key, auto&) { known.emplace_back(key); });
  refuse_unknown_keys(value, known);
  laws.source = value.source();
  laws.data = value.at("data").text();
  laws.loss_unit = value.at("loss_unit").text();
  visit_laws(laws, [&](const char* key, auto& law) {
    if (const auto field = value.find(key)) read_law(*field, law.emplace());
  });
  return laws;
}

}  // namespace

Laws parse_laws(std::string_view text, const std::string& source) {
  return read_laws(JsonValue::parse(text, source));
}

Laws load_laws(const std::string& name) {
  if (name == "deepseek") return deepseek_laws();
  return read_laws(JsonValue::load(name));
}

std::string laws_text(const Laws& laws) {
  Fields fields(1);
  fields.add("version", std::to_string(version));
  fields.add("data", json_quoted(laws.data));
  fields.add("loss_unit", json_quoted(laws.loss_unit));
  visit_laws(laws, [&](const char* key, const auto& law) {
    if (law) fields.add(key, law_text(*law));
  });
  return fields.object() + "\n";
}

void save_laws(const std::string& path, const Laws& laws) {
  write_file_atomically(path, laws_text(laws));
}

}  // namespace fathom::scaling
