#include "align/base_model.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "align/chat_files.h"
#include "checkpoint/model.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "model/hugging_face.h"
#include "train/config.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// The tokenizer.json of a directory, a run or a checkpoint.
std::string tokenizer_path(const std::string& path) {
  const std::string own = path + "/tokenizer.json";
  if (fs::exists(own)) return own;
  for (const std::string& checkpoint : checkpoints_at(path)) {
    const Checkpoint opened(checkpoint, Checkpoint::Verify::as_read);
    if (const auto of_run = tokenizer_of(opened)) return *of_run;
    break;
  }
  fail_input("{}: there is no tokenizer.json with this model: copy it there", path);
}

// A run has its template and special tokens beside the finished model.
std::string template_directory(const std::string& path, const std::string& tokenizer) {
  if (is_model_directory(path)) return path;
  const std::string beside = fs::path(tokenizer).parent_path().string();
  return is_model_directory(beside + "/model") ? beside + "/model" : beside;
}

void add(std::vector<std::int32_t>& tokens, std::int32_t token) {
  if (std::ranges::find(tokens, token) == tokens.end()) tokens.push_back(token);
}

// The special token that ends an answer, if the template has one.
std::optional<std::int32_t> end_of_answer(const ChatTemplate& chat, const Tokenizer& tokenizer) {
  const Conversation short_one{{make_message("user", "1"), make_message("assistant", "2")}, {}};
  const EncodedChat encoded = chat.encode(short_one, tokenizer);
  for (std::size_t i = encoded.tokens.size(); i > 0; --i) {
    if (encoded.learned[i - 1] == 0) continue;
    const std::int32_t last = encoded.tokens[i - 1];
    if (tokenizer.is_special(last)) return last;
    break;
  }
  return std::nullopt;
}

// A tokenizer_config.json that also names the special tokens which the template has, and the file
// does not: a built-in template takes the tokenizer's usual ones, and without them a chat would
// begin in another way than it was learned.
std::string with_special_tokens(const std::string& config, const ChatTemplate& chat) {
  auto json = nlohmann::ordered_json::parse(config);
  for (const auto& [name, token] : chat.special_tokens()) {
    if (!json.contains(name) || json[name].is_null()) json[name] = token;
  }
  return json.dump(2) + "\n";
}

}  // namespace

BaseModel open_base_model(const std::string& path, const std::string& chat_template) {
  if (path.empty()) fail_input("model.from is empty: name the model to begin with");
  if (!fs::exists(path)) fail_input("model.from: {}: there is no such directory", path);
  const ModelConfig config = model_to_begin_with(path);
  const std::string file = tokenizer_path(path);
  const std::string directory = template_directory(path, file);
  Tokenizer tokenizer = Tokenizer::load(file);
  ChatTemplate chat = ChatTemplate::open(chat_template, directory, tokenizer);
  RunTokenizer files{file, checksum_text(tokenizer.hash()), {}, {}};
  if (const auto end = end_of_answer(chat, tokenizer)) add(files.end_tokens, *end);
  if (is_model_directory(directory)) {
    const ModelDescription description = load_model_description(directory);
    files.bos_token = description.bos_token;
    for (const std::int64_t id : description.eos_tokens) {
      add(files.end_tokens, static_cast<std::int32_t>(id));
    }
  }
  if (const auto eos = tokenizer.eos_id()) add(files.end_tokens, *eos);
  return {path, directory, config, std::move(tokenizer), std::move(chat), std::move(files)};
}

void write_chat_files(const BaseModel& model, const std::string& directory) {
  for (const auto& [name, content] : read_chat_files(model.directory)) {
    if (name == "generation_config.json" || name == "chat_template.jinja") continue;
    const fs::path path = directory + "/" + name;
    fs::create_directories(path.parent_path());
    const bool lists_tokens = name == "tokenizer_config.json";
    write_file_atomically(path.string(),
                          lists_tokens ? with_special_tokens(content, model.chat) : content);
  }
  write_file_atomically(directory + "/chat_template.jinja", model.chat.source());
}

}  // namespace fathom
