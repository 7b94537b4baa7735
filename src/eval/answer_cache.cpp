#include "eval/answer_cache.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/checksum.h"
#include "io/json_object.h"
#include "io/line_reader.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// The file's text, without a last line that was cut short.
std::string whole_lines(const std::string& path) {
  std::string text = read_text(path);
  const std::size_t end = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (end < text.size()) {
    fs::resize_file(path, end);
    text.resize(end);
  }
  return text;
}

// What a request asks besides its text.
std::string chat_text(const Chat& chat) {
  if (!chat) return "";
  Json json = Json::array();
  for (const Message& message : chat->messages) json.push_back({message.role, message.fields});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

AnswerCache::AnswerCache(LanguageModel& model, const std::string& path, const std::string& identity)
    : model_(model), path_(path), identity_(identity) {
  if (fs::exists(path_)) load();
  file_.open(path_, std::ios::binary | std::ios::app);
  if (!file_) fail_runtime("{}: cannot be opened for writing", path_);
}

void AnswerCache::load() {
  const std::string text = whole_lines(path_);
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const std::string where = fmt::format("{}:{}", path_, ++number);
    const JsonObject line = JsonObject::parse(std::string_view(text).substr(at, end - at), where);
    Known& known = known_[line.text("key")];
    if (const auto answer = line.find_text("text")) known.text = *answer;
    if (line.has("tokens")) {
      known.score = {line.number("log_probability"), line.integer("tokens"), line.boolean("greedy")};
    }
    at = end + 1;
  }
}

// Two checksums of 64 bits, of texts that differ: chance never makes two keys equal.
std::string AnswerCache::key_of(const std::string& kind, const std::string& a, const std::string& b,
                                const std::string& c) const {
  std::string all = kind;
  for (const std::string* part : {&identity_, &a, &b, &c}) all += fmt::format("\n{}\n{}", part->size(), *part);
  return checksum_text(checksum_of(all)) + checksum_text(checksum_of(all + "\nagain"));
}

void AnswerCache::keep(const std::string& key, const Known& answer) {
  Json line{{"key", key}};
  if (answer.score.tokens > 0) {
    line["log_probability"] = answer.score.log_probability;
    line["tokens"] = answer.score.tokens;
    line["greedy"] = answer.score.greedy;
  } else {
    line["text"] = answer.text;
  }
  file_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
  if (!file_) fail_runtime("{}: the answers cannot be written: is the disk full?", path_);
}

template <class KeyOf, class TakeKnown, class Ask>
void AnswerCache::answer(std::size_t count, KeyOf key, TakeKnown take, Ask ask) {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < count; ++i) {
    const auto found = known_.find(key(i));
    if (found == known_.end()) {
      left.push_back(i);
      continue;
    }
    ++reused_;
    take(i, found->second);
  }
  if (!left.empty()) ask(left);
}

void AnswerCache::score(std::span<const TextPair> pairs, const TakeScore& take) {
  const auto key = [&](std::size_t i) { return key_of("pair", pairs[i].context, pairs[i].continuation, chat_text(pairs[i].chat)); };
  answer(pairs.size(), key, [&](std::size_t i, const Known& known) { take(i, known.score); },
         [&](const std::vector<std::size_t>& left) {
           std::vector<TextPair> asked;
           for (const std::size_t i : left) asked.push_back(pairs[i]);
           model_.score(asked, [&](std::size_t j, const PairScore& score) {
             keep(key(left[j]), {score, ""});
             take(left[j], score);
           });
         });
}

void AnswerCache::score_documents(std::span<const std::string> documents, const TakeScore& take) {
  const auto key = [&](std::size_t i) { return key_of("document", documents[i]); };
  answer(documents.size(), key, [&](std::size_t i, const Known& known) { take(i, known.score); },
         [&](const std::vector<std::size_t>& left) {
           std::vector<std::string> asked;
           for (const std::size_t i : left) asked.push_back(documents[i]);
           model_.score_documents(asked, [&](std::size_t j, const PairScore& score) {
             keep(key(left[j]), {score, ""});
             take(left[j], score);
           });
         });
}

void AnswerCache::generate(std::span<const GenerateRequest> requests, const TakeText& take) {
  const auto key = [&](std::size_t i) {
    const GenerateRequest& request = requests[i];
    const std::string drawn = request.temperature == 0
                                  ? ""
                                  : fmt::format(" {} {} {}", request.temperature, request.top_p, request.sample);
    return key_of("text", request.prompt, std::to_string(request.max_tokens) + drawn, Json(request.stop).dump() + chat_text(request.chat));
  };
  answer(requests.size(), key, [&](std::size_t i, const Known& known) { take(i, known.text); },
         [&](const std::vector<std::size_t>& left) {
           std::vector<GenerateRequest> asked;
           for (const std::size_t i : left) asked.push_back(requests[i]);
           model_.generate(asked, [&](std::size_t j, const std::string& text) {
             keep(key(left[j]), {{}, text});
             take(left[j], text);
           });
         });
}

}  // namespace fathom::eval
