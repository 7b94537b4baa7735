#include "align/jinja/value.h"

#include <algorithm>

#include "align/jinja/operators.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

constexpr int max_value_nesting = 128;

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;  // clang 14 does not find it itself

int nesting_of(Rendering& rendering, int deepest) {
  if (deepest >= max_value_nesting) {
    rendering.fail("a value is nested more than {} deep", max_value_nesting);
  }
  return deepest + 1;
}

}  // namespace

Value Value::undefined(std::string message) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(message))};
  return value;
}

const std::string& Value::undefined_message() const {
  return *std::get<Undefined>(data_).message;
}
const Text& Value::text() const {
  return std::get<TextPointer>(data_)->text;
}
bool Value::is_markup() const {
  return is_text() && std::get<TextPointer>(data_)->markup;
}

Namespace* Value::name_space() const {
  const auto* pointer = std::get_if<NamespacePointer>(&data_);
  return pointer ? pointer->get() : nullptr;
}

const Callable* Value::callable() const {
  const auto* pointer = std::get_if<CallablePointer>(&data_);
  return pointer ? pointer->get() : nullptr;
}

const Loop* Value::loop() const {
  const auto* pointer = std::get_if<LoopPointer>(&data_);
  return pointer ? pointer->get() : nullptr;
}

bool Value::truth() const {
  return std::visit(
      Overloaded{[](const Undefined&) { return false; }, [](const None&) { return false; },
                 [](bool boolean) { return boolean; },
                 [](std::int64_t integer) { return integer != 0; },
                 [](double real) { return real != 0; },
                 [](const TextPointer& text) { return !text->text.empty(); },
                 [](const SequencePointer& sequence) {
                   return !sequence->sized() || !sequence->items.empty();
                 },
                 [](const DictPointer& dict) { return !dict->entries.empty(); },
                 [](const auto&) { return true; }},
      data_);
}

std::string_view Value::type_name() const {
  using namespace std::string_view_literals;
  return std::visit(
      Overloaded{[](const Undefined&) { return "Undefined"sv; },
                 [](const None&) { return "NoneType"sv; }, [](bool) { return "bool"sv; },
                 [](std::int64_t) { return "int"sv; }, [](double) { return "float"sv; },
                 [](const TextPointer&) { return "str"sv; },
                 [](const SequencePointer& sequence) {
                   switch (sequence->kind) {
                     case SequenceKind::list:
                       return "list"sv;
                     case SequenceKind::tuple:
                       return "tuple"sv;
                     case SequenceKind::range:
                       return "range"sv;
                     case SequenceKind::view:
                       return std::string_view(sequence->view_name);
                     case SequenceKind::iterator:
                       return "generator"sv;
                   }
                   return "list"sv;
                 },
                 [](const DictPointer&) { return "dict"sv; },
                 [](const NamespacePointer&) { return "namespace"sv; },
                 [](const CallablePointer&) { return "function"sv; },
                 [](const LoopPointer&) { return "loop"sv; }},
      data_);
}

int Value::nesting() const {
  if (is_sequence()) return sequence().nesting;
  if (is_dict()) return dict().nesting;
  return 0;
}

const Value* Dict::find(Rendering& rendering, const Value& key) const {
  if (key.is_text()) return find(rendering, key.text().bytes());
  rendering.spend(1 + entries.size() / 8);
  for (const auto& [name, value] : entries) {
    if (!name.is_text() && equal(rendering, name, key)) return &value;
  }
  return nullptr;
}

const Value* Dict::find(Rendering& rendering, std::string_view key) const {
  rendering.spend(entries.size() / 8);
  for (const auto& [name, value] : entries) {
    if (name.is_text() && name.text().bytes() == key) {
      rendering.spend_bytes(key.size());
      return &value;
    }
  }
  return nullptr;
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Namespace::set(Rendering& rendering, const std::string& name, Value value) {
  if (name.starts_with('_')) {
    rendering.fail("namespace attribute '{}': names that begin with '_' are not allowed", name);
  }
  rendering.spend(1 + attributes.size() / 8);
  for (auto& [key, old] : attributes) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  held.emplace_back(rendering, sizeof(attributes[0]) + name.size());
  attributes.emplace_back(name, std::move(value));
}

Value make_text(Rendering& rendering, Text text, bool markup) {
  Held held(rendering, text.memory() + sizeof(TextValue) - sizeof(Text));
  return std::make_shared<const TextValue>(TextValue{std::move(text), markup, std::move(held)});
}

Value make_text(Rendering& rendering, std::string_view bytes) {
  rendering.check_memory(bytes.size());
  rendering.spend_bytes(bytes.size());
  return make_text(rendering, Text(std::string(bytes)));
}

Value make_sequence(Rendering& rendering, SequenceKind kind, std::vector<Value> items) {
  rendering.spend(items.size() / 8);
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.nesting());
  Sequence sequence;
  sequence.kind = kind;
  sequence.nesting = nesting_of(rendering, deepest);
  sequence.held = Held(rendering, sizeof(Sequence) + items.capacity() * sizeof(Value));
  sequence.items = std::move(items);
  return std::make_shared<const Sequence>(std::move(sequence));
}

Value make_list(Rendering& rendering, std::vector<Value> items) {
  return make_sequence(rendering, SequenceKind::list, std::move(items));
}

Value make_tuple(Rendering& rendering, std::vector<Value> items) {
  return make_sequence(rendering, SequenceKind::tuple, std::move(items));
}

Value make_iterator(Rendering& rendering, std::vector<Value> items) {
  return make_sequence(rendering, SequenceKind::iterator, std::move(items));
}

Value make_view(Rendering& rendering, std::string name, std::vector<Value> items) {
  rendering.spend(items.size() / 8);
  Sequence sequence;
  sequence.kind = SequenceKind::view;
  for (const Value& item : items) sequence.nesting = std::max(sequence.nesting, 1 + item.nesting());
  sequence.held = Held(rendering, sizeof(Sequence) + items.capacity() * sizeof(Value));
  sequence.items = std::move(items);
  sequence.view_name = std::move(name);
  return std::make_shared<const Sequence>(std::move(sequence));
}

Value make_callable(Rendering& rendering, std::string name,
                    std::function<Value(Interpreter&, const Arguments&)> call) {
  Held held(rendering, sizeof(Callable) + name.size() + 64);
  return std::make_shared<const Callable>(
      Callable{std::move(name), std::move(call), std::move(held)});
}

void DictBuilder::set(const Value& key, Value value) {
  if (key.is_text()) return set(key.text().bytes(), key, std::move(value));
  if (!hashable(key)) rendering_.fail("a {} can't be a key of a dictionary", key.type_name());
  rendering_.spend(1 + entries_.size() / 8);
  for (auto& [name, old] : entries_) {
    if (!name.is_text() && equal(rendering_, name, key)) {
      old = std::move(value);
      return;
    }
  }
  append(key, std::move(value));
}

void DictBuilder::set(std::string_view key, Value value) {
  set(key, make_text(rendering_, key), std::move(value));
}

void DictBuilder::set(std::string_view bytes, const Value& key, Value value) {
  rendering_.spend(1 + entries_.size() / 8);
  for (auto& [name, old] : entries_) {
    if (name.is_text() && name.text().bytes() == bytes) {
      old = std::move(value);
      return;
    }
  }
  append(key, std::move(value));
}

void DictBuilder::append(const Value& key, Value value) {
  rendering_.check_memory(2 * (entries_.size() + 1) * sizeof(entries_[0]));
  entries_.emplace_back(key, std::move(value));
}

Value DictBuilder::take() {
  Dict dict;
  int deepest = 0;
  for (const auto& [key, value] : entries_) {
    deepest = std::max({deepest, key.nesting(), value.nesting()});
  }
  dict.nesting = nesting_of(rendering_, deepest);
  dict.held = Held(rendering_, sizeof(Dict) + entries_.capacity() * sizeof(entries_[0]));
  dict.entries = std::move(entries_);
  return std::make_shared<const Dict>(std::move(dict));
}

namespace {

std::vector<Value> characters_of(Rendering& rendering, const Text& text) {
  std::vector<Value> characters;
  rendering.check_memory(text.characters() * (sizeof(Value) + sizeof(TextValue)));
  characters.reserve(text.characters());
  const std::string& bytes = text.bytes();
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = at + utf8::length(bytes[at]);
    rendering.spend(1);
    characters.push_back(make_text(rendering, subtext(rendering, text, at, end)));
    at = end;
  }
  return characters;
}

}  // namespace

std::vector<Value> iterate(Rendering& rendering, const Value& value) {
  if (value.is_undefined()) return {};
  if (value.is_text()) return characters_of(rendering, value.text());
  if (value.is_sequence()) {
    const Sequence& sequence = value.sequence();
    const auto& items = sequence.items;
    rendering.check_memory(items.size() * sizeof(Value));
    rendering.spend(items.size() / 8);
    if (sequence.kind != SequenceKind::iterator) return items;
    const auto from = static_cast<std::ptrdiff_t>(std::min(sequence.position, items.size()));
    sequence.position = items.size();
    return {items.begin() + from, items.end()};
  }
  if (value.is_dict()) {
    std::vector<Value> keys;
    for (const auto& entry : value.dict().entries) keys.push_back(entry.first);
    rendering.spend(keys.size() / 8);
    return keys;
  }
  rendering.fail("a {} can't be iterated over", value.type_name());
}

}  // namespace fathom::jinja
