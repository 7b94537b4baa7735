// A task as its file describes it (configs/tasks/*.toml): where its data is, how a row becomes
// prompts, and how answers are scored. A new benchmark needs such a file and no code; the keys are
// explained in docs/evaluation.md.
//
// Texts marked "template" are Jinja with the row's fields as variables.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_names.h"

namespace fathom::eval {

enum class Mode {
  choices,     // the likeliest of several answers
  likelihood,  // how likely the one answer is, and whether greedy generation would give it
  generate,    // greedy text, compared with the right answers
  perplexity,  // how likely whole documents are
};
inline std::span<const std::string_view> enum_names(Mode) {
  static constexpr std::string_view names[] = {"choices", "likelihood", "generate", "perplexity"};
  return names;
}

enum class DataFormat { automatic, json, csv, tsv, text };
inline std::span<const std::string_view> enum_names(DataFormat) {
  static constexpr std::string_view names[] = {"auto", "json", "csv", "tsv", "text"};
  return names;
}

// Rows from files below the folder of --data.
struct DataConfig {
  std::vector<std::string> files;  // packed files are unpacked; globs are expanded
  // A regular expression that whole names match: of the members of .zip files, and of other files
  // as paths below the folder. Its group "subset" names the part of the task that a file holds.
  std::string names;
  DataFormat format = DataFormat::automatic;
  std::vector<std::string> columns;  // names of a csv's or tsv's columns when it has no header
  // A file with one line a row, which becomes the field "label".
  std::string labels;
  // Template that writes a value's rows as one JSON object a line, for files whose rows are nested.
  // The variable `value` is the file's value; of text the object {"text": ...}.
  std::string rows;
  // Template of a file below --data, with the row's fields: its text becomes the field "attached".
  std::string attached;
};
template <class Visitor>
void visit_fields(DataConfig& c, Visitor&& field) {
  field("files", c.files, "files below --data; globs are expanded, packed files unpacked");
  field("names", c.names, "pattern of names, in .zip files the members'; its group 'subset' names parts");
  field("format", c.format, "by the name when auto: .json and .jsonl (also .gz), .csv, .tsv, .parquet");
  field("columns", c.columns, "names of the columns of a csv or tsv without a header");
  field("labels", c.labels, "file with a line for each row: the field 'label'");
  field("rows", c.rows, "template that writes the rows of a nested `value`, one JSON object a line");
  field("attached", c.attached, "template of the path of a text file for each row: the field 'attached'");
}

// A field made of others before prompts are: a text or a list of texts, in which then all matches
// of patterns are replaced.
struct FieldConfig {
  std::string name;
  std::string value;                                // template of a text
  std::string list;                                 // or Jinja expression of a list
  std::vector<std::string> patterns, replacements;  // of equal number; \1 is a group
};
template <class Visitor>
void visit_fields(FieldConfig& c, Visitor&& field) {
  field("name", c.name, "of the field");
  field("value", c.value, "template of its text");
  field("list", c.list, "Jinja expression of a list of texts instead");
  field("patterns", c.patterns, "regular expressions to replace in it, in order");
  field("replacements", c.replacements, "what each of them becomes; \\1 is a group");
}

enum class ShotDraw {
  first,   // the first rows
  sample,  // Python's random.Random(seed).sample(), drawn on for each row, as lm-eval does
  same_value,  // those whose `same` field equals the row's, such as questions of one passage
};
inline std::span<const std::string_view> enum_names(ShotDraw) {
  static constexpr std::string_view names[] = {"first", "sample", "same_value"};
  return names;
}

struct ShotsConfig {
  std::int64_t count = 0;
  DataConfig data;  // none: no rows but `texts`
  ShotDraw draw = ShotDraw::first;
  std::int64_t seed = 1234;
  std::string same;                // draw = "same_value"
  std::vector<std::string> texts;  // fixed examples, question and answer together
  std::string separator = "\n\n";  // after each example
};
template <class Visitor>
void visit_fields(ShotsConfig& c, Visitor&& field) {
  field("count", c.count, "examples before the question");
  field("data", c.data, "where they are; the task's own rows when empty, the row itself excepted");
  field("draw", c.draw, "first rows, a seeded sample, or rows with the same value of a field");
  field("seed", c.seed, "of the sample");
  field("same", c.same, "the field whose value must be the row's");
  field("texts", c.texts, "fixed examples in place of rows");
  field("separator", c.separator, "after each example");
}

struct PromptConfig {
  std::string description;  // template, before the examples
  std::string context;      // template: the question
  std::vector<std::string> contexts;  // one for each choice instead, with one `target`
  std::string delimiter = " ";        // between question and answer
  std::vector<std::string> choices;   // templates of the answers
  std::string choice_list;            // Jinja expression of a list of answers instead
  std::string gold;         // template of the right choice's number from 0
  std::string gold_choice;  // or template of its text
  std::string target;  // template of the answer: of examples, and of likelihood
  // Jinja expression of a list: all right answers of generate. One may be a list of several texts
  // that belong together (metric = "drop").
  std::string golds;
  // The context of unconditional scores, "log p(answer | context) − log p(answer | this)".
  std::optional<std::string> unconditional;
};
template <class Visitor>
void visit_fields(PromptConfig& c, Visitor&& field) {
  field("description", c.description, "template of the text before the examples");
  field("context", c.context, "template of the question");
  field("contexts", c.contexts, "a question for each choice instead, all with the answer `target`");
  field("delimiter", c.delimiter, "between question and answer");
  field("choices", c.choices, "templates of the answers to choose from");
  field("choice_list", c.choice_list, "Jinja expression of a list of answers instead");
  field("gold", c.gold, "template of the right choice's number from 0");
  field("gold_choice", c.gold_choice, "template of the right choice's text instead");
  field("target", c.target, "template of the right answer: of examples, and of likelihood");
  field("golds", c.golds, "Jinja expression of the list of right answers to compare with");
  field("unconditional", c.unconditional, "context to compare each answer's likelihood with");
}

// One step of a filter from generated text to an answer.
enum class FilterKind {
  regex,   // the group of a match; `otherwise` without one
  before,  // what comes before the first match
  remove,  // without all matches
  replace, // all matches become `with`
  strip,   // without blanks at both ends
  lstrip,  // without blanks at the beginning
  lower,   // small letters
};
inline std::span<const std::string_view> enum_names(FilterKind) {
  static constexpr std::string_view names[] = {"regex", "before", "remove", "replace", "strip", "lstrip", "lower"};
  return names;
}
struct FilterStep {
  FilterKind kind = FilterKind::strip;
  std::string pattern, with, otherwise = "[invalid]";
  std::int64_t match = 0;  // which; −1: the last
};
template <class Visitor>
void visit_fields(FilterStep& c, Visitor&& field) {
  field("kind", c.kind, "what the step does");
  field("pattern", c.pattern, "regular expression");
  field("with", c.with, "what replaces a match");
  field("otherwise", c.otherwise, "the answer when nothing matches");
  field("match", c.match, "which match counts: 0 the first, -1 the last");
}
struct FilterConfig {
  std::string name = "none";
  std::vector<FilterStep> steps;
};
template <class Visitor>
void visit_fields(FilterConfig& c, Visitor&& field) {
  field("name", c.name, "of the scores that it gives");
  field("steps", c.steps, "from the generated text to the answer");
}

enum class TextMetric {
  exact_match,   // equal to one of the golds
  contains,      // a gold appears in the answer
  drop,          // DROP's: em, f1 (drop_metric.h)
  math,          // equal as mathematical texts (math_text.h)
  instructions,  // IFEval's: follows the row's instructions (instructions.h)
  code,          // GenerateConfig::program runs to its end (pass_at_k.h)
};
inline std::span<const std::string_view> enum_names(TextMetric) {
  static constexpr std::string_view names[] = {"exact_match", "contains", "drop", "math", "instructions", "code"};
  return names;
}

// How generated text is compared.
struct GenerateConfig {
  std::vector<std::string> stop;
  std::int64_t max_tokens = 256;
  std::vector<FilterConfig> filters;  // none: the text as it is
  TextMetric metric = TextMetric::exact_match;
  std::vector<std::string> ignore;  // regular expressions removed from answer and golds
  bool ignore_case = false, ignore_punctuation = false;
  std::int64_t samples = 1;  // answers to each question
  double temperature = 0, top_p = 1;
  // metric = "code": template of a Python program, with the row's fields and `completion`.
  std::string program;
  double program_seconds = 3;
  std::int64_t program_mib = 1024;     // memory of its processes together
  std::vector<std::int64_t> pass_at{1};  // the numbers k of pass@k; at most `samples`
};
template <class Visitor>
void visit_fields(GenerateConfig& c, Visitor&& field) {
  field("stop", c.stop, "texts that end the answer");
  field("max_tokens", c.max_tokens, "longest answer");
  field("filters", c.filters, "from the text to the answer, each with scores of its own");
  field("metric", c.metric, "how answers are compared");
  field("ignore", c.ignore, "regular expressions removed from answer and golds before");
  field("ignore_case", c.ignore_case, "compares small letters");
  field("ignore_punctuation", c.ignore_punctuation, "compares without ASCII punctuation");
  field("samples", c.samples, "answers to each question");
  field("temperature", c.temperature, "of drawing them; 0: the likeliest tokens");
  field("top_p", c.top_p, "draws from the fewest tokens whose probabilities reach this");
  field("program", c.program, "template of the Python program that checks a `completion`");
  field("program_seconds", c.program_seconds, "longest time of a program");
  field("program_mib", c.program_mib, "memory of a program in MiB");
  field("pass_at", c.pass_at, "the numbers k of pass@k");
}

// What somebody else's model reaches at this task, asked and scored in this way.
struct PublishedScore {
  std::string model;
  double value = 0;    // as the task's own scores are: shares, not percent
  std::string score;   // which of them; empty: the main one
  std::string source;  // where it is published
};
template <class Visitor>
void visit_fields(PublishedScore& c, Visitor&& field) {
  field("model", c.model, "whose score it is");
  field("value", c.value, "as this task's scores are: a share, not percent");
  field("score", c.score, "which of the task's scores; empty: the main one");
  field("source", c.source, "where it is published");
}

struct TaskConfig {
  std::string name, description, language;
  std::string group;  // of tasks whose scores are averaged together
  double weight = 1;  // in that average
  Mode mode = Mode::choices;
  DataConfig data;
  std::vector<FieldConfig> fields;
  ShotsConfig shots;
  PromptConfig prompt;
  GenerateConfig generate;
  std::string metric;  // the score that stands for the task in tables and groups
  std::vector<PublishedScore> published;
  std::string source;  // path of the file
};
template <class Visitor>
void visit_fields(TaskConfig& c, Visitor&& field) {
  field("name", c.name, "of the task");
  field("description", c.description, "what it asks, in a line");
  field("language", c.language, "of its texts");
  field("group", c.group, "of tasks whose scores are averaged together");
  field("weight", c.weight, "of the task in that average");
  field("mode", c.mode, "how a model answers");
  field("data", c.data, "the rows");
  field("fields", c.fields, "fields made of others");
  field("shots", c.shots, "examples before each question");
  field("prompt", c.prompt, "how a row is asked");
  field("generate", c.generate, "how generated text is compared");
  field("metric", c.metric, "the score that stands for the task");
  field("published", c.published, "scores of others, to stand beside a model's own");
}

// Reads and checks a task's file. Throws an input Error that names the file and the key.
TaskConfig load_task(const std::string& path, const std::vector<std::string>& overrides = {});

// A task's file by the name that a user gives: a path, or the name of a file in the folder
// `configs`. Throws an input Error with the nearest known name.
std::string find_task(const std::string& name, const std::string& configs);

}  // namespace fathom::eval
