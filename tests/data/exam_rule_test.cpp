// The rule that tells exams from other text.
#include <gtest/gtest.h>

#include "data/clean/rules.h"

namespace fathom::clean {
namespace {

// Characters of `text` in questions, by the rule.
int in_questions(const std::string& text) {
  const Rule* rule = find_rule("multiple_choice");
  const TextFacts facts(text);
  return static_cast<int>(rule->measure(facts) * static_cast<double>(facts.characters) + 0.5);
}

TEST(MultipleChoice, OptionsOnLines) {
  const std::string question = "What is it?\nA. ab\nB. cd\nC. ef\n";
  EXPECT_EQ(in_questions(question), 26);
  EXPECT_EQ(in_questions(question + "D. gh\nAnswer: C\n"), 31);
  EXPECT_EQ(in_questions("Some text before.\n\n" + question + "\nAnd behind."), 26);
  EXPECT_EQ(in_questions(question + question), 52);
  EXPECT_EQ(in_questions("Why?\n (A) x\n(B) y\n\n(C) z"), 4 + 6 + 5 + 5);
  EXPECT_EQ(in_questions("Why?\nA) x\nof it\nand more\nB) y\nC) z"), 4 + 4 + 5 + 8 + 4 + 4);
}

TEST(MultipleChoice, OptionsInALine) {
  EXPECT_EQ(in_questions("1. 首都是哪里？\nA．北京 B．上海\u3000C．广州 D．深圳\n好。"), 9 + 19);
  EXPECT_EQ(in_questions("Before.\n下列正确的是（ ）\u3000A、一 B、二 C、三"), 21);
  EXPECT_EQ(in_questions("Which?\tA. x\tB. y\tC. z"), 21);
  EXPECT_EQ(in_questions("一？\n（A）甲 （B）乙\n（C）丙（D）丁"), 2 + 9 + 8);
  EXPECT_EQ(in_questions("Q?  A. x B. y C. z 2? A. u B. v C. w"), 36) << "a line is counted once";
  EXPECT_EQ(in_questions("Q?\nA. x B. y C. z A. u B. v C. w"), 2 + 29);
  EXPECT_EQ(in_questions("Q\nA. x B. y C. z 2? A. u B. v C. w"), 32) << "its stem is in the line";
}

TEST(MultipleChoice, AnAnswerStandsForAStem) {
  const std::string options = "The sum\nA. 1\nB. 2\nC. 3\n";
  EXPECT_EQ(in_questions(options), 0);
  for (const char* key :
       {"Answer: B", "ANS. (C)", "答案：A", "【答案】 B", "Correct answer: A) 1"}) {
    EXPECT_EQ(in_questions(options + key), 19) << key;
  }
  for (const char* key : {"Answers follow", "Answer: Both", "The answer is not B"}) {
    EXPECT_EQ(in_questions(options + key), 0) << key;
  }
  EXPECT_EQ(in_questions("The sum is ___.\nA. 1\nB. 2\nC. 3\n"), 27);
}

TEST(MultipleChoice, EnumerationsAreNone) {
  const std::string law =
      "A. The board shall adopt rules.\nB. Each operator shall keep records.\nC. The fee is ten.";
  for (const std::string& text :
       {std::string(law), "Section 5. Duties.\n" + law,
        std::string("1. Introduction\nA. Background\nB. Aims\nC. Plan"),
        std::string("Figure 1.\n(A) Western blot of cells. (B) Quantification. (C) Controls."),
        std::string("A. Abada et al., Nature, with B. Abbott and C. Adams"),
        std::string("A. Abada, B. Abbott and C. Adams"),
        std::string("Plan A: walk. Plan B: run. Plan C: sleep."),
        std::string("C. Debussy wrote it. A. Berg, B. Bartok and C. Ives"),
        std::string("Who? C. Debussy wrote it. A. Berg, B. Bartok and C. Ives"),
        "What then?\nA. " + std::string(101, 'x') + "\nB. y\nC. z"}) {
    EXPECT_EQ(in_questions(text), 0) << text;
  }
}

std::string question_with_option(const std::string& option) {
  return "What?\nA. " + option + "\nB. y\nC. z\n";
}

// Each question is judged by its own options, of at most 100 characters with their letters.
TEST(MultipleChoice, OptionsHaveALongestLength) {
  std::string han;
  for (int i = 0; i < 97; ++i) han += "中";
  EXPECT_EQ(in_questions(question_with_option(std::string(97, 'x'))), 5 + 100 + 4 + 4);
  EXPECT_EQ(in_questions(question_with_option(han)), 5 + 100 + 4 + 4);
  const std::string too_long = question_with_option(std::string(98, 'x'));
  EXPECT_EQ(in_questions(too_long), 0);
  EXPECT_EQ(in_questions(too_long + "Which?\nA. x\nB. y\nC. z\n"), 6 + 4 + 4 + 4);
  EXPECT_EQ(in_questions("Which?\nA. x\nB. y\nC. z\n" + too_long), 6 + 4 + 4 + 4);
}

TEST(MultipleChoice, OptionsGoUpToH) {
  std::string text = "Q?\n";
  int lines = 0;
  for (char letter = 'A'; letter <= 'H'; ++letter) {
    text += std::string(1, letter) + ". x\n";
    ++lines;
    EXPECT_EQ(in_questions(text), lines < 3 ? 0 : 2 + 4 * lines) << letter;
  }
  EXPECT_EQ(in_questions(text + "I. x\n"), 2 + 4 * 8);
}

TEST(MultipleChoice, StemsHaveMarksAndAnswersHaveNames) {
  const std::string options = "\nA. 1\nB. 2\nC. 3\n";
  for (const char* mark :
       {"?", "？", "( )", "()", "（ ）", "（）", "（\u3000）", "（  ）", "___"}) {
    EXPECT_GT(in_questions("It is " + std::string(mark) + options), 12) << mark;
  }
  for (const char* none : {"", "!", ".", "：", "(x)", "__", "[ ]"}) {
    EXPECT_EQ(in_questions("It is " + std::string(none) + options), 0) << none;
  }
  for (const std::string name :
       {"correct answer", "Answer", "ANS", "【答案】", "答案", "正确答案"}) {
    for (const char* between : {"", " ", ":", "：", "(", ".", ": ("}) {
      EXPECT_GT(in_questions("It is" + options + name + between + "H"), 12) << name << between;
    }
    EXPECT_EQ(in_questions("It is" + options + name + ": I"), 0) << name;
    EXPECT_EQ(in_questions("It is" + options + name + "- A"), 0) << name;
  }
}

// Takes hours when it is quadratic.
TEST(MultipleChoice, LongLinesAreReadOnce) {
  for (const std::string part : {"A. x B ", "A. x B. y ", "?  A. x ", "A. x B. y C. z "}) {
    std::string line;
    while (line.size() < 4'000'000) line += part;
    in_questions(line);
    in_questions(std::string(4'000'000, 'x') + "\n" + line);
  }
}

TEST(MultipleChoice, OtherTextHasNone) {
  for (const char* text :
       {"A. x\nB. y\nand no more.", "Vitamin A. It is good.\nB. And no more.", "A. x\nC. y\nB. z",
        "a. x\nb. y\nc. z", "A x\nB y\nC z", "A.M. and B.C. were before C.E.", "",
        "A. One\n1\n2\n3\nB. Two\n4\n5\n6\nC. Three", "XA. x\nXB. y\nXC. z", "(A. x\n(B. y\n(C. z",
        "I. x\nJ. y\nK. z", "富含维生素A、维生素B、维生素C、维生素D。"}) {
    EXPECT_EQ(in_questions(text), 0) << text;
  }
}

TEST(MultipleChoice, AFilterCanNameIt) {
  const Rule* rule = find_rule("multiple_choice");
  ASSERT_NE(rule, nullptr);
  EXPECT_DOUBLE_EQ(rule->measure(TextFacts("?\nA. x\nB. y\nC. z\n")), 13.0 / 17);
}

}  // namespace
}  // namespace fathom::clean
