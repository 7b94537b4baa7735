// Transport: messages between the ranks of a group, from which PeerCommunicator
// makes collectives. One thread of a rank uses a transport at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fathom {

class Transport {
 public:
  using Message = std::vector<std::byte>;

  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Whether all ranks are threads of this process.
  virtual bool one_process() const = 0;

  // Sends a copy and returns at once. Tags count from 0.
  virtual void post(int to, int tag, std::span<const std::byte> bytes) = 0;
  // The next message of `from` with this tag; none when there is none after
  // `timeout`. Throws a runtime Error when a rank of the job has failed.
  virtual std::optional<Message> take(int from, int tag, std::chrono::duration<double> timeout) = 0;

  // Announces the size of the next message of `from` with this tag that was not announced yet: a
  // transport may begin to receive it.
  virtual void expect(int from, int tag, std::size_t bytes) = 0;
  // Sets the function that is called, from any thread, when a rank of the job has failed and this
  // process goes on. Empty: none any more.
  virtual void on_failure(std::function<void()> act) = 0;
  // Ends the job on all ranks with this message, when the rank's own thread cannot throw it; any
  // thread.
  virtual void fail_job(const std::string& message) = 0;
  // Throws a runtime Error when a rank of the job has failed.
  virtual void throw_if_failed() = 0;
  // take() throws from now on, also in a thread that waits in it.
  virtual void cancel() = 0;

  // The part of the group that passes the same colour. Collective.
  virtual std::unique_ptr<Transport> split(int color) = 0;
};

}  // namespace fathom
