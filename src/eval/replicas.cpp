#include "eval/replicas.h"

#include <cstring>
#include <string_view>

#include "core/error.h"
#include "eval/token_model.h"

namespace fathom::eval {
namespace {

// Neighbours stay together: questions that begin alike are read once by a rank.
struct Share {
  std::size_t first, count;
};
Share share_of(std::size_t requests, int rank, int ranks) {
  const auto bound = [&](int r) {
    return requests * static_cast<std::size_t>(r) / static_cast<std::size_t>(ranks);
  };
  return {bound(rank), bound(rank + 1) - bound(rank)};
}

void append(std::string& bytes, const PairScore& score) {
  bytes.append(reinterpret_cast<const char*>(&score), sizeof(score));
}
void append(std::string& bytes, const std::string& text) {
  const std::size_t size = text.size();
  bytes.append(reinterpret_cast<const char*>(&size), sizeof(size));
  bytes += text;
}

// What one rank has sent, read from its beginning.
class Reader {
 public:
  Reader(std::string_view bytes, std::string sender) : left_(bytes), sender_(std::move(sender)) {}

  void read(PairScore& score) { copy(&score, sizeof(score)); }
  void read(std::string& text) {
    std::size_t size = 0;
    copy(&size, sizeof(size));
    text = take(size);
  }
  void finish() const {
    if (!left_.empty()) fail();
  }

 private:
  void copy(void* to, std::size_t size) { std::memcpy(to, take(size).data(), size); }
  std::string_view take(std::size_t size) {
    if (size > left_.size()) fail();
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  [[noreturn]] void fail() const {
    fail_runtime("{} has answered other questions than this rank asks", sender_);
  }

  std::string_view left_;
  std::string sender_;
};

// ask(requests, take) for this rank's requests, of which the others get the answers too.
template <class Answer, class Request, class Take, class Ask>
void share_out(Communicator& replicas, std::span<const Request> requests, const Take& take,
               const Ask& ask) {
  const Share own = share_of(requests.size(), replicas.rank(), replicas.size());
  std::vector<Answer> answers(own.count);
  std::string bytes;
  try {
    ask(requests.subspan(own.first, own.count), [&](std::size_t i, const Answer& answer) {
      answers[i] = answer;
      take(own.first + i, answer);
    });
    bytes += 'a';
    for (const Answer& answer : answers) append(bytes, answer);
  } catch (const EvaluationStopped&) {
    bytes = "s";
  }
  const PatientWaits patience(replicas);  // shares take as long as they take
  const std::vector<std::string> all = gather_texts(replicas, bytes);
  for (const std::string& one : all) {
    if (one.front() == 's') throw EvaluationStopped();
  }
  for (int rank = 0; rank < replicas.size(); ++rank) {
    if (rank == replicas.rank()) continue;
    const Share share = share_of(requests.size(), rank, replicas.size());
    const std::string_view sent = all[static_cast<std::size_t>(rank)];
    Reader reader(sent.substr(1), replicas.name_of(rank));
    for (std::size_t i = 0; i < share.count; ++i) {
      Answer answer;
      reader.read(answer);
      take(share.first + i, answer);
    }
    reader.finish();
  }
}

}  // namespace

void ReplicatedModel::score(std::span<const TextPair> pairs, const TakeScore& take) {
  share_out<PairScore>(replicas_, pairs, take,
                       [&](auto some, const TakeScore& own) { own_.score(some, own); });
}

void ReplicatedModel::generate(std::span<const GenerateRequest> requests, const TakeText& take) {
  share_out<std::string>(replicas_, requests, take,
                         [&](auto some, const TakeText& own) { own_.generate(some, own); });
}

void ReplicatedModel::score_documents(std::span<const std::string> documents,
                                      const TakeScore& take) {
  share_out<PairScore>(replicas_, documents, take,
                       [&](auto some, const TakeScore& own) { own_.score_documents(some, own); });
}

}  // namespace fathom::eval
