// Walks a template's syntax tree and writes its text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "align/jinja/rendering.h"
#include "align/jinja/scope.h"
#include "align/jinja/syntax.h"

namespace fathom::jinja {

class Interpreter {
 public:
  explicit Interpreter(Rendering& rendering) : rendering_(rendering) {}
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // The text of the whole template. `variables` is a dictionary.
  Text render(const Body& body, const Value& variables);

  Rendering& rendering() { return rendering_; }
  Value evaluate(const Expression& expression);
  Value call(const Value& callee, const Arguments& arguments);
  // value.name and value[key]; undefined when there is none.
  Value attribute(const Value& value, const std::string& name);
  Value item(const Value& value, const Value& key);
  // namespace(): the interpreter empties all namespaces at its end, for they may hold
  // themselves.
  Value make_namespace();

 private:
  enum class Flow { normal, stop, skip };

  Value evaluate_name(const Expression& expression);
  Value evaluate_dict(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_call(const Expression& expression, const Value* caller = nullptr);
  Value evaluate_filter(const Expression& expression, const Value* block = nullptr);
  bool evaluate_test(const Expression& expression);
  Value evaluate_comparison(const Expression& expression);
  Value evaluate_concat(const Expression& expression);
  std::vector<Value> evaluate_all(const std::vector<ExpressionPointer>& expressions);
  Arguments evaluate_arguments(const Expression& expression);

  Flow run(const Body& body);
  Flow run(const Statement& statement);
  Flow run_choice(const Statement& statement);
  Flow run_loop(const Statement& statement);
  std::vector<Value> loop_items(const Statement& statement);
  Flow run_with(const Statement& statement);
  void run_call(const Statement& statement);
  // The text of a body in a scope of its own.
  Text capture(const Body& body, std::shared_ptr<Scope> scope, std::uint8_t flags = 0);
  void assign(const Target& target, const Value& value);
  Value macro(const Statement& statement, const std::string& name);
  Value call_macro(const Statement& macro, const std::string& name,
                   const std::shared_ptr<Scope>& closure, const Arguments& arguments);
  void write(const Value& value);
  std::shared_ptr<Scope> inner_scope() { return std::make_shared<Scope>(scope_); }

  Rendering& rendering_;
  std::shared_ptr<Scope> scope_;
  TextBuilder* out_ = nullptr;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  std::vector<std::shared_ptr<Scope>> closures_;  // scopes that macros refer to
};

// The functions that every template may call.
std::shared_ptr<Scope> make_globals(Rendering& rendering);

// The text as a value that is paid for by the interpreter's rendering.
inline Value make_text(Interpreter& interpreter, Text text) {
  return make_text(interpreter.rendering(), std::move(text));
}

}  // namespace fathom::jinja
