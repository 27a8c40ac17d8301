#include "jobs/azure/account.hpp"

#include "core/sha256.hpp"
#include "jobs/azure/blobs.hpp"
#include "jobs/azure/credential.hpp"
#include "jobs/azure/http.hpp"
#include "jobs/azure/ledger.hpp"
#include "jobs/azure/service.hpp"
#include "jobs/azure/xml.hpp"
#include "jobs/base64.hpp"
#include "tests/unit/jobs/azurite.hpp"
#include "tests/unit/jobs/backends.hpp"
#include "tests/unit/jobs/http_door.hpp"

using namespace penstock;
using namespace penstock::jobs::azure;
using namespace std::chrono_literals;
using test::http_answer;
using test::take;

namespace {

/// A service at a port of the loopback whose pauses are noted, not made.
struct patient_service {
  explicit patient_service(int port, std::string credentials = "AccountKey=a2V5", std::string path = "/acct") {
    const auto host = "http://127.0.0.1:" + std::to_string(port);
    auto to = take(parse_account("AccountName=acct;" + credentials + ";BlobEndpoint=" + host + path));
    to.identity_endpoint = host;
    const auto http = std::make_shared<http_client>(http_limits{1s, 2s, 1'000'000});
    retry_rules rules;
    rules.random = [] { return 0; };
    rules.pause = [this](jobs::milliseconds time) { pauses.push_back(time); };
    made = std::make_shared<service>(to.blob_endpoint, make_credential(to, http), http, rules);
  }

  std::vector<jobs::milliseconds> pauses;
  std::shared_ptr<service> made;
};

std::string hex(std::string_view text) { return core::to_hex(test::bytes_of(text)); }

} // namespace

TEST_CASE("HMAC and base 64 give the published examples") {
  // RFC 4231, cases 1, 2 and 6.
  CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  // RFC 4648, section 10.
  const std::vector<std::pair<std::string, std::string>> examples{{"", ""},
                                                                  {"f", "Zg=="},
                                                                  {"fo", "Zm8="},
                                                                  {"foo", "Zm9v"},
                                                                  {"foob", "Zm9vYg=="},
                                                                  {"fooba", "Zm9vYmE="},
                                                                  {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : examples) {
    CHECK(jobs::to_base64(plain) == coded);
    CHECK(jobs::from_base64(coded) == plain);
  }
  for (const auto* text : {"Z", "Zg", "Zg=", "Zg=a", "=Zg=", "Z===", "Zm9v====", "Zm9*", "Zg==Zg=="}) {
    INFO(text);
    CHECK_FALSE(jobs::from_base64(text));
  }
}

TEST_CASE("what a shared key signs is written as Azure's documentation writes it") {
  http_request request;
  request.method = "PUT";
  request.url = "http://127.0.0.1:10000/acct/box/a%20b?comp=block&blockid=QUJD%3D&Timeout=30&comp=a";
  request.headers = {{"x-ms-version", "2021-12-02"},
                     {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"},
                     {"Content-Type", "text/plain"},
                     {"If-None-Match", "*"}};
  request.body = "hello";
  CHECK(string_to_sign(request, "acct") == "PUT\n\n\n5\n\ntext/plain\n\n\n\n*\n\n\n"
                                           "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2021-12-02\n"
                                           "/acct/acct/box/a%20b\nblockid:QUJD=\ncomp:a,block\ntimeout:30");
  request = {};
  request.url = "https://acct.queue.core.windows.net?comp=list";
  CHECK(string_to_sign(request, "acct") == "GET\n\n\n\n\n\n\n\n\n\n\n\n/acct/\ncomp:list");
}

TEST_CASE("an account is written as a connection string or an address") {
  const auto full = take(parse_account("DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5Cg==;"
                                       "EndpointSuffix=core.windows.net;Name=site-7"));
  CHECK(full.name == "acct");
  CHECK(full.key == "key\n");
  CHECK(full.blob_endpoint == "https://acct.blob.core.windows.net");
  CHECK(full.queue_endpoint == "https://acct.queue.core.windows.net");
  CHECK(full.prefix == "site-7");
  const auto emulator = take(parse_account("UseDevelopmentStorage=true"));
  CHECK(emulator.blob_endpoint == "http://127.0.0.1:10000/devstoreaccount1");
  CHECK(emulator.queue_endpoint == "http://127.0.0.1:10001/devstoreaccount1");
  const auto signature = take(parse_account("https://acct.queue.core.windows.net/jobs?sv=1&sig=a%3D"));
  CHECK(signature.name == "acct");
  CHECK(signature.prefix == "jobs");
  CHECK(signature.signature == "sv=1&sig=a%3D");
  CHECK(signature.blob_endpoint == "https://acct.blob.core.windows.net");
  CHECK(signature.key.empty());
  for (const auto* text :
       {"", "AccountName=", "AccountKey=secret;AccountName=a", "AccountName=a;Name=A", "AccountName=a;x=secret",
        "AccountName=a;BlobEndpoint=ftp://secret", "https://example.com/jobs", "https://a.table.x.y/b",
        "UseDevelopmentStorage=maybe", "AccountName"}) {
    INFO(text);
    const auto read = parse_account(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::bad_config);
    if (std::string_view{text}.find("ftp") == std::string_view::npos)
      CHECK(read.error().message.find("secret") == std::string::npos);
  }
}

TEST_CASE("a service that is busy is asked again after the time that it wants") {
  int asked = 0;
  test::http_door door{[&](const test::seen_request&) -> std::optional<std::string> {
    switch (++asked) {
    case 1: return http_answer(503, "Retry-After: 7\r\n", "busy");
    case 2: return http_answer(429, "", "");
    case 3: return std::nullopt;
    case 4: return http_answer(500, "", "");
    default: return http_answer(200, "ETag: \"1\"\r\n", "value");
    }
  }};
  const patient_service of{door.port()};
  const auto answer = take(of.made->call("GET", "/box/a"));
  CHECK(answer.status == 200);
  CHECK(answer.body == "value");
  CHECK(asked == 5);
  CHECK(of.pauses == std::vector<jobs::milliseconds>{7'000ms, 200ms, 400ms, 800ms});
}

TEST_CASE("a service that stays away is given up with a bound, and the error says why") {
  int asked = 0;
  test::http_door door{[&](const test::seen_request& request) {
    ++asked;
    const auto wants_long = request.line.find("long") != std::string::npos;
    return http_answer(503, wants_long ? "Retry-After: 3600\r\n" : "", "<Error><Code>ServerBusy</Code></Error>");
  }};
  const patient_service of{door.port()};
  const auto refused = of.made->call("GET", "/box/a");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::unavailable);
  CHECK(refused.error().message.find("503 ServerBusy") != std::string::npos);
  CHECK(asked > 5);
  jobs::milliseconds sum{0};
  for (const auto each : of.pauses) sum += each;
  CHECK(sum <= 30s);
  asked = 0;
  CHECK(of.made->call("GET", "/long").error().code == core::errc::unavailable);
  CHECK(asked == 1); // an hour is longer than anybody waits here
}

TEST_CASE("a service that does not let us in is not asked again") {
  int asked = 0;
  test::http_door door{[&](const test::seen_request&) {
    ++asked;
    return http_answer(403, "x-ms-error-code: AuthenticationFailed\r\n", "");
  }};
  const patient_service of{door.port()};
  const auto refused = of.made->call("GET", "/box/a");
  CHECK(refused.error().code == core::errc::bad_config);
  CHECK(refused.error().message.find("AuthenticationFailed") != std::string::npos);
  CHECK(asked == 1);
}

TEST_CASE("a service that says nothing is given up after the time limit") {
  std::atomic<bool> go_on{false};
  test::http_door door{[&](const test::seen_request&) -> std::optional<std::string> {
    static_cast<void>(test::wait_until([&] { return go_on.load(); }, 60s));
    return std::nullopt;
  }};
  http_client http{{1s, 300ms, 1'000}};
  http_request request;
  request.url = "http://127.0.0.1:" + std::to_string(door.port()) + "/";
  CHECK(http.once(request).error().code == core::errc::timeout);
  go_on = true;
}

TEST_CASE("an answer without end is cut off") {
  test::http_door door{[](const test::seen_request&) { return http_answer(200, "", std::string(5'000, 'x')); }};
  http_client http{{1s, 5s, 1'000}};
  http_request request;
  request.url = "http://127.0.0.1:" + std::to_string(door.port()) + "/";
  CHECK(http.once(request).error().code == core::errc::too_large);
}

TEST_CASE("a machine's identity gets a token, keeps it, and gets another when it is refused") {
  int tokens = 0;
  std::string good = "token-1";
  test::http_door door{[&](const test::seen_request& request) -> std::optional<std::string> {
    if (request.line.starts_with("GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource="
                                 "https%3A%2F%2Fstorage.azure.com%2F&client_id=me ")) {
      CHECK(request.header("Metadata") == "true");
      return http_answer(200, "",
                         R"({"access_token":"token-)" + std::to_string(++tokens) + R"(","expires_in":"3600"})");
    }
    if (request.header("Authorization") != "Bearer " + good) return http_answer(401, "", "");
    return http_answer(200, "ETag: \"1\"\r\n", "value");
  }};
  const patient_service of{door.port(), "IdentityClientId=me"};
  const auto ledger = jobs::azure::make_ledger(of.made, "box");
  CHECK(take(ledger->read("job/a"))->value == "value");
  CHECK(take(ledger->read("job/a"))->value == "value");
  CHECK(tokens == 1);
  good = "token-2";
  CHECK(take(ledger->read("job/a"))->value == "value");
  CHECK(tokens == 2);
  good = "none";
  CHECK(ledger->read("job/a").error().code == core::errc::bad_config);
}

TEST_CASE("an identity service that answers nonsense is an error, not a token") {
  std::string body;
  test::http_door door{[&](const test::seen_request&) { return http_answer(200, "", body); }};
  const patient_service of{door.port(), "IdentityClientId=me"};
  for (const auto* each :
       {"", "{", "[]", "{}", R"({"access_token":1,"expires_in":"3600"})", R"({"access_token":"t","expires_in":"soon"})",
        R"({"access_token":"a\r\nb: c","expires_in":"9"})"}) {
    body = each;
    CHECK(of.made->call("GET", "/box/a").error().code == core::errc::corrupt);
  }
}

TEST_CASE("a shared access signature lets in, and a wrong one does not") {
  const auto program = test::find_azurite();
  if (!program) {
    WARN("skipped: no azurite here; run tools/setup.sh test");
    return;
  }
  auto& emulator = test::azurite::shared(*program);
  // Made with the key, for the whole account: version, services, resource types, permissions, time.
  const std::string permissions = "racwdlup";
  const std::string expiry = "2099-01-01T00:00:00Z";
  const std::string version = "2021-12-02";
  const auto text =
      "devstoreaccount1\n" + permissions + "\nbq\nsco\n\n" + expiry + "\n\nhttps,http\n" + version + "\n\n";
  const auto signature = jobs::to_base64(hmac_sha256(*jobs::from_base64(test::emulator_key), text));
  const auto query = "sv=" + version + "&ss=bq&srt=sco&sp=" + permissions + "&se=" + expiry + "&spr=https,http&sig=";
  const auto config = [&](const std::string& signed_with) {
    auto url = emulator.fresh_url();
    const auto key = url.find("AccountKey=");
    url.erase(key, url.find(';', key) + 1 - key);
    topology::jobs_config out;
    out.queue.kind = topology::queue_kind::azure;
    out.blobs.kind = topology::blobs_kind::azure;
    out.queue.url = out.blobs.url = url + ";SharedAccessSignature=" + query + percent_encoded(signed_with);
    return out;
  };
  jobs::job_queue queue{take(jobs::open_stores(config(signature)))};
  jobs::job_request request;
  request.input_uri = "store://a";
  const auto id = take(queue.put(request)).record.id;
  auto held = take(queue.lease("w", 60s)).value();
  CHECK(held.record.id == id);
  take(put_blob(queue.blobs(), jobs::result_name(id), test::bytes_of("r")));
  CHECK(take(queue.complete(held)) == jobs::standing::held);

  const auto refused = jobs::open_stores(config(jobs::to_base64(std::string(32, 'x'))));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::bad_config);
  CHECK(refused.error().message.find("sig=") == std::string::npos);
}

TEST_CASE("a wrong key is refused with an error that tells no key") {
  const auto program = test::find_azurite();
  if (!program) {
    WARN("skipped: no azurite here; run tools/setup.sh test");
    return;
  }
  auto url = test::azurite::shared(*program).fresh_url();
  const std::string key = test::emulator_key;
  url.replace(url.find(key), key.size(), "c2VjcmV0");
  topology::jobs_config config;
  config.queue = {topology::queue_kind::azure, {}, url};
  const auto refused = jobs::open_stores(config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::bad_config);
  CHECK(refused.error().message.starts_with("jobs.queue: "));
  CHECK(refused.error().message.find("c2VjcmV0") == std::string::npos);
}

TEST_CASE("lists in XML are read as far as they are one") {
  const std::string xml =
      "<?xml?><A><Blob><Name>a&amp;b</Name></Blob><Blob x=\"1\"><Name>c</Name></Blob><Blobs/><Blob/>";
  CHECK(elements(xml, "Blob").size() == 3);
  CHECK(text_of(elements(xml, "Blob")[0], "Name") == "a&b");
  CHECK(text_of(elements(xml, "Blob")[1], "Name") == "c");
  CHECK_FALSE(text_of(xml, "Other"));
  for (const auto* text : {"<", "<Blob", "<Blob>", "<Blob></Blo", "</Blob>", "<Blob ", "<Blob/"})
    CHECK(elements(text, "Blob").empty());
  CHECK(jobs::azure::xml_escaped("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&apos;");
}

TEST_CASE("times of HTTP are written and read") {
  const std::chrono::sys_seconds time{std::chrono::seconds{784'111'777}};
  CHECK(http_date(time) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784'111'777'000);
  CHECK(parse_http_date("soon") == -1);
  CHECK(percent_encoded("a/b c~") == "a%2Fb%20c~");
  CHECK(percent_decoded("a%2Fb%20c~%zz%2") == "a/b c~%zz%2");
}
