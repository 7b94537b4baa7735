// Answers that exams offer by letters.
#include "text/answer_options.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom {
namespace {

// The letter, or "-" for none.
std::string letter(const std::string& line) {
  const char found = option_letter(line);
  return found == 0 ? "-" : std::string(1, found);
}

TEST(AnswerOptions, HaveTheLettersAToH) {
  for (const char c : std::string("ABCDEFGH")) {
    const std::string name(1, c);
    for (const char* mark : {".", ":", "、", "．", "：", ")", "）"}) {
      EXPECT_EQ(letter(name + mark + " x"), name) << mark;
      EXPECT_EQ(letter(" \t" + name + mark + "x"), name) << mark;
    }
    EXPECT_EQ(letter("(" + name + ") x"), name);
    EXPECT_EQ(letter("（" + name + "）x"), name);
    const auto options = find_options("Which? " + name + ". x");
    ASSERT_EQ(options.size(), 1u) << name;
    EXPECT_EQ(options[0].letter, c);
  }
  for (const char* other : {"@", "I", "a", "h", "1", "Ａ"}) {
    for (const char* mark : {". x", "、x", ") x"})
      EXPECT_EQ(letter(std::string(other) + mark), "-");
    EXPECT_TRUE(find_options(std::string(other) + ". x").empty()) << other;
  }
}

TEST(AnswerOptions, AreMarkedAsSuch) {
  for (const char* line : {"", " ", "A", "(A", "A x", "Ax.", "(A. x", "（A、x", "A.B. Smith",
                           "B.C.", "((A) x", "A，x", "x A. y"}) {
    EXPECT_EQ(letter(line), "-") << line;
  }
  EXPECT_EQ(letter("A."), "A");
  EXPECT_EQ(letter("A.b"), "A");
  EXPECT_EQ(letter("A.3. x"), "A");
}

// "B 4 apart" and so on.
std::string options_in(const std::string& line) {
  std::string text;
  for (const AnswerOption& option : find_options(line)) {
    text += (text.empty() ? "" : ", ") + std::string(1, option.letter) + " " +
            std::to_string(option.begin) + (option.apart ? " apart" : "");
  }
  return text;
}

TEST(AnswerOptions, AreFoundInALine) {
  EXPECT_EQ(options_in("A. one B. two"), "A 0 apart, B 7");
  EXPECT_EQ(options_in("A. one  B. two\tC. three\u3000D. four"),
            "A 0 apart, B 8 apart, C 15 apart, D 26 apart");
  EXPECT_EQ(options_in("  (A) one (B) two"), "A 2 apart, B 10");
  EXPECT_EQ(options_in("哪个？A、一。B、二）C、三"), "A 9, B 19, C 29");
  EXPECT_EQ(options_in("选E）甲 （F）乙"), "F 11");
  EXPECT_EQ(options_in("维生素A、维生素B、 C. x"), "C 27");
  for (const char* before : {" ", "\t", "\u3000", ")", "）", "？", "。"}) {
    EXPECT_NE(options_in("x" + std::string(before) + "B. y"), "") << before;
    EXPECT_NE(options_in("x" + std::string(before) + "（B）y"), "") << before;
  }
  for (const char* before : {"", "x", ".", "?", ",", "（", "(", "、", "-"})
    EXPECT_EQ(options_in("x" + std::string(before) + "B. y"), "") << before;
  EXPECT_EQ(options_in("\t A. x"), "A 2 apart");
  EXPECT_EQ(options_in("x  (B) y"), "B 3 apart");
  EXPECT_EQ(options_in("x (B) y"), "B 2");
  EXPECT_EQ(options_in("in 44 B.C. and U.S. law"), "");
  EXPECT_EQ(options_in(""), "");
}

}  // namespace
}  // namespace fathom
