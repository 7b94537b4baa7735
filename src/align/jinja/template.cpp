#include "align/jinja/template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "align/jinja/interpreter.h"
#include "align/jinja/json.h"
#include "align/jinja/parser.h"

namespace fathom {

struct JinjaTemplate::Syntax {
  std::string name;
  jinja::Body body;
};

namespace {

std::vector<ByteSpan> spans_with(const jinja::Text& text, jinja::OriginFlags flag) {
  std::vector<ByteSpan> spans;
  for (const jinja::OriginSpan& span : text.spans()) {
    if (!(span.flags & flag)) continue;
    if (!spans.empty() && spans.back().end == span.begin) {
      spans.back().end = span.end;
    } else {
      spans.push_back({span.begin, span.end});
    }
  }
  return spans;
}

bool has_generation(const jinja::Body& body) {
  return std::any_of(body.begin(), body.end(), [](const auto& statement) {
    return statement->kind == jinja::StatementKind::generation || has_generation(statement->body) ||
           has_generation(statement->otherwise);
  });
}

}  // namespace

JinjaTemplate JinjaTemplate::parse(std::string_view source, const std::string& name) {
  JinjaTemplate result;
  result.syntax_ =
      std::make_shared<const Syntax>(Syntax{name, jinja::parse_template(source, name)});
  return result;
}

RenderedText JinjaTemplate::render(const nlohmann::ordered_json& variables,
                                   const RenderOptions& options) const {
  if (!variables.is_object()) {
    fail_input("{}: the variables of a template must be a JSON object", syntax_->name);
  }
  jinja::Rendering rendering(syntax_->name, options.limits, options.now);
  const jinja::Value values = jinja::from_json(rendering, variables, options.trusted);
  const jinja::Text text = jinja::Interpreter(rendering).render(syntax_->body, values);
  return {text.bytes(), spans_with(text, jinja::from_template),
          spans_with(text, jinja::in_generation)};
}

bool JinjaTemplate::marks_generation() const {
  return has_generation(syntax_->body);
}

}  // namespace fathom
