// Values of the template language, with Python's semantics. Values are immutable and shared,
// except namespaces.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "align/jinja/text.h"

namespace fathom::jinja {

class Interpreter;
struct Arguments;
struct Callable;
struct Dict;
struct Loop;
struct Namespace;
struct Sequence;
struct TextValue;

// A variable or field that does not exist. `message` says which: an operation that needs the
// value fails with it.
struct Undefined {
  std::shared_ptr<const std::string> message;
};
struct None {};

class Value {
 public:
  using TextPointer = std::shared_ptr<const TextValue>;
  using SequencePointer = std::shared_ptr<const Sequence>;
  using DictPointer = std::shared_ptr<const Dict>;
  using NamespacePointer = std::shared_ptr<Namespace>;
  using CallablePointer = std::shared_ptr<const Callable>;
  using LoopPointer = std::shared_ptr<const Loop>;
  using Data =
      std::variant<Undefined, None, bool, std::int64_t, double, TextPointer, SequencePointer,
                   DictPointer, NamespacePointer, CallablePointer, LoopPointer>;

  Value() : data_(None()) {}
  Value(bool boolean) : data_(boolean) {}
  Value(std::int64_t integer) : data_(integer) {}
  Value(double real) : data_(real) {}
  Value(TextPointer text) : data_(std::move(text)) {}
  Value(SequencePointer sequence) : data_(std::move(sequence)) {}
  Value(DictPointer dict) : data_(std::move(dict)) {}
  Value(NamespacePointer space) : data_(std::move(space)) {}
  Value(CallablePointer callable) : data_(std::move(callable)) {}
  Value(LoopPointer loop) : data_(std::move(loop)) {}
  // `message` is what an operation on the value fails with.
  static Value undefined(std::string message);

  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_boolean() const { return is<bool>(); }
  bool is_integer() const { return is<std::int64_t>(); }  // no boolean
  bool is_real() const { return is<double>(); }
  bool is_number() const { return is_boolean() || is_integer() || is_real(); }
  bool is_text() const { return is<TextPointer>(); }
  bool is_sequence() const { return is<SequencePointer>(); }
  bool is_dict() const { return is<DictPointer>(); }

  // Each wants a value of that type.
  const std::string& undefined_message() const;
  bool boolean() const { return std::get<bool>(data_); }
  double real() const { return std::get<double>(data_); }
  // Booleans count as 0 and 1 wherever Python takes them for integers.
  bool is_integral() const { return is_integer() || is_boolean(); }
  std::int64_t integral() const {
    return is_boolean() ? std::int64_t{boolean()} : std::get<std::int64_t>(data_);
  }
  double number() const { return is_real() ? real() : static_cast<double>(integral()); }
  const Text& text() const;
  bool is_markup() const;
  const Sequence& sequence() const { return *std::get<SequencePointer>(data_); }
  const Dict& dict() const { return *std::get<DictPointer>(data_); }
  // Null for a value of another type.
  Namespace* name_space() const;
  const Callable* callable() const;
  const Loop* loop() const;

  bool truth() const;
  // Python's name of the type, such as "str"; for messages.
  std::string_view type_name() const;
  // Levels of lists, tuples and dictionaries.
  int nesting() const;

 private:
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  Data data_;
};

struct TextValue {
  Text text;
  // Made by `safe` or `escape`: joining it by + escapes the other side.
  bool markup = false;
  Held held;
};

enum class SequenceKind {
  list,
  tuple,
  range,
  view,      // keys, values or items of a dictionary
  iterator,  // result of map, select and the like: gives its elements once
};

struct Sequence {
  SequenceKind kind = SequenceKind::list;
  std::vector<Value> items;
  std::string view_name;  // of a view: "dict_items"
  int nesting = 1;
  mutable std::size_t position = 0;  // of an iterator: elements already given
  Held held;

  bool indexable() const { return kind != SequenceKind::view && kind != SequenceKind::iterator; }
  bool sized() const { return kind != SequenceKind::iterator; }
};

// Insertion order is kept, as in Python.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  int nesting = 1;
  Held held;

  // Null when the key is absent.
  const Value* find(Rendering& rendering, const Value& key) const;
  const Value* find(Rendering& rendering, std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
  std::vector<Held> held;

  const Value* find(std::string_view name) const;
  void set(Rendering& rendering, const std::string& name, Value value);
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct Callable {
  std::string name;
  std::function<Value(Interpreter&, const Arguments&)> call;
  Held held;
};

// The variable `loop` in the body of a for statement.
struct Loop {
  std::vector<Value> items;
  std::size_t index = 0;  // from 0; the interpreter advances it
  int depth = 0;          // of enclosing recursive loops
  Held held;
};

// Makers of values: each holds its memory in the rendering. Values nested too deeply are
// refused.
Value make_text(Rendering& rendering, Text text, bool markup = false);
Value make_text(Rendering& rendering, std::string_view bytes);
Value make_sequence(Rendering& rendering, SequenceKind kind, std::vector<Value> items);
Value make_list(Rendering& rendering, std::vector<Value> items);
Value make_tuple(Rendering& rendering, std::vector<Value> items);
Value make_iterator(Rendering& rendering, std::vector<Value> items);
Value make_view(Rendering& rendering, std::string name, std::vector<Value> items);
Value make_callable(Rendering& rendering, std::string name,
                    std::function<Value(Interpreter&, const Arguments&)> call);

// Makes a dictionary; a repeated key keeps its place and takes the later value.
class DictBuilder {
 public:
  explicit DictBuilder(Rendering& rendering) : rendering_(rendering) {}
  void set(const Value& key, Value value);
  void set(std::string_view key, Value value);
  Value take();

 private:
  void set(std::string_view bytes, const Value& key, Value value);
  void append(const Value& key, Value value);

  Rendering& rendering_;
  std::vector<std::pair<Value, Value>> entries_;
};

// The elements that `for` visits: of a sequence, keys of a dictionary, characters of a text,
// none of an undefined value. Exhausts an iterator. Fails for other types.
std::vector<Value> iterate(Rendering& rendering, const Value& value);

}  // namespace fathom::jinja
