// TLS for the server's connections, by OpenSSL. Internal to src/serve: tls.cpp alone includes
// OpenSSL's headers and Asio's for it, which take long to compile.
#pragma once

#include <memory>
#include <string>

#include "serve/byte_stream.h"

namespace fathom::serve {

// A certificate and its key. TLS 1.2 with forward secrecy and authenticated ciphers, or 1.3.
class TlsContext {
 public:
  // PEM files: the server's certificate, and those that lead to its authority behind it; its
  // private key, not encrypted. Throws an input Error that names the file.
  TlsContext(const std::string& certificate_file, const std::string& key_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // The context outlives the stream.
  std::unique_ptr<ByteStream> stream(asio::ip::tcp::socket socket) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::serve
