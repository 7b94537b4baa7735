#include "align/preference_data.h"

#include <algorithm>

#include "align/preference_rows.h"
#include "align/row_batches.h"
#include "core/error.h"
#include "io/input_files.h"
#include "text/language.h"
#include "text/script.h"

namespace fathom {
namespace {

struct Side {
  std::vector<std::int32_t> tokens;  // up to the end of the answer
  std::size_t answer = 0;            // where the answer begins
  bool ends = true;
};

Side encode_side(const Conversation& prompt, const Message& answer, const ChatTemplate& chat,
                 const Tokenizer& tokenizer, ChatOptions options) {
  options.learned = LearnedTurns::last;
  Conversation whole = prompt;
  whole.messages.push_back(answer);
  whole.messages.back().learned = true;
  EncodedChat encoded = chat.encode(whole, tokenizer, options);
  const auto& learned = encoded.learned;
  Side side{std::move(encoded.tokens), 0, encoded.ends_turns};
  side.answer = static_cast<std::size_t>(std::ranges::find(learned, 1) - learned.begin());
  side.tokens.resize(static_cast<std::size_t>(
      std::find(learned.rbegin(), learned.rend(), 1).base() - learned.begin()));
  return side;
}

EncodedExample encode_pair(const AnswerPair& pair, const ChatTemplate& chat,
                           const Tokenizer& tokenizer, const ChatDataOptions& options) {
  const bool texts = pair.prompt.messages.empty();
  if (texts && chat.name() != "plain") {
    fail_input(
        "the answers have no prompt: add it as 'prompt', or use the chat template plain for texts "
        "that begin alike");
  }
  const auto side = [&](const Message& answer, const char* name) {
    return with_location(
        name, [&] { return encode_side(pair.prompt, answer, chat, tokenizer, options.chat); });
  };
  Side chosen = side(pair.chosen, "chosen"), rejected = side(pair.rejected, "rejected");
  if (chosen.tokens == rejected.tokens) fail_input("chosen and rejected are the same");
  const auto shared = static_cast<std::size_t>(
      std::ranges::mismatch(chosen.tokens, rejected.tokens).in1 - chosen.tokens.begin());
  const std::size_t prompt = texts ? shared : std::min({shared, chosen.answer, rejected.answer});
  if (prompt == 0 || (texts && prompt <= std::max(chosen.answer, rejected.answer))) {
    fail_input("chosen and rejected share no prompt");
  }
  EncodedExample example;
  example.prompt = static_cast<std::int64_t>(prompt);
  example.turns = std::ssize(pair.prompt.messages) + 2;
  example.answers = 2;
  example.learned_tokens =
      std::ssize(chosen.tokens) + std::ssize(rejected.tokens) - 2 * example.prompt;
  example.ends_turns = chosen.ends && rejected.ends;
  example.script = prevailing_script(pair.chosen.content());
  if (options.detect_languages) example.language = detect_language(pair.chosen.content()).code;
  example.tokens = std::move(chosen.tokens);
  example.rejected = std::move(rejected.tokens);
  return example;
}

}  // namespace

bool holds_preferences(const std::vector<std::string>& paths) {
  RecordReader reader(find_input_files(paths, "chat data").paths);
  JsonRecord record;
  if (!reader.next(record)) return false;
  RowJson row;
  try {
    row = parse_row(record);
  } catch (const Error&) {
    return false;  // read_examples() says what is wrong with it
  }
  return (has_field(row, "chosen") && has_field(row, "rejected")) || has_field(row, "answers") ||
         (has_field(row, "output") && row["output"].is_array());
}

ChatStatistics read_preferences(const std::vector<std::string>& paths, const ChatTemplate& chat,
                                const Tokenizer& tokenizer, const ChatDataOptions& options,
                                RankingPairs rankings, PreferenceSet& pairs) {
  const auto encode = [&](const RowJson& row) {
    std::vector<EncodedExample> encoded;
    for (const AnswerPair& pair : pairs_of(row, rankings)) {
      encoded.push_back(encode_pair(pair, chat, tokenizer, options));
    }
    return encoded;
  };
  return read_rows(paths, options, encode, [&](const EncodedExample& example) {
    const auto prompt = static_cast<std::size_t>(example.prompt);
    const std::span chosen(example.tokens), rejected(example.rejected);
    pairs.add({chosen.first(prompt), chosen.subspan(prompt), rejected.subspan(prompt)});
  });
}

}  // namespace fathom
