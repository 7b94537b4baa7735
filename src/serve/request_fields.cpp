#include "serve/request_fields.h"

#include <vector>

#include "core/config.h"

namespace fathom::serve {

RequestFields RequestFields::parse(std::string_view body) {
  return about_field("", [&] {
    JsonValue value = JsonValue::parse(body, "the request's body");
    if (!value.is_object()) refuse("", "the request's body is not a JSON object");
    return RequestFields(std::move(value));
  });
}

std::optional<JsonValue> RequestFields::find(std::string_view name) {
  known_.emplace(name);
  return body_.find(name);
}

std::optional<std::int64_t> RequestFields::integer(std::string_view name, std::int64_t low,
                                                   std::int64_t high) {
  const auto value = find(name);
  if (!value) return std::nullopt;
  return about_field(name, [&] { return value->integer(low, high); });
}

std::optional<double> RequestFields::number(std::string_view name, double low, double high) {
  const auto value = find(name);
  if (!value) return std::nullopt;
  const double number = about_field(name, [&] { return value->number(); });
  if (!(number >= low && number <= high)) {
    refuse(name, "'{}' is {}, not a number from {} to {}", name, value->shown(), low, high);
  }
  return number;
}

std::optional<bool> RequestFields::boolean(std::string_view name) {
  const auto value = find(name);
  if (!value) return std::nullopt;
  return about_field(name, [&] { return value->boolean(); });
}

std::optional<std::string> RequestFields::text(std::string_view name) {
  const auto value = find(name);
  if (!value) return std::nullopt;
  return about_field(name, [&] { return value->text(); });
}

void RequestFields::refuse_present(std::string_view name, std::string_view why) {
  if (find(name)) refuse(name, "'{}' is not supported: {}", name, why);
}

void RequestFields::refuse_unknown() const {
  for (const std::string& name : body_.keys()) {
    if (known_.contains(name) || !body_.has(name)) continue;
    const std::string shown = shortened(name);
    const std::vector<std::string> names(known_.begin(), known_.end());
    // The search takes time in proportion to the name's length; a long one is no slip.
    const std::string guess = shown == name ? nearest(name, names) : "";
    refuse(shown, "'{}' is not a field that this server knows{}", shown,
           guess.empty() ? "" : fmt::format(": did you mean '{}'?", guess));
  }
}

}  // namespace fathom::serve
