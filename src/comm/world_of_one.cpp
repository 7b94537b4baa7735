#include "comm/world_of_one.h"

#include "comm/peer_communicator.h"
#include "comm/thread_ranks.h"
#include "core/error.h"

namespace fathom {
namespace {

class LoneTransport final : public Transport {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  bool one_process() const override { return true; }
  void post(int, int, std::span<const std::byte>) override { refuse(); }
  std::optional<Message> take(int, int, std::chrono::duration<double>) override { refuse(); }
  void expect(int, int, std::size_t) override { refuse(); }
  void on_failure(std::function<void()>) override {}  // no other rank can fail
  void fail_job(const std::string& message) override { fail_runtime("{}", message); }
  void throw_if_failed() override {
    if (cancelled_) fail_runtime("this rank has failed");
  }
  void cancel() override { cancelled_ = true; }
  std::unique_ptr<Transport> split(int) override { return std::make_unique<LoneTransport>(); }

 private:
  [[noreturn]] static void refuse() { fail_runtime("a message in a group of one rank"); }

  std::atomic<bool> cancelled_ = false;
};

}  // namespace

std::unique_ptr<Communicator> world_of_one(const CommunicatorOptions& options) {
  return std::make_unique<PeerCommunicator>(std::make_unique<LoneTransport>(), options, "world",
                                            plain_rank_names(1));
}

}  // namespace fathom
