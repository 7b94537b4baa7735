#include "align/jinja/interpreter.h"

#include "align/jinja/filters.h"
#include "align/jinja/methods.h"
#include "align/jinja/operators.h"
#include "align/jinja/tests.h"

namespace fathom::jinja {

Interpreter::~Interpreter() {
  // Namespaces and macros may refer to themselves: break the circles.
  for (const auto& space : namespaces_) space->attributes.clear();
  for (const auto& scope : closures_) scope->clear();
}

Text Interpreter::render(const Body& body, const Value& variables) {
  scope_ = std::make_shared<Scope>(make_globals(rendering_));
  for (const auto& [name, value] : variables.dict().entries)
    scope_->set(name.text().bytes(), value);
  scope_ = inner_scope();
  TextBuilder out(rendering_);
  out_ = &out;
  run(body);
  out_ = nullptr;
  return out.take();
}

Value Interpreter::evaluate(const Expression& expression) {
  const Nesting nesting(rendering_);
  rendering_.set_line(expression.line);
  rendering_.spend(1);
  const auto& children = expression.children;
  const auto child = [&](std::size_t i) { return evaluate(*children[i]); };
  switch (expression.kind) {
    case ExpressionKind::constant:
      return expression.constant;
    case ExpressionKind::name:
      return evaluate_name(expression);
    case ExpressionKind::list:
      return make_list(rendering_, evaluate_all(children));
    case ExpressionKind::tuple:
      return make_tuple(rendering_, evaluate_all(children));
    case ExpressionKind::dict:
      return evaluate_dict(expression);
    case ExpressionKind::attribute:
      return attribute(child(0), expression.name);
    case ExpressionKind::item: {
      const Value value = child(0);
      return item(value, child(1));
    }
    case ExpressionKind::slice:
      return evaluate_slice(expression);
    case ExpressionKind::call:
      return evaluate_call(expression);
    case ExpressionKind::filter:
      return evaluate_filter(expression);
    case ExpressionKind::test:
      return evaluate_test(expression);
    case ExpressionKind::negation:
      return !child(0).truth();
    case ExpressionKind::minus:
      return negate(rendering_, child(0));
    case ExpressionKind::plus: {
      // A minus twice: it checks the type, and makes an integer of a boolean.
      return negate(rendering_, negate(rendering_, child(0)));
    }
    case ExpressionKind::both: {
      Value left = child(0);
      return left.truth() ? child(1) : left;
    }
    case ExpressionKind::either: {
      Value left = child(0);
      return left.truth() ? left : child(1);
    }
    case ExpressionKind::comparison:
      return evaluate_comparison(expression);
    case ExpressionKind::arithmetic: {
      const Value left = child(0);
      const Value right = child(1);
      rendering_.set_line(expression.line);
      return arithmetic(rendering_, expression.operators[0], left, right);
    }
    case ExpressionKind::concat:
      return evaluate_concat(expression);
    case ExpressionKind::unpacked:
      break;  // evaluate_arguments() takes it apart
    case ExpressionKind::choice:
      if (child(1).truth()) return child(0);
      if (children[2]) return child(2);
      return Value::undefined("the inline if without an else gave no value");
  }
  rendering_.fail("unknown expression");
}

Value Interpreter::evaluate_name(const Expression& expression) {
  if (const Value* value = scope_->find(expression.name)) return *value;
  return Value::undefined(fmt::format("'{}' is undefined", expression.name));
}

std::vector<Value> Interpreter::evaluate_all(const std::vector<ExpressionPointer>& expressions) {
  std::vector<Value> values;
  values.reserve(expressions.size());
  for (const auto& expression : expressions) values.push_back(evaluate(*expression));
  return values;
}

Value Interpreter::evaluate_dict(const Expression& expression) {
  DictBuilder dict(rendering_);
  const auto& children = expression.children;
  for (std::size_t i = 0; i < children.size(); i += 2) {
    const Value key = evaluate(*children[i]);
    dict.set(key, evaluate(*children[i + 1]));
  }
  return dict.take();
}

Value Interpreter::evaluate_slice(const Expression& expression) {
  const std::vector<Value> parts = evaluate_all(expression.children);
  return slice(rendering_, parts[0], parts[1], parts[2], parts[3]);
}

Arguments Interpreter::evaluate_arguments(const Expression& expression) {
  Arguments arguments;
  for (std::size_t i = 1; i < expression.children.size(); ++i) {
    const Expression& child = *expression.children[i];
    if (child.kind != ExpressionKind::unpacked) {
      arguments.positional.push_back(evaluate(child));
      continue;
    }
    for (Value& value : iterate(rendering_, evaluate(*child.children[0]))) {
      arguments.positional.push_back(std::move(value));
    }
  }
  for (const auto& [name, value] : expression.named) {
    arguments.named.emplace_back(name, evaluate(*value));
  }
  return arguments;
}

Value Interpreter::evaluate_call(const Expression& expression, const Value* caller) {
  const Value callee = evaluate(*expression.children[0]);
  Arguments arguments = evaluate_arguments(expression);
  if (caller) arguments.named.emplace_back("caller", *caller);
  rendering_.set_line(expression.line);
  return call(callee, arguments);
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  if (callee.is_undefined()) rendering_.fail("{}", callee.undefined_message());
  if (!callee.callable()) rendering_.fail("a {} can't be called", callee.type_name());
  return callee.callable()->call(*this, arguments);
}

Value Interpreter::evaluate_filter(const Expression& expression, const Value* block) {
  const auto& inner = expression.children[0];
  // The innermost filter of a block has no expression before it: it takes the block's text.
  const Value value = !inner ? *block : block ? evaluate_filter(*inner, block) : evaluate(*inner);
  const Arguments arguments = evaluate_arguments(expression);
  rendering_.set_line(expression.line);
  return find_filter(expression.name)(*this, value, arguments);
}

bool Interpreter::evaluate_test(const Expression& expression) {
  const Value value = evaluate(*expression.children[0]);
  const Arguments arguments = evaluate_arguments(expression);
  rendering_.set_line(expression.line);
  return find_test(expression.name)(*this, value, arguments);
}

Value Interpreter::evaluate_comparison(const Expression& expression) {
  Value left = evaluate(*expression.children[0]);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.children[i + 1]);
    rendering_.set_line(expression.line);
    if (!compare(rendering_, expression.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_concat(const Expression& expression) {
  TextBuilder joined(rendering_);
  for (const auto& child : expression.children) {
    joined.add(to_text(rendering_, evaluate(*child)));
  }
  return make_text(rendering_, joined.take());
}

Value Interpreter::attribute(const Value& value, const std::string& name) {
  if (value.is_undefined()) rendering_.fail("{}", value.undefined_message());
  if (const auto method = find_member(*this, value, name)) return *method;
  if (value.is_dict()) {
    if (const Value* found = value.dict().find(rendering_, name)) return *found;
  }
  return Value::undefined(fmt::format("'{}' has no attribute '{}'", value.type_name(), name));
}

Value Interpreter::item(const Value& value, const Value& key) {
  if (value.is_undefined()) rendering_.fail("{}", value.undefined_message());
  if (value.is_dict() && hashable(key)) {
    if (const Value* found = value.dict().find(rendering_, key)) return *found;
  }
  const bool sequence = value.is_sequence() && value.sequence().indexable();
  if (key.is_integral() && (sequence || value.is_text())) {
    const auto size = static_cast<std::int64_t>(value.is_text() ? value.text().characters()
                                                                : value.sequence().items.size());
    const std::int64_t index = key.integral() < 0 ? key.integral() + size : key.integral();
    if (index >= 0 && index < size) {
      if (sequence) return value.sequence().items[static_cast<std::size_t>(index)];
      return slice(rendering_, value, index, index + 1, Value());
    }
  }
  if (key.is_text()) {
    if (const auto method = find_member(*this, value, key.text().bytes())) return *method;
  }
  return Value::undefined(fmt::format("'{}' has no element {}", value.type_name(),
                                      key.is_text()       ? "'" + key.text().bytes() + "'"
                                      : key.is_integral() ? std::to_string(key.integral())
                                                          : std::string(key.type_name())));
}

Value Interpreter::make_namespace() {
  auto space = std::make_shared<Namespace>();
  space->held.emplace_back(rendering_, sizeof(Namespace) + sizeof(Held));
  namespaces_.push_back(space);
  return space;
}

}  // namespace fathom::jinja
