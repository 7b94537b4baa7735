// A server that answers as a script says, for tests of clients: also what no real one would.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fathom::serve {

inline std::string url_of(std::uint16_t port) {
  return fmt::format("http://localhost:{}", port);
}

// Answers each connection with the next of `answers`, to the letter, and closes it.
class ScriptedServer {
 public:
  // Whether the last answer ends, or goes on without a word until the client leaves.
  enum class Last { ends, goes_on };
  explicit ScriptedServer(std::vector<std::string> answers, Last last = Last::ends)
      : answers_(std::move(answers)), last_(last) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket_, any, size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    EXPECT_EQ(::getsockname(socket_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(socket_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(socket_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const { return url_of(port_); }

  // Waits until all answers were asked for and the clients have left: with `goes_on` it returns
  // only when the last one hangs up. The requests in order, each with its first line and header.
  const std::vector<std::string>& requests() {
    if (thread_.joinable()) thread_.join();
    return requests_;
  }
  // The JSON of a request.
  nlohmann::json body(std::size_t request) {
    const std::string& text = requests().at(request);
    return nlohmann::json::parse(text.substr(text.find("\r\n\r\n") + 4));
  }

 private:
  void serve() {
    for (const std::string& answer : answers_) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) return;
      const timeval limit{120, 0};  // of a client that does not leave
      setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
      requests_.push_back(receive(client));
      ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      if (last_ == Last::ends || requests_.size() < answers_.size()) ::shutdown(client, SHUT_WR);
      char bytes[4096];
      while (::recv(client, bytes, sizeof(bytes), 0) > 0) {
      }
      ::close(client);
    }
  }

  // A request with the body that its header announces.
  static std::string receive(int client) {
    std::string request;
    std::size_t size = std::string::npos;
    for (char bytes[4096]; request.size() < size;) {
      const ssize_t n = ::recv(client, bytes, sizeof(bytes), 0);
      if (n <= 0) break;
      request.append(bytes, static_cast<std::size_t>(n));
      const std::size_t end = request.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const std::string key = "Content-Length: ";
      const std::size_t at = request.find(key);
      size = end + 4 + (at < end ? std::stoul(request.substr(at + key.size())) : 0);
    }
    return request;
  }

  std::vector<std::string> answers_;
  Last last_;
  std::vector<std::string> requests_;
  int socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  std::uint16_t port_ = 0;
  std::thread thread_;
};

inline std::string json_answer(const std::string& body, const std::string& status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

}  // namespace fathom::serve
