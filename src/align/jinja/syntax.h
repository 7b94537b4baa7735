// The syntax tree of a template. The parser makes it, the interpreter walks it; nothing
// changes it afterwards, so renderings may share it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "align/jinja/operators.h"
#include "align/jinja/value.h"

namespace fathom::jinja {

enum class ExpressionKind {
  constant,    // constant
  name,        // name
  list,        // children: the elements
  tuple,       // children: the elements
  dict,        // children: key, value, key, value
  attribute,   // children[0].name
  item,        // children[0][children[1]]
  slice,       // children[0][children[1]:children[2]:children[3]]
  call,        // children[0](children[1], ..., named)
  filter,      // children[0] | name(children[1], ..., named); children[0] is null in blocks
  test,        // children[0] is name(children[1], ..., named)
  negation,    // not children[0]
  minus,       // -children[0]
  plus,        // +children[0]
  both,        // children[0] and children[1]
  either,      // children[0] or children[1]
  comparison,  // children[0] operators[0] children[1] operators[1] children[2] ...
  arithmetic,  // children[0] operators[0] children[1]
  concat,      // children joined by ~
  unpacked,    // *children[0], an argument of a call
  choice,      // children[0] if children[1] else children[2]; children[2] may be null
};

struct Expression;
using ExpressionPointer = std::unique_ptr<const Expression>;

struct Expression {
  ExpressionKind kind;
  int line;
  int depth = 1;  // levels of the tree below and with this node
  std::string name = {};
  Value constant = {};
  std::vector<ExpressionPointer> children = {};
  std::vector<std::pair<std::string, ExpressionPointer>> named = {};
  std::vector<Operator> operators = {};
};

// What is assigned to: a name, an attribute of a namespace, or several targets.
struct Target {
  int line = 1;
  std::string name;
  std::string attribute;         // empty: the name itself
  std::vector<Target> elements;  // not empty: the value is unpacked
};

enum class StatementKind {
  text,        // expression: a constant
  output,      // {{ expression }}
  choice,      // if expression: body, else: otherwise; an elif is an if in otherwise
  loop,        // for target in expression if condition: body, else: otherwise
  assign,      // set target = expression
  capture,     // set target | expression: body
  macro,       // macro name(parameters): body
  call,        // call(parameters) expression: body
  filter,      // filter expression: body
  generation,  // body
  with,        // with parameters: body
  stop,        // break
  skip,        // continue
};

struct Statement;
using Body = std::vector<std::unique_ptr<const Statement>>;

struct Parameter {
  std::string name;
  ExpressionPointer value;  // a parameter's default: may be null
};

struct Statement {
  StatementKind kind;
  int line;
  std::string name = {};
  ExpressionPointer expression = {};
  ExpressionPointer condition = {};
  Target target = {};
  std::vector<Parameter> parameters = {};
  Body body = {};
  Body otherwise = {};
};

}  // namespace fathom::jinja
