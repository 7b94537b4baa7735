#include "report/tensorboard.h"

#include <fcntl.h>
#include <tensorboard_event.pb.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/log.h"

namespace fathom {
namespace {

namespace message = tensorboard;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  constexpr std::uint32_t reversed_polynomial = 0x82f63b78u;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? reversed_polynomial : 0);
    table[byte] = crc;
  }
  return table;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

message::Event event_at(std::int64_t step) {
  message::Event event;
  event.set_wall_time(now_seconds());
  event.set_step(step);
  return event;
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// TensorBoard orders the files of a directory by name and time. Host and process number
// distinguish files of the same second.
std::string event_file_name() {
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  return fmt::format("events.out.tfevents.{:010}.{}.{}", static_cast<std::int64_t>(now_seconds()),
                     host, getpid());
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  static constexpr auto table = make_crc_table();
  std::uint32_t crc = ~0u;
  for (const std::byte byte : bytes) {
    crc = table[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff] ^ (crc >> 8);
  }
  return ~crc;
}

std::uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  constexpr std::uint32_t mask_delta = 0xa282ead8u;
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + mask_delta;
}

std::string framed_record(std::string_view message) {
  const auto crc_of = [](std::string_view text) {
    return little_endian(masked_crc32c(std::as_bytes(std::span(text))), 4);
  };
  const std::string length = little_endian(message.size(), 8);
  std::string record = length + crc_of(length);
  record += message;
  return record + crc_of(message);
}

TensorBoardWriter::TensorBoardWriter(const std::string& directory, std::int64_t resumed_step) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail_runtime("{}: cannot create this directory: {}", directory, error.message());
  const std::string name = directory + "/" + event_file_name();
  path_ = name;
  for (int i = 1; file_ < 0; ++i) {
    file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (file_ < 0 && errno != EEXIST) {
      fail_runtime("{}: cannot write this file: {}", path_, std::strerror(errno));
    }
    if (file_ < 0) path_ = fmt::format("{}.{}", name, i);
  }
  message::Event version = event_at(0);
  version.set_file_version("brain.Event:2");
  append(version.SerializeAsString());
  if (resumed_step > 0) {
    constexpr int started = 1;
    message::Event restart = event_at(resumed_step + 1);
    restart.mutable_session_log()->set_status(started);
    append(restart.SerializeAsString());
  }
}

TensorBoardWriter::~TensorBoardWriter() {
  close(file_);
}

void TensorBoardWriter::append(std::string_view event) {
  if (failed_) return;
  const std::string record = framed_record(event);
  const ssize_t written = ::write(file_, record.data(), record.size());
  if (written == static_cast<ssize_t>(record.size())) return;
  // Readers stop at a broken record, so nothing may follow it.
  log::warning("{}: no longer written: {}; training continues", path_,
               std::strerror(written < 0 ? errno : ENOSPC));
  failed_ = true;
}

void TensorBoardWriter::write(const MetricsRecord& record) {
  message::Event event = event_at(record.step);
  for (const auto& [name, number] : record.values) {
    message::Summary::Value* value = event.mutable_summary()->add_value();
    value->set_tag(name);
    value->set_simple_value(static_cast<float>(number));
  }
  append(event.SerializeAsString());
}

void TensorBoardWriter::write_text(std::int64_t step, std::string_view tag, std::string_view text) {
  constexpr int string_type = 7;
  message::Event event = event_at(step);
  message::Summary::Value* value = event.mutable_summary()->add_value();
  value->set_tag(std::string(tag));
  value->mutable_metadata()->mutable_plugin_data()->set_plugin_name("text");
  value->mutable_tensor()->set_dtype(string_type);
  value->mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(1);
  value->mutable_tensor()->add_string_val(std::string(text));
  append(event.SerializeAsString());
}

}  // namespace fathom
