// Arguments of a filter, test, method or function, by the names of its parameters.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "align/jinja/value.h"

namespace fathom::jinja {

class BoundArguments {
 public:
  // Fails for too many arguments, for one that is given twice and for an unknown name.
  // `function` is for messages. The first `required` parameters must be given.
  BoundArguments(Rendering& rendering, std::string_view function, const Arguments& arguments,
                 std::initializer_list<std::string_view> parameters, std::size_t required = 0);

  // Null when the argument is not given.
  const Value* find(std::size_t index) const { return values_[index]; }
  const Value& at(std::size_t index) const { return *values_[index]; }
  bool truth(std::size_t index, bool absent) const;
  // The readers fail for a value of another type. None counts as absent.
  std::int64_t integer(std::size_t index, std::int64_t absent) const;
  const Text* text(std::size_t index) const;  // null when absent

 private:
  [[noreturn]] void fail_type(std::size_t index, std::string_view wanted) const;

  Rendering& rendering_;
  std::string function_;
  std::vector<std::string_view> parameters_;
  std::vector<const Value*> values_;
};

}  // namespace fathom::jinja
