#include "inference/digest.hpp"

#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"

using namespace penstock;

namespace {

std::string sha256(std::string_view text) { return inference::sha256(std::as_bytes(std::span{text})); }

} // namespace

// The examples of FIPS 180-4's companion, and lengths around the block's padding.
TEST_CASE("SHA-256 gives the published digests") {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a file's digest is that of its content") {
  const tests::scratch_folder folder;
  const std::string content(200'000, 'x');
  CHECK(inference::sha256_of_file(folder.write("f", content)).value() == sha256(content));
  CHECK(inference::sha256_of_file(folder.path() / "absent").error().code == core::errc::not_found);
  CHECK(inference::sha256_of_file(folder.path()).error().code == core::errc::io);
}
