// The fields of a request's JSON body. Each is checked when it is read; what nobody reads is
// refused by name, so that no field is ever ignored.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/error.h"
#include "io/json_value.h"
#include "serve/api_error.h"

namespace fathom::serve {

// Largest value of an integer that is kept in 32 bits.
inline constexpr std::int64_t max_int32 = std::numeric_limits<std::int32_t>::max();

class RequestFields {
 public:
  // All throw an ApiError 400; a field's names it. A field that is null counts as absent.
  static RequestFields parse(std::string_view body);

  std::optional<JsonValue> find(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t low, std::int64_t high);
  std::optional<double> number(std::string_view name, double low, double high);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> text(std::string_view name);

  // Refuses a field that Fathom does not have.
  void refuse_present(std::string_view name, std::string_view why);
  // After all are read: refuses the others.
  void refuse_unknown() const;

 private:
  explicit RequestFields(JsonValue body) : body_(std::move(body)) {}

  JsonValue body_;
  std::set<std::string, std::less<>> known_;
};

// f(), whose input Error becomes an ApiError 400 about this field.
template <class F>
decltype(auto) about_field(std::string_view name, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    refuse(name, "{}", error.what());
  }
}

}  // namespace fathom::serve
