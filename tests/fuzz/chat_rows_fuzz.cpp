// Any bytes as a file of chat data: each record is read as conversations and as pairs, or refused
// by an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "align/conversation_rows.h"
#include "align/preference_rows.h"
#include "align/row.h"
#include "core/error.h"
#include "text/records.h"

namespace {

void demand(bool holds) {
  if (!holds) std::abort();
}

template <class F>
void allow_errors(F&& f) {
  try {
    f();
  } catch (const fathom::Error& error) {
    demand(error.kind() == fathom::ErrorKind::input);
  }
}

void read_conversations(const fathom::RowJson& row) {
  const auto conversations = fathom::conversations_of(row);
  demand(!conversations.empty());
  for (const auto& conversation : conversations) {
    fathom::is_multiple_choice(conversation);
    fathom::check_conversation(conversation, fathom::ConversationUse::training);
    // A conversation that passed has something to learn.
    demand(conversation.messages.size() > 0);
  }
}

void read_pairs(const fathom::RowJson& row, fathom::RankingPairs rankings) {
  const auto pairs = fathom::pairs_of(row, rankings);
  demand(!pairs.empty());
  for (const auto& pair : pairs) {
    demand(pair.chosen.role == "assistant" && pair.rejected.role == "assistant");
    demand(pair.chosen.fields != pair.rejected.fields);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  // The input as a file in memory.
  static const int file = memfd_create("fuzz", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  demand(ftruncate(file, 0) == 0);
  demand(pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  allow_errors([] {
    RecordReader reader({path, path});
    std::uint64_t records = 0;
    for (JsonRecord record; reader.next(record); ++records) {
      demand(record.file == path && record.line > 0);
      allow_errors([&] {
        const RowJson row = parse_row(record);
        allow_errors([&] { read_conversations(row); });
        allow_errors([&] { read_pairs(row, RankingPairs::all); });
        allow_errors([&] { read_pairs(row, RankingPairs::best_and_worst); });
      });
    }
    demand(records % 2 == 0);  // the file was read twice
  });
  return 0;
}
