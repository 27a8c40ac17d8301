#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/unit/gateway/fake_api.hpp"

using namespace penstock;
using namespace penstock::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

/// A folder with a certificate that signs itself, and its key.
class identity {
 public:
  identity() {
    std::string pattern = (std::filesystem::temp_directory_path() / "penstock-tls-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~identity() { std::filesystem::remove_all(folder_); }
  identity(const identity&) = delete;
  identity& operator=(const identity&) = delete;

  [[nodiscard]] gateway::tls_options options() const {
    return {folder_ / "cert.pem", folder_ / "key.pem", std::chrono::milliseconds{10}};
  }

  void renew(const std::string& name) const {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_sign(cert, key, EVP_sha256());
    // Each is replaced at once, as tools that renew certificates do.
    save("key.pem", [&](FILE* to) { PEM_write_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr); });
    save("cert.pem", [&](FILE* to) { PEM_write_X509(to, cert); });
    X509_free(cert);
    EVP_PKEY_free(key);
  }

  void break_certificate() const { std::ofstream{folder_ / "cert.pem"} << "no certificate\n"; }

 private:
  template <class F>
  void save(const char* file, F&& write) const {
    const auto next = folder_ / "next";
    FILE* to = std::fopen(next.c_str(), "w");
    write(to);
    std::fclose(to);
    std::filesystem::rename(next, folder_ / file);
  }

  std::filesystem::path folder_;
};

} // namespace

TEST_CASE("over TLS the door is the same", "[gateway]") {
  const identity who;
  who.renew("one");
  fixture f;
  f.options.tls = who.options();
  f.open();
  client c{f.port, true};
  REQUIRE(c.connected());
  CHECK(c.certificate_name() == "one");
  for (int i = 0; i < 3; ++i) {
    c.send(post_of(jpeg_of(9, 9)));
    CHECK(c.read_reply().status == 200);
  }
  const std::string large = jpeg_of(9, 9) + std::string(2'000'000, 'x');
  c.send(post_of(large, "Connection: close\r\n"));
  CHECK(c.read_reply().status == 200);
  CHECK(c.is_closed());
}

TEST_CASE("who does not speak TLS is not served where it is on", "[gateway]") {
  const identity who;
  who.renew("one");
  fixture f;
  f.options.tls = who.options();
  f.options.timeouts.header = 100ms;
  f.open();
  client plain{f.port};
  plain.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_FALSE(plain.read().starts_with("HTTP"));
  CHECK(plain.is_closed());
  client silent{f.port}; // a handshake that does not begin
  CHECK(silent.is_closed());
}

TEST_CASE("work is called off when a client leaves over TLS", "[gateway]") {
  const identity who;
  who.renew("one");
  fixture f;
  f.options.tls = who.options();
  f.detect.keep = true;
  f.open();
  client c{f.port, true};
  c.send(post_of(jpeg_of(2, 2)));
  auto kept = f.detect.take();
  c.close();
  CHECK(eventually([&] { return kept.gone.stop_requested(); }));
}

TEST_CASE("a renewed certificate is used without a restart, and open connections go on", "[gateway]") {
  const identity who;
  who.renew("one");
  fixture f;
  f.options.tls = who.options();
  f.open();
  client before{f.port, true};
  CHECK(before.certificate_name() == "one");
  who.renew("two");
  CHECK(eventually([&] { return client{f.port, true}.certificate_name() == "two"; }));
  before.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(before.read_reply().status == 200);
}

TEST_CASE("a broken certificate changes nothing, and is counted", "[gateway]") {
  const identity who;
  who.renew("one");
  fixture f;
  f.options.tls = who.options();
  f.open();
  who.break_certificate();
  CHECK(eventually([&] { return f.figure("penstock_http_certificate_failures_total") >= 1; }));
  CHECK(client{f.port, true}.certificate_name() == "one");
  who.renew("three");
  CHECK(eventually([&] { return client{f.port, true}.certificate_name() == "three"; }));
}

TEST_CASE("a door with a certificate that cannot be used does not open", "[gateway]") {
  const identity who;
  who.renew("one");
  fixture f;
  gateway::options o;
  o.address = "127.0.0.1:0";
  o.tls = who.options();
  gateway::api behind;
  behind.node = &f.node;
  CHECK(gateway::server::listen(o, behind, f.node.registry).has_value());
  who.break_certificate();
  const auto opened = gateway::server::listen(o, behind, f.node.registry);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == core::errc::bad_config);
  CHECK(opened.error().message.find("tls.certificate") != std::string::npos);
  const identity other;
  other.renew("other");
  who.renew("one");
  o.tls.key = other.options().key;
  CHECK_FALSE(gateway::server::listen(o, behind, f.node.registry).has_value());
}

TEST_CASE("a door that other machines reach does not open without tokens, unless it is told to", "[gateway]") {
  fixture f;
  gateway::options o;
  gateway::api behind;
  behind.node = &f.node;
  for (const auto* address : {"0.0.0.0:0", "[::]:0"}) {
    o.address = address;
    const auto opened = gateway::server::listen(o, behind, f.node.registry);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == core::errc::bad_config);
    CHECK(opened.error().message.find("there are no tokens") != std::string::npos);
  }
  o.address = "0.0.0.0:0";
  o.insecure = true;
  CHECK(gateway::server::listen(o, behind, f.node.registry).has_value());
  o.insecure = false;
  o.tokens = {{"ann", std::string(64, '0')}};
  CHECK(gateway::server::listen(o, behind, f.node.registry).has_value());
  for (const auto* address : {"127.0.0.1:0", "localhost:0"}) {
    gateway::options near;
    near.address = address;
    CHECK(gateway::server::listen(near, behind, f.node.registry).has_value());
  }
}

TEST_CASE("a door whose address is taken, or wrong, does not open", "[gateway]") {
  fixture f;
  f.open();
  gateway::options o;
  gateway::api behind;
  behind.node = &f.node;
  o.address = "127.0.0.1:" + std::to_string(f.port);
  const auto taken = gateway::server::listen(o, behind, f.node.registry);
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().code == core::errc::io);
  o.address = "no.such.host.invalid:0";
  CHECK_FALSE(gateway::server::listen(o, behind, f.node.registry).has_value());
  o.address = "nonsense";
  CHECK(gateway::server::listen(o, behind, f.node.registry).error().code == core::errc::bad_config);
  CHECK_FALSE(gateway::server::listen(gateway::options{}, gateway::api{}, f.node.registry).has_value());
}
