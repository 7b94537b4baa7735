// Functions that every template may call.
#include <algorithm>
#include <ctime>

#include "align/jinja/arguments.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/operator_checks.h"

namespace fathom::jinja {

namespace {

constexpr std::int64_t max_range = 100'000;

Value range(Interpreter& interpreter, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "range", arguments, {"start", "stop", "step"}, 1);
  const bool one = !bound.find(1);
  // Far beyond any allowed range, where differences can't overflow.
  constexpr std::int64_t bounds = std::int64_t{1} << 60;
  const auto argument = [&](std::size_t index, std::int64_t absent) {
    if (bound.find(index) && !bound.at(index).is_integral()) {
      require_defined(rendering, bound.at(index));
      rendering.fail("range() wants integers, not {}", bound.at(index).type_name());
    }
    return std::clamp(bound.integer(index, absent), -bounds, bounds);
  };
  const std::int64_t start = one ? 0 : argument(0, 0);
  const std::int64_t stop = argument(one ? 0 : 1, 0);
  const std::int64_t step = argument(2, 1);
  if (step == 0) rendering.fail("range(): the step is 0");
  const std::int64_t distance = step > 0 ? stop - start : start - stop;
  const std::int64_t size = distance <= 0 ? 0 : (distance - 1) / std::abs(step) + 1;
  if (size > max_range) rendering.fail("range(): at most {} elements, not {}", max_range, size);
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) items.emplace_back(start + i * step);
  return make_sequence(rendering, SequenceKind::range, std::move(items));
}

// Entries of a dictionary or pairs, then the named arguments.
void collect(Interpreter& interpreter, const Arguments& arguments, std::string_view function,
             const std::function<void(const Value&, const Value&)>& add) {
  Rendering& rendering = interpreter.rendering();
  if (arguments.positional.size() > 1) rendering.fail("{}() takes at most 1 argument", function);
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    require_defined(rendering, source);
    if (source.is_dict()) {
      for (const auto& [key, value] : source.dict().entries) add(key, value);
    } else {
      for (const Value& pair : iterate(rendering, source)) {
        const std::vector<Value> parts = iterate(rendering, pair);
        if (parts.size() != 2) rendering.fail("{}() wants pairs of a key and a value", function);
        add(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) add(make_text(rendering, name), value);
}

Value dict(Interpreter& interpreter, const Arguments& arguments) {
  DictBuilder builder(interpreter.rendering());
  collect(interpreter, arguments, "dict",
          [&](const Value& key, const Value& value) { builder.set(key, value); });
  return builder.take();
}

Value name_space(Interpreter& interpreter, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const Value space = interpreter.make_namespace();
  collect(interpreter, arguments, "namespace", [&](const Value& key, const Value& value) {
    if (!key.is_text()) rendering.fail("namespace(): a name must be a text");
    space.name_space()->set(rendering, key.text().bytes(), value);
  });
  return space;
}

Value raise_exception(Interpreter& interpreter, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "raise_exception", arguments, {"message"}, 1);
  rendering.fail("{}", to_text(rendering, bound.at(0)).bytes());
}

Value strftime_now(Interpreter& interpreter, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "strftime_now", arguments, {"format"}, 1);
  if (!bound.text(0)) rendering.fail("strftime_now() wants a format");
  if (!rendering.now())
    rendering.fail("strftime_now(): the template needs the time, and none is given");
  const std::string& format = bound.text(0)->bytes();
  if (format.find("%f") != std::string::npos || format.size() > 256) {
    rendering.fail("strftime_now(): the format is too long, or asks for microseconds (%f)");
  }
  // The blank tells an empty result from one that does not fit.
  char buffer[4096];
  const std::size_t size =
      std::strftime(buffer, sizeof buffer, (format + " ").c_str(), &*rendering.now());
  if (size == 0) rendering.fail("strftime_now(): the result is too long");
  return make_text(rendering, std::string_view(buffer, size - 1));
}

}  // namespace

std::shared_ptr<Scope> make_globals(Rendering& rendering) {
  auto globals = std::make_shared<Scope>(nullptr);
  const auto add = [&](const char* name, Value (*function)(Interpreter&, const Arguments&)) {
    globals->set(name, make_callable(rendering, name, function));
  };
  add("range", range);
  add("dict", dict);
  add("namespace", name_space);
  add("raise_exception", raise_exception);
  add("strftime_now", strftime_now);
  return globals;
}

}  // namespace fathom::jinja
