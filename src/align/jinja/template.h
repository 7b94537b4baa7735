// A chat template in the Jinja language, as transformers renders it: the constructs that
// public models' templates use, in the sandbox that transformers sets up, bounded in steps,
// memory, output and nesting. What the interpreter does not know is refused with its line.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "align/jinja/rendering.h"
#include "align/jinja/text.h"
#include "text/byte_span.h"

namespace fathom {

struct RenderOptions {
  // What strftime_now() formats; a template that calls it without is refused.
  std::optional<std::tm> now;
  // Texts of the variables that count as the template's own: "bos_token",
  // "messages.*.role" (* is any element of a list). Only for texts that no user chooses.
  std::vector<std::string> trusted;
  jinja::Limits limits;
};

struct RenderedText {
  std::string text;
  // Bytes that the template or trusted variables wrote: all others came from variables, or
  // may have, and must never become special tokens. Ascending; no two touch.
  std::vector<ByteSpan> from_template;
  // Bytes within {% generation %}, likewise.
  std::vector<ByteSpan> generated;
};

class JinjaTemplate {
 public:
  // `name` begins every message, such as the path of the template's file. Throws an input
  // Error with the line for what is no template or is not supported.
  static JinjaTemplate parse(std::string_view source, const std::string& name);

  // `variables` is an object. Throws an input Error with the template's line: of the
  // template's own raise_exception(), of an operation that Python refuses too, of a bound
  // that is exceeded. May be called from several threads.
  RenderedText render(const nlohmann::ordered_json& variables,
                      const RenderOptions& options = {}) const;

  // Whether the template has a {% generation %} tag.
  bool marks_generation() const;

 private:
  struct Syntax;
  std::shared_ptr<const Syntax> syntax_;
};

}  // namespace fathom
