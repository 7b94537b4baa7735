// The kinds of errors, and what is put before their messages.
#include "core/error.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace fathom {
namespace {

struct Caught {
  ErrorKind kind;
  std::string message;
  bool operator==(const Caught&) const = default;
};

template <class F>
Caught caught(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(Error, IsTheUsersOrOfTheRun) {
  EXPECT_EQ(caught([] { fail_input("{} of {}", 1, "two"); }),
            (Caught{ErrorKind::input, "1 of two"}));
  EXPECT_EQ(caught([] { fail_runtime("{} of {}", 1, "two"); }),
            (Caught{ErrorKind::runtime, "1 of two"}));
  EXPECT_EQ(caught([] { require(false, "{} ranks", 3); }), (Caught{ErrorKind::runtime, "3 ranks"}));
  EXPECT_NO_THROW(require(true, "{} ranks", 3));
}

TEST(Error, HasAPlaceBeforeItsMessageWhereTheInputIsWrong) {
  EXPECT_EQ(caught([] { with_location("a.txt:3", [] { fail_input("no number"); }); }),
            (Caught{ErrorKind::input, "a.txt:3: no number"}));
  EXPECT_EQ(caught([] {
              with_location("a.txt", [] { with_location("line 3", [] { fail_input("{{}}"); }); });
            }),
            (Caught{ErrorKind::input, "a.txt: line 3: {}"}));
}

TEST(Error, OfTheRunHasNoPlaceOfTheInput) {
  EXPECT_EQ(caught([] { with_location("a.txt:3", [] { fail_runtime("the disk is full"); }); }),
            (Caught{ErrorKind::runtime, "the disk is full"}));
  EXPECT_THROW(with_location("a.txt:3", [] { throw std::out_of_range("beyond"); }),
               std::out_of_range);
}

TEST(Error, APlaceChangesNothingOfWhatIsReturned) {
  int value = 5;
  EXPECT_EQ(with_location("a.txt", [&] { return value + 1; }), 6);
  const auto reference = [&]() -> int& { return value; };
  static_assert(std::is_same_v<decltype(with_location("a.txt", reference)), int&>);
  EXPECT_EQ(&with_location("a.txt", reference), &value);
}

}  // namespace
}  // namespace fathom
