// The statements of the interpreter.
#include "align/jinja/filters.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/operators.h"

namespace fathom::jinja {

namespace {

// Sets a variable for the life of the object.
template <class T>
class Replaced {
 public:
  Replaced(T& variable, T value) : variable_(variable), old_(std::exchange(variable, value)) {}
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  ~Replaced() { variable_ = std::move(old_); }

 private:
  T& variable_;
  T old_;
};

}  // namespace

Interpreter::Flow Interpreter::run(const Body& body) {
  for (const auto& statement : body) {
    const Flow flow = run(*statement);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run(const Statement& statement) {
  const Nesting nesting(rendering_);
  rendering_.set_line(statement.line);
  rendering_.spend(1);
  switch (statement.kind) {
    case StatementKind::text:
      write(statement.expression->constant);
      break;
    case StatementKind::output: {
      const Value value = evaluate(*statement.expression);
      rendering_.set_line(statement.line);
      write(value);
      break;
    }
    case StatementKind::choice:
      return run_choice(statement);
    case StatementKind::loop:
      return run_loop(statement);
    case StatementKind::assign: {
      const Value value = evaluate(*statement.expression);
      assign(statement.target, value);
      break;
    }
    case StatementKind::capture: {
      Value text = make_text(rendering_, capture(statement.body, inner_scope()));
      if (statement.expression) text = evaluate_filter(*statement.expression, &text);
      assign(statement.target, text);
      break;
    }
    case StatementKind::macro:
      scope_->set(statement.name, macro(statement, statement.name));
      break;
    case StatementKind::call:
      run_call(statement);
      break;
    case StatementKind::filter: {
      const Value text = make_text(rendering_, capture(statement.body, inner_scope()));
      write(evaluate_filter(*statement.expression, &text));
      break;
    }
    case StatementKind::generation:
      out_->add(capture(statement.body, inner_scope(), in_generation));
      rendering_.check_output(out_->size());
      break;
    case StatementKind::with:
      return run_with(statement);
    case StatementKind::stop:
      return Flow::stop;
    case StatementKind::skip:
      return Flow::skip;
  }
  return Flow::normal;
}

void Interpreter::write(const Value& value) {
  out_->add(to_text(rendering_, value));
  rendering_.check_output(out_->size());
}

Interpreter::Flow Interpreter::run_choice(const Statement& statement) {
  const Statement* branch = &statement;
  while (!evaluate(*branch->expression).truth()) {
    const Body& otherwise = branch->otherwise;
    // A chain of elif is walked here: it would take a level of nesting each.
    if (otherwise.size() != 1 || otherwise[0]->kind != StatementKind::choice) return run(otherwise);
    branch = otherwise[0].get();
  }
  return run(branch->body);
}

std::vector<Value> Interpreter::loop_items(const Statement& statement) {
  const Value iterable = evaluate(*statement.expression);
  std::vector<Value> items = iterate(rendering_, iterable);
  if (!statement.condition) return items;
  std::vector<Value> chosen;
  for (const Value& item : items) {
    const Replaced<std::shared_ptr<Scope>> scope(scope_, inner_scope());
    assign(statement.target, item);
    if (evaluate(*statement.condition).truth()) chosen.push_back(item);
  }
  return chosen;
}

Interpreter::Flow Interpreter::run_loop(const Statement& statement) {
  auto loop = std::make_shared<Loop>();
  loop->items = loop_items(statement);
  loop->held = Held(rendering_, sizeof(Loop) + loop->items.size() * sizeof(Value));
  if (loop->items.empty()) {
    const Replaced<std::shared_ptr<Scope>> scope(scope_, inner_scope());
    return run(statement.otherwise);
  }
  for (; loop->index < loop->items.size(); ++loop->index) {
    rendering_.spend(1);
    const Replaced<std::shared_ptr<Scope>> scope(scope_, inner_scope());
    scope_->set("loop", Value(Value::LoopPointer(loop)));
    assign(statement.target, loop->items[loop->index]);
    if (run(statement.body) == Flow::stop) break;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_with(const Statement& statement) {
  const auto inner = inner_scope();
  for (const Parameter& parameter : statement.parameters) {
    inner->set(parameter.name, evaluate(*parameter.value));
  }
  const Replaced<std::shared_ptr<Scope>> scope(scope_, inner);
  return run(statement.body);
}

void Interpreter::run_call(const Statement& statement) {
  const Value caller = macro(statement, "caller");
  write(evaluate_call(*statement.expression, &caller));
}

Text Interpreter::capture(const Body& body, std::shared_ptr<Scope> scope, std::uint8_t flags) {
  TextBuilder captured(rendering_);
  captured.set_extra_flags(flags);
  const Replaced<std::shared_ptr<Scope>> inner(scope_, std::move(scope));
  const Replaced<TextBuilder*> out(out_, &captured);
  run(body);
  return captured.take();
}

void Interpreter::assign(const Target& target, const Value& value) {
  rendering_.set_line(target.line);
  if (!target.elements.empty()) {
    const std::vector<Value> values = iterate(rendering_, value);
    if (values.size() != target.elements.size()) {
      rendering_.fail("{} values can't be unpacked into {} names", values.size(),
                      target.elements.size());
    }
    for (std::size_t i = 0; i < values.size(); ++i) assign(target.elements[i], values[i]);
    return;
  }
  if (target.attribute.empty()) return scope_->set(target.name, value);
  const Value* space = scope_->find(target.name);
  if (!space) rendering_.fail("'{}' is undefined", target.name);
  if (!space->name_space()) {
    rendering_.fail("'{}' is a {}: only attributes of a namespace can be set", target.name,
                    space->type_name());
  }
  space->name_space()->set(rendering_, target.attribute, value);
}

Value Interpreter::macro(const Statement& statement, const std::string& name) {
  if (closures_.empty() || closures_.back() != scope_) closures_.push_back(scope_);
  rendering_.check_memory(closures_.size() * sizeof(Scope) * 2);
  return make_callable(
      rendering_, name,
      [&statement, name, closure = scope_](Interpreter& interpreter, const Arguments& arguments) {
        return interpreter.call_macro(statement, name, closure, arguments);
      });
}

Value Interpreter::call_macro(const Statement& macro, const std::string& name,
                              const std::shared_ptr<Scope>& closure, const Arguments& arguments) {
  const Nesting nesting(rendering_);
  const auto& parameters = macro.parameters;
  if (arguments.positional.size() > parameters.size()) {
    rendering_.fail("{}() takes at most {} arguments, not {}", name, parameters.size(),
                    arguments.positional.size());
  }
  const auto inner = std::make_shared<Scope>(closure);
  std::vector<bool> given(parameters.size(), false);
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    inner->set(parameters[i].name, arguments.positional[i]);
    given[i] = true;
  }
  for (const auto& [argument, value] : arguments.named) {
    std::size_t i = 0;
    while (i < parameters.size() && parameters[i].name != argument) ++i;
    if (i < parameters.size() && given[i]) {
      rendering_.fail("{}(): the argument '{}' is given twice", name, argument);
    }
    if (i == parameters.size() && argument != "caller") {
      rendering_.fail("{}() has no argument '{}'", name, argument);
    }
    if (i < parameters.size()) given[i] = true;
    inner->set(argument, value);
  }
  const Replaced<std::shared_ptr<Scope>> scope(scope_, inner);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (given[i]) continue;
    const auto& fallback = parameters[i].value;
    inner->set(parameters[i].name,
               fallback ? evaluate(*fallback)
                        : Value::undefined(fmt::format("{}(): the argument '{}' is not given", name,
                                                       parameters[i].name)));
  }
  return make_text(rendering_, capture(macro.body, inner));
}

}  // namespace fathom::jinja
