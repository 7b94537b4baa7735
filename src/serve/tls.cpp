#include "serve/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace fathom::serve {
namespace {

struct Free {
  void operator()(BIO* file) const { BIO_free(file); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// OpenSSL's oldest error of this thread; all are forgotten.
std::string openssl_error() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(error);
  return reason ? reason : "no reason is known";
}

// OpenSSL would ask the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

std::unique_ptr<BIO, Free> open(const std::string& file) {
  std::unique_ptr<BIO, Free> opened(BIO_new_file(file.c_str(), "r"));
  if (!opened) fail_input("{}: cannot be read: {}", file, std::strerror(errno));
  return opened;
}

void use_certificate(SSL_CTX* context, const std::string& file) {
  open(file);
  if (SSL_CTX_use_certificate_chain_file(context, file.c_str()) == 1) return;
  fail_input("{}: holds no certificate in PEM format: {}", file, openssl_error());
}

void use_key(SSL_CTX* context, const std::string& file, const std::string& certificate_file) {
  const std::unique_ptr<EVP_PKEY, Free> key(
      PEM_read_bio_PrivateKey(open(file).get(), nullptr, no_password, nullptr));
  if (!key) {
    fail_input("{}: holds no private key in PEM format that needs no password: {}", file,
               openssl_error());
  }
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), key.get()) != 1) {
    ERR_clear_error();
    fail_input("{}: is not the key of the certificate {}", file, certificate_file);
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    fail_input("{}: the key cannot be used: {}", file, openssl_error());
  }
}

class TlsStream : public ByteStream {
 public:
  TlsStream(asio::ip::tcp::socket socket, asio::ssl::context& context)
      : stream_(std::move(socket), context) {}

  asio::awaitable<error_code> begin() override {
    const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, no_throw);
    co_return error;
  }
  asio::awaitable<Transfer> read_some(asio::mutable_buffer into) override {
    const auto [error, bytes] = co_await stream_.async_read_some(into, no_throw);
    co_return Transfer{error, bytes};
  }
  asio::awaitable<Transfer> write_some(asio::const_buffer from) override {
    const auto [error, bytes] = co_await stream_.async_write_some(from, no_throw);
    co_return Transfer{error, bytes};
  }
  // Says so without waiting for the client to say it too.
  asio::awaitable<void> end_output() override {
    SSL* const ssl = stream_.native_handle();
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    co_await stream_.async_shutdown(no_throw);
    error_code ignored;
    socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }
  asio::ip::tcp::socket& socket() override { return stream_.next_layer(); }

 private:
  asio::ssl::stream<asio::ip::tcp::socket> stream_;
};

}  // namespace

struct TlsContext::Impl {
  asio::ssl::context context{asio::ssl::context::tls_server};
};

TlsContext::TlsContext(const std::string& certificate_file, const std::string& key_file)
    : impl_(std::make_unique<Impl>()) {
  SSL_CTX* const context = impl_->context.native_handle();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Of TLS 1.2; those of 1.3 are all good.
  require(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1,
          "OpenSSL has no cipher for TLS 1.2: {}", openssl_error());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // it would grow
  use_certificate(context, certificate_file);
  use_key(context, key_file, certificate_file);
}

TlsContext::~TlsContext() = default;

std::unique_ptr<ByteStream> TlsContext::stream(asio::ip::tcp::socket socket) const {
  return std::make_unique<TlsStream>(std::move(socket), impl_->context);
}

}  // namespace fathom::serve
