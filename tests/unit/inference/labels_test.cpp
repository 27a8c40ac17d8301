#include "inference/labels.hpp"

#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"

using namespace penstock;
using core::errc;
using strings = std::vector<std::string>;

TEST_CASE("labels are one a line, trimmed, and blank lines count only between them") {
  const tests::scratch_folder folder;
  CHECK(inference::load_labels(folder.write("l", "person\r\n traffic light \n\nbus\n\n\n")).value() ==
        strings{"person", "traffic light", "", "bus"});
  CHECK(inference::load_labels(folder.write("l", "only")).value() == strings{"only"});
}

TEST_CASE("a label file that is absent, unreadable or empty is an error") {
  const tests::scratch_folder folder;
  CHECK(inference::load_labels(folder.path() / "absent").error().code == errc::not_found);
  CHECK(inference::load_labels(folder.path()).error().code == errc::io);
  CHECK(inference::load_labels(folder.write("l", "\n\n")).error().code == errc::corrupt);
}

TEST_CASE("labels must be as many as the model's classes, where both are known") {
  CHECK(inference::labels_for({"a", "b"}, 2).value() == strings{"a", "b"});
  CHECK(inference::labels_for({"a", "b"}, 0).value() == strings{"a", "b"});
  CHECK(inference::labels_for({}, 2).value() == strings{"class 0", "class 1"});
  auto wrong = inference::labels_for({"a", "b"}, 80);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == errc::bad_config);
  CHECK(wrong.error().message == "2 labels for a model with 80 classes");
}
