// The server over TLS, with certificates made here.
#include <gmock/gmock.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "io/temp_dir.h"
#include "serve/test_server.h"
#include "serve/tls.h"

namespace fathom::serve {
namespace {

using test::TempDir;
using testing::HasSubstr;

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// The PEM text that `write` gives.
template <class F>
std::string pem(F write) {
  const Owned<BIO> memory(BIO_new(BIO_s_mem()));
  EXPECT_EQ(write(memory.get()), 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

// A certificate of localhost, signed by itself.
struct Identity {
  Owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  Owned<X509> certificate{X509_new()};

  Identity() {
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_set_version(certificate.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(certificate.get());
    const auto* common = reinterpret_cast<const unsigned char*>("localhost");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    EXPECT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  }
  void write(const std::string& certificate_file, const std::string& key_file,
             const char* password = nullptr) const {
    test::write_file(certificate_file, pem([&](BIO* bio) {
                       return PEM_write_bio_X509(bio, certificate.get());
                     }));
    const EVP_CIPHER* const cipher = password ? EVP_aes_128_cbc() : nullptr;
    const auto* word = reinterpret_cast<const unsigned char*>(password);
    const int size = password ? static_cast<int>(std::string_view(password).size()) : 0;
    test::write_file(key_file, pem([&](BIO* bio) {
                       return PEM_write_bio_PrivateKey(bio, key.get(), cipher, word, size, nullptr,
                                                       nullptr);
                     }));
  }
};

// A client that trusts one certificate.
class TlsClient {
 public:
  TlsClient(const Client& connection, const Identity& trusted, int version = 0)
      : context_(SSL_CTX_new(TLS_client_method())) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), trusted.certificate.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_security_level(context_.get(), 0);  // so that old versions are offered
    if (version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), version);
      SSL_CTX_set_max_proto_version(context_.get(), version);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set1_host(ssl_.get(), "localhost");
    SSL_set_fd(ssl_.get(), connection.descriptor());
    connected_ = SSL_connect(ssl_.get()) == 1;
  }

  bool connected() const { return connected_; }
  std::string version() const { return SSL_get_version(ssl_.get()); }
  void send(const std::string& text) const {
    EXPECT_EQ(SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  // All until the server ends the connection, which it must say.
  std::string receive_all() const {
    std::string all;
    char bytes[4096];
    int n = 0;
    while ((n = SSL_read(ssl_.get(), bytes, sizeof(bytes))) > 0) {
      all.append(bytes, static_cast<std::size_t>(n));
    }
    EXPECT_EQ(SSL_get_error(ssl_.get(), n), SSL_ERROR_ZERO_RETURN);
    return all;
  }

 private:
  Owned<SSL_CTX> context_;
  Owned<SSL> ssl_;
  bool connected_ = false;
};

std::string post(const std::string& body, const std::string& headers = "") {
  return fmt::format(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{}\r\n{}",
      body.size(), headers, body);
}

class Tls : public testing::Test {
 protected:
  ServerOptions options() {
    identity_.write(certificate_, key_);
    ServerOptions options = TestServer::small_options();
    options.http.tls_certificate = certificate_;
    options.http.tls_key = key_;
    return options;
  }
  std::string refused() {
    return test::input_error_of([&] { TlsContext(certificate_, key_); });
  }

  TempDir dir_;
  std::string certificate_ = dir_ / "cert.pem", key_ = dir_ / "key.pem";
  Identity identity_;
};

TEST_F(Tls, CompletesAndStreams) {
  const TestServer server(options());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Client connection(server.port());
    const TlsClient client(connection, identity_, version);
    ASSERT_TRUE(client.connected());
    client.send(post(R"({"prompt":"x","max_tokens":4,"ignore_eos":true})"));
    client.send(post(R"({"prompt":"x","max_tokens":4,"ignore_eos":true,"stream":true})",
                     "Connection: close\r\n"));
    const std::string answers = client.receive_all();
    EXPECT_THAT(answers, HasSubstr(R"("completion_tokens":4)"));
    EXPECT_THAT(answers, HasSubstr("data: [DONE]"));
    EXPECT_TRUE(answers.ends_with("\r\n0\r\n\r\n"));
  }
}

// Answers larger than a record and the sockets' buffers, one after another on a connection.
TEST_F(Tls, CarriesLargeAnswersAndBodies) {
  ServerOptions wanted = options();
  wanted.engine.engine.limits = {4, 512};
  const TestServer server(wanted, 8192);
  const Client connection(server.port());
  const TlsClient client(connection, identity_);
  ASSERT_TRUE(client.connected());
  const std::string prompt(4000, 'x');
  const std::string body =
      R"({"prompt":")" + prompt + R"(","max_tokens":0,"echo":true,"logprobs":20})";
  client.send(post(body));
  client.send(post(body, "Connection: close\r\n"));
  const std::string answers = client.receive_all();
  EXPECT_GT(answers.size(), 1u << 20);
  const std::size_t second = answers.find("HTTP/1.1 200", 10);
  ASSERT_NE(second, std::string::npos);
  const std::string last = answers.substr(answers.find("\r\n\r\n", second) + 4);
  EXPECT_EQ(Json::parse(last)["choices"][0]["logprobs"]["tokens"].size(), 4000u);
}

TEST_F(Tls, RefusesOldVersionsAndPlainClients) {
  const TestServer server(options());
  const Client old(server.port());
  EXPECT_FALSE(TlsClient(old, identity_, TLS1_1_VERSION).connected());
  Client plain(server.port());
  plain.get("/health");
  EXPECT_EQ(plain.receive().status, 0);
  const Client connection(server.port());
  const Identity other;
  EXPECT_FALSE(TlsClient(connection, other).connected());
  const Client right(server.port());
  EXPECT_TRUE(TlsClient(right, identity_).connected());
}

TEST_F(Tls, SeesClientsThatLeave) {
  TestServer server(options(), 4096);
  {
    const Client connection(server.port());
    const TlsClient client(connection, identity_);
    client.send(post(R"({"prompt":"x","max_tokens":4000,"ignore_eos":true})"));
    EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 0; }));
}

TEST_F(Tls, LeavesClientsThatDoNotGreet) {
  ServerOptions wanted = options();
  wanted.http.limits.header = std::chrono::milliseconds(200);
  const TestServer server(wanted);
  Client silent(server.port());
  EXPECT_TRUE(silent.at_end());
}

TEST_F(Tls, SaysWhatFilesItCannotUse) {
  EXPECT_THAT(refused(), HasSubstr("cert.pem: cannot be read: No such file"));
  identity_.write(certificate_, dir_ / "other");
  EXPECT_THAT(refused(), HasSubstr("key.pem: cannot be read: No such file"));
  test::write_file(key_, "no key");
  EXPECT_THAT(refused(), HasSubstr("key.pem: holds no private key in PEM format"));
  identity_.write(certificate_, key_, "secret");
  EXPECT_THAT(refused(), HasSubstr("key.pem: holds no private key in PEM format that needs no"));
  Identity().write(dir_ / "other", key_);
  EXPECT_THAT(refused(), HasSubstr("key.pem: is not the key of the certificate"));
  identity_.write(certificate_, key_);
  EXPECT_NO_THROW(TlsContext(certificate_, key_));
  test::write_file(certificate_, "no certificate");
  EXPECT_THAT(refused(), HasSubstr("cert.pem: holds no certificate in PEM format"));
}

}  // namespace
}  // namespace fathom::serve
