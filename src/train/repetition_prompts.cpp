#include "train/repetition_prompts.h"

#include <fmt/format.h>

#include "core/error.h"
#include "io/json_value.h"
#include "io/line_reader.h"

namespace fathom {
namespace {

RepetitionPrompt prompt_of(const std::string& line, const std::string& where) {
  const JsonValue row = JsonValue::parse(line, where);
  RepetitionPrompt prompt;
  prompt.where = where;
  if (row.is_text()) {
    prompt.text = row.text();
  } else if (row.is_object() && row.has("prompt")) {
    prompt.text = row.at("prompt").text();
  } else if (row.is_object() && (row.has("messages") || row.has("conversations"))) {
    prompt.conversation = line;
    return prompt;
  } else {
    row.refuse("has no prompt: use a string, or an object with \"prompt\" or \"messages\"");
  }
  if (prompt.text.empty()) row.refuse("is an empty prompt: leave it out");
  return prompt;
}

}  // namespace

std::vector<RepetitionPrompt> read_repetition_prompts(const RepetitionConfig& config) {
  std::vector<RepetitionPrompt> prompts;
  for (const std::string& text : config.prompts) {
    const std::string where = fmt::format("repetition.prompts[{}]", prompts.size());
    if (text.empty()) fail_input("{} is an empty prompt: leave it out", where);
    prompts.push_back({text, "", where});
  }
  if (config.prompts_file.empty()) return prompts;
  const std::size_t before = prompts.size();
  LineReader lines(config.prompts_file);
  for (std::string line; lines.next(line);) {
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    prompts.push_back(
        prompt_of(line, fmt::format("{}:{}", config.prompts_file, lines.line_number())));
  }
  if (prompts.size() == before) fail_input("{}: it contains no prompt", config.prompts_file);
  return prompts;
}

}  // namespace fathom
