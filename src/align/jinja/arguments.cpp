#include "align/jinja/arguments.h"

#include <algorithm>

namespace fathom::jinja {

BoundArguments::BoundArguments(Rendering& rendering, std::string_view function,
                               const Arguments& arguments,
                               std::initializer_list<std::string_view> parameters,
                               std::size_t required)
    : rendering_(rendering),
      function_(function),
      parameters_(parameters),
      values_(parameters.size(), nullptr) {
  if (arguments.positional.size() > parameters_.size()) {
    rendering.fail("{}() takes at most {} arguments, not {}", function, parameters_.size(),
                   arguments.positional.size());
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    values_[i] = &arguments.positional[i];
  }
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters_.begin(), parameters_.end(), name);
    if (found == parameters_.end()) rendering.fail("{}() has no argument '{}'", function, name);
    const Value*& slot = values_[static_cast<std::size_t>(found - parameters_.begin())];
    if (slot) rendering.fail("{}(): the argument '{}' is given twice", function, name);
    slot = &value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!values_[i]) rendering.fail("{}() needs the argument '{}'", function, parameters_[i]);
  }
}

void BoundArguments::fail_type(std::size_t index, std::string_view wanted) const {
  const Value& value = at(index);
  if (value.is_undefined()) rendering_.fail("{}", value.undefined_message());
  rendering_.fail("{}(): the argument '{}' must be {}, not {}", function_, parameters_[index],
                  wanted, value.type_name());
}

bool BoundArguments::truth(std::size_t index, bool absent) const {
  return values_[index] ? values_[index]->truth() : absent;
}

std::int64_t BoundArguments::integer(std::size_t index, std::int64_t absent) const {
  if (!values_[index] || at(index).is_none()) return absent;
  if (!at(index).is_integral()) fail_type(index, "an integer");
  return at(index).integral();
}

const Text* BoundArguments::text(std::size_t index) const {
  if (!values_[index] || at(index).is_none()) return nullptr;
  if (!at(index).is_text()) fail_type(index, "a text");
  return &at(index).text();
}

}  // namespace fathom::jinja
