// Where the server listens, and its limits on connections.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fathom::serve {

struct HttpLimits {
  std::size_t header_bytes = std::size_t{16} << 10;
  std::size_t body_bytes = std::size_t{8} << 20;
  std::size_t all_bodies_bytes = std::size_t{256} << 20;  // received, of all connections together
  // Answers that clients have not taken, of all connections together.
  std::size_t unsent_bytes = std::size_t{512} << 20;
  std::size_t max_connections = 4096;
  std::chrono::milliseconds idle{75'000};    // between two requests of a connection
  std::chrono::milliseconds header{20'000};  // for a request's header
  std::chrono::milliseconds body{120'000};   // for its body
  std::chrono::milliseconds progress{60'000};  // in which a client must take some of an answer
  std::chrono::milliseconds linger{2'000};     // for a refused client to end what it sends
  std::chrono::milliseconds comment{30'000};   // a silent stream sends a comment this often
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;  // 0: any that is free
  // PEM files of TLS (tls.h); both empty: plain HTTP.
  std::string tls_certificate, tls_key;
  HttpLimits limits;
  std::vector<std::string> origins;  // web pages that may ask; "*": all
  bool check_host = false;           // answer only requests for a local host's name
  std::chrono::milliseconds drain{30'000};  // for answers under way, when the server ends
  int workers = 2;                          // threads that parse and tokenize
};

}  // namespace fathom::serve
