// Messages through MPI's point-to-point calls. Waiting is polling, so that a timeout
// can name the rank that is missing, and idle ranks leave the cores to busy ones.
#include "comm/mpi_ranks.h"

#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <map>
#include <thread>

#include "comm/disk_watch.h"
#include "comm/heartbeat.h"
#include "comm/hosts.h"
#include "comm/peer_communicator.h"
#include "comm/thread_ranks.h"
#include "core/build_id.h"
#include "core/error.h"
#include "core/log.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(status, text, &length);
  fail_runtime("{}: {}", what, std::string(text, static_cast<std::size_t>(length)));
}

[[noreturn]] void end_job(const std::string& message, int code) {
  log::write(log::Level::error, message);
  MPI_Abort(MPI_COMM_WORLD, code);
  std::terminate();  // MPI_Abort does not return
}

// A message longer than a piece is sent as several; MPI counts in int.
constexpr std::size_t piece_bytes = std::size_t{1} << 30;

class MpiTransport final : public Transport {
 public:
  // Frees the communicator in the end, but for the world.
  explicit MpiTransport(MPI_Comm comm) : comm_(comm) {
    check(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  }
  ~MpiTransport() override {
    // After an exception the job is about to be aborted, and nobody may be receiving.
    if (std::uncaught_exceptions() > 0) return;
    for (Sending& sending : sendings_) MPI_Wait(&sending.request, MPI_STATUS_IGNORE);
    if (comm_ != MPI_COMM_WORLD) MPI_Comm_free(&comm_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  bool one_process() const override { return false; }

  void post(int to, int tag, std::span<const std::byte> bytes) override {
    forget_sent();
    do {
      const auto piece = bytes.first(std::min(bytes.size(), piece_bytes));
      Sending& sending = sendings_.emplace_back();
      sending.bytes.assign(piece.begin(), piece.end());
      check(MPI_Isend(sending.bytes.data(), static_cast<int>(piece.size()), MPI_BYTE, to, tag,
                      comm_, &sending.request),
            "MPI_Isend");
      bytes = bytes.subspan(piece.size());
      // A last piece that is not full says that the message ends here.
      if (piece.size() < piece_bytes) return;
    } while (true);
  }

  // Messages of one pair and tag match in order, so a receive that is posted gets the next
  // one. Longer ones than a piece are left to take().
  void expect(int from, int tag, std::size_t bytes) override {
    if (bytes >= piece_bytes) return;
    Message message(bytes);
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Irecv(message.data(), static_cast<int>(bytes), MPI_BYTE, from, tag, comm_, &request),
          "MPI_Irecv");
    expected_[{from, tag}].push_back({request, std::move(message)});
  }

  void on_failure(std::function<void()>) override {}  // which ends the process
  void fail_job(const std::string& message) override { end_job(message, 1); }
  // A failure elsewhere ends the process.
  void throw_if_failed() override {
    if (cancelled_) fail_runtime("this rank has failed");
  }
  void cancel() override { cancelled_ = true; }

  std::optional<Message> take(int from, int tag, std::chrono::duration<double> timeout) override {
    if (const auto found = expected_.find({from, tag});
        found != expected_.end() && !found->second.empty()) {
      return take_expected(found->second, timeout);
    }
    Message message;
    do {
      MPI_Message handle;
      int count = 0;
      if (!wait_for(from, tag, timeout, handle, count)) return std::nullopt;
      const std::size_t have = message.size();
      message.resize(have + static_cast<std::size_t>(count));
      check(MPI_Mrecv(message.data() + have, count, MPI_BYTE, &handle, MPI_STATUS_IGNORE),
            "MPI_Mrecv");
      if (static_cast<std::size_t>(count) < piece_bytes) return message;
    } while (true);
  }

  std::unique_ptr<Transport> split(int color) override {
    MPI_Comm part = MPI_COMM_NULL;
    check(MPI_Comm_split(comm_, color, rank_, &part), "MPI_Comm_split");
    return std::make_unique<MpiTransport>(part);
  }

 private:
  // Bytes that MPI reads or writes until the request is done.
  struct Sending {
    MPI_Request request = MPI_REQUEST_NULL;
    Message bytes;
  };

  using Sendings = std::deque<Sending>;

  std::optional<Message> take_expected(Sendings& queue, std::chrono::duration<double> timeout) {
    Sending& next = queue.front();
    const bool arrived = wait_until(timeout, [&] {
      int done = 0;
      check(MPI_Test(&next.request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      return done != 0;
    });
    if (!arrived) return std::nullopt;
    Message message = std::move(next.bytes);
    queue.pop_front();
    return message;
  }

  bool wait_for(int from, int tag, std::chrono::duration<double> timeout, MPI_Message& handle,
                int& count) {
    return wait_until(timeout, [&] {
      int found = 0;
      MPI_Status status;
      check(MPI_Improbe(from, tag, comm_, &found, &handle, &status), "MPI_Improbe");
      if (found) MPI_Get_count(&status, MPI_BYTE, &count);
      return found != 0;
    });
  }

  template <class Arrived>
  bool wait_until(std::chrono::duration<double> timeout, Arrived&& arrived) {
    const auto start = Clock::now();
    for (int polls = 0;; ++polls) {
      if (arrived()) return true;
      throw_if_failed();
      forget_sent();
      if (Clock::now() - start >= timeout) return false;
      if (polls < 100) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }

  void forget_sent() {
    while (!sendings_.empty()) {
      int done = 0;
      check(MPI_Test(&sendings_.front().request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      if (!done) return;
      sendings_.pop_front();
    }
  }

  MPI_Comm comm_;
  int rank_ = 0, size_ = 0;
  Sendings sendings_;
  std::map<std::pair<int, int>, Sendings> expected_;  // by (from, tag)
  std::atomic<bool> cancelled_ = false;
};

// Hosts have their own copies of the program, which an update may not have reached.
void warn_of_other_builds(Communicator& world) {
  const std::vector<std::string> builds = gather_texts(world, build_id());
  const auto other = std::ranges::find_if(builds, [&](const auto& b) { return b != builds[0]; });
  if (world.rank() != 0 || other == builds.end()) return;
  log::warning("{} runs another build of Fathom than {}: its results may differ, or the job fail; "
               "install the same one on both",
               world.name_of(static_cast<int>(other - builds.begin())), world.name_of(0));
}

// MPI from here to the end of the scope.
struct Session {
  Session() {
    int level = MPI_THREAD_SINGLE;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level), "MPI_Init_thread");
    if (level < MPI_THREAD_MULTIPLE) {
      fail_input("this MPI does not support MPI_THREAD_MULTIPLE: use another build of it");
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
  ~Session() { MPI_Finalize(); }
};

}  // namespace

void run_mpi_rank(const CommunicatorOptions& options,
                  const std::function<void(Communicator&)>& body) {
  const Session session;
  auto transport = std::make_unique<MpiTransport>(MPI_COMM_WORLD);
  const int ranks = transport->size();
  PeerCommunicator world(std::move(transport), options, "world", plain_rank_names(ranks));
  world.name_hosts(host_labels(world));
  warn_of_other_builds(world);
  HeartbeatOptions heartbeat_options;
  heartbeat_options.warned = [&](int rank, const std::string& news) {
    log::warning("{}: {} (told by {})", world.name_of(rank), news, world.name_of(world.rank()));
  };
  std::optional<Heartbeat> heartbeat;
  heartbeat.emplace(
      world,
      [&](int rank, const std::string& reason) {
        end_job(fmt::format("{}: {}", world.name_of(rank), reason), 1);
      },
      heartbeat_options);
  const DiskWatch disk_watch(
      ranks > 1 ? options.disk_timeout_seconds : 0, [&](const std::string& message) {
        end_job(fmt::format("{}: {}", world.name_of(world.rank()), message), 1);
      });
  // A rank that fails tells why itself: its neighbours need not report its end.
  const auto fail = [&](const char* what, int code) {
    heartbeat.reset();
    end_job(fmt::format("{}: {}", world.name_of(world.rank()), what), code);
  };
  try {
    body(world);
  } catch (const Error& error) {
    fail(error.what(), error.kind() == ErrorKind::input ? 2 : 1);
  } catch (const std::exception& error) {
    fail(error.what(), 1);
  }
}

}  // namespace fathom
