// An HTTP client of raw sockets, for tests of the server: it can also leave, wait and send garbage.
#pragma once

#include <arpa/inet.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::test {

struct Received {
  int status = 0;  // 0: the server closed the connection without an answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without chunks' frames
  nlohmann::ordered_json json() const { return nlohmann::ordered_json::parse(body); }
};

// A connection to a port of this machine.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* any = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::connect(socket_, any, sizeof(address)), 0);
    const timeval limit{120, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~HttpClient() { close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  // Leaves so that the server's writes fail.
  void reset() {
    const linger now{1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }
  int descriptor() const { return socket_; }
  void shrink_receive_buffer() const {
    const int bytes = 1024;
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  }

  // False when the server has closed the connection.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void post(const std::string& path, const std::string& body,
            const std::string& headers = "") const {
    send(fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), headers, body));
  }
  void get(const std::string& path, const std::string& headers = "") const {
    send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", path, headers));
  }

  // Reads until the text so far has `part`; false at the end of the connection.
  bool read_until(std::string_view part) {
    while (read_.find(part) == std::string::npos) {
      if (!read_more()) return false;
    }
    return true;
  }
  bool read_more() {
    char bytes[16384];
    const ssize_t n = ::recv(socket_, bytes, sizeof(bytes), 0);
    if (n <= 0) return false;
    read_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  // What was read and not yet received.
  std::string rest() { return std::exchange(read_, {}); }
  bool at_end() { return read_.empty() && !read_more(); }

  // The next response.
  Received receive() {
    Received received;
    if (!read_until("\r\n\r\n")) return received;
    const std::size_t end = read_.find("\r\n\r\n");
    const std::string head = read_.substr(0, end + 2);
    read_.erase(0, end + 4);
    received.status = std::stoi(head.substr(9, 3));
    for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
      const std::size_t line = head.find("\r\n", at), colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      received.headers[name] = head.substr(colon + 2, line - colon - 2);
      at = line + 2;
    }
    if (received.status == 100) return receive();
    if (received.status == 204) return received;  // has no body, and the connection goes on
    if (received.headers.contains("transfer-encoding")) {
      read_chunks(received.body);
    } else if (received.headers.contains("content-length")) {
      const std::size_t size = std::stoul(received.headers["content-length"]);
      while (read_.size() < size && read_more()) {
      }
      received.body = read_.substr(0, size);
      read_.erase(0, size);
    } else {
      while (read_more()) {
      }
      received.body = std::exchange(read_, {});
    }
    return received;
  }

 private:
  void read_chunks(std::string& body) {
    while (true) {
      if (!read_until("\r\n")) return;
      const std::size_t line = read_.find("\r\n");
      const std::size_t size = std::stoul(read_.substr(0, line), nullptr, 16);
      while (read_.size() < line + 2 + size + 2 && read_more()) {
      }
      body += read_.substr(line + 2, size);
      read_.erase(0, line + 2 + size + 2);
      if (size == 0) return;
    }
  }

  int socket_;
  std::string read_;
};

// The data of a stream's events.
inline std::vector<std::string> stream_data(const std::string& body) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find("\n\n", at);
    if (end == std::string::npos) break;
    if (body.compare(at, 6, "data: ") == 0) all.push_back(body.substr(at + 6, end - at - 6));
    at = end + 2;
  }
  return all;
}

}  // namespace fathom::test
