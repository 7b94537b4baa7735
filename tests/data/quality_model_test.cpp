// Files of fastText models: those that Fathom makes, those of other tools, and what is none.
#include <fasttext/fasttext.h>
#include <gmock/gmock.h>

#include <cstring>
#include <limits>
#include <sstream>

#include "core/error.h"
#include "data/quality/classifier.h"
#include "data/quality/model_file.h"
#include "data/quality/words.h"
#include "data/quality_texts.h"

namespace fathom::quality {
namespace {

using test::input_error_of;
using test::other_text;
using test::quality_class;
using test::quality_config;
using test::read_file;
using test::TempDir;
using test::wanted_text;
using test::write_file;
using testing::HasSubstr;

// Another tool that reads the file computes the same probability.
TEST(QualityModel, IsOneOfFastText) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.classes.push_back(quality_class(dir, "poems", 40, 1, [](int n) {
    return fmt::format("O moon, o moon, {} times o silver moon 月亮", n);
  }));
  train_classifier(config);
  fasttext::FastText theirs;
  theirs.loadModel(config.output);
  for (const char* label : {"good", "bad", "__label__poems"}) {
    const Classifier classifier(config.output, label);
    for (int n = 0; n < 6; ++n) {
      const std::string text = n % 2 == 0 ? wanted_text(n) : other_text(n);
      std::istringstream line(words_of(text) + "\n");
      std::vector<std::pair<fasttext::real, std::string>> predictions;
      theirs.predictLine(line, predictions, 3, 0);
      ASSERT_EQ(predictions.size(), 3u);
      for (const auto& [probability, name] : predictions) {
        if (name != "__label__" + classifier.label()) continue;
        EXPECT_NEAR(classifier.score(text), std::min(probability, 1.0f), 1e-4);
      }
    }
  }
}

// A model of another tool reads text as it stands, without line ends.
TEST(QualityModel, FilesOfOtherToolsReadWordsBetweenBlanks) {
  const TempDir dir;
  std::string lines;
  for (int i = 0; i < 50; ++i) {
    lines += "__label__hq Deep Thought said 42\n__label__cc deep thought SAID 43\n";
  }
  write_file(dir / "train.txt", lines);
  fasttext::Args arguments;
  arguments.parseArgs({"fasttext", "supervised", "-input", dir / "train.txt", "-output", "x",
                       "-dim", "4", "-epoch", "50", "-lr", "0.5", "-thread", "1", "-verbose", "0"});
  fasttext::FastText model;
  model.train(arguments);
  model.saveModel(dir / "theirs.bin");
  const Classifier classifier(dir / "theirs.bin", "__label__hq");
  EXPECT_EQ(check_model_file(dir / "theirs.bin").words, 0);
  EXPECT_GT(classifier.score("Deep Thought\nsaid 42"), 0.9);
  EXPECT_LT(classifier.score("deep thought SAID 43"), 0.1);
  EXPECT_EQ(
      input_error_of([&] { Classifier(dir / "theirs.bin"); }),
      (dir / "theirs.bin") + ": name the label of wanted documents; the model has 'hq', 'cc'");
}

TEST(QualityModel, NamesTheLabelsThatThereAre) {
  const TempDir dir;
  const TrainConfig config = quality_config(dir);
  train_classifier(config);
  EXPECT_THAT(input_error_of([&] { Classifier(config.output, "hq"); }),
              testing::MatchesRegex(".*quality.bin: has no label 'hq'; the model has "
                                    "'(good|bad)', '(good|bad)'"));
}

TEST(QualityModel, RefusesWhatIsNoModel) {
  const TempDir dir;
  EXPECT_THAT(input_error_of([&] { Classifier(dir / "none.bin"); }), HasSubstr("none.bin"));
  EXPECT_THAT(input_error_of([&] { Classifier(dir.path()); }), HasSubstr(dir.path()));
  write_file(dir / "text.bin", "some text that is no model");
  write_file(dir / "empty.bin", "");
  for (const char* name : {"text.bin", "empty.bin"}) {
    EXPECT_THAT(input_error_of([&] { Classifier(dir / name); }),
                HasSubstr("is not a fastText model; `fathom data quality train` makes one"));
  }
  write_file(dir / "words.txt", "one two three\nfour five six\n");
  fasttext::Args arguments;
  arguments.parseArgs({"fasttext", "skipgram", "-input", dir / "words.txt", "-output", "x", "-dim",
                       "2", "-bucket", "10", "-minCount", "1", "-thread", "1", "-epoch", "1",
                       "-verbose", "0"});
  fasttext::FastText vectors;
  vectors.train(arguments);
  vectors.saveModel(dir / "vectors.bin");
  EXPECT_THAT(input_error_of([&] { Classifier(dir / "vectors.bin"); }),
              HasSubstr("is a fastText model of word vectors, which has no labels"));
}

// The smallest model that there is.
std::string small_model(const TempDir& dir) {
  TrainConfig config = quality_config(dir);
  config.classes = {quality_class(dir, "good", 3, 1, [](int) { return "a b"; }),
                    quality_class(dir, "bad", 3, 1, [](int) { return "c 书"; })};
  config.held_out_fraction = 0;
  config.dim = 2;
  config.buckets = 4;
  train_classifier(config);
  return read_file(config.output);
}

TEST(QualityModel, RefusesModelsThatAreCutShort) {
  const TempDir dir;
  const std::string whole = small_model(dir);
  const std::size_t notes = model_notes("good").size();
  ASSERT_TRUE(whole.ends_with(model_notes("good")));
  const std::string path = dir / "cut.bin";
  for (std::size_t size = 4; size < whole.size(); ++size) {
    if (size == whole.size() - notes) continue;  // a whole model of fastText
    write_file(path, whole.substr(0, size));
    EXPECT_THAT(input_error_of([&] { check_model_file(path); }), HasSubstr("damaged or cut short"))
        << size;
  }
  write_file(path, whole + "x");
  EXPECT_THAT(input_error_of([&] { check_model_file(path); }), HasSubstr("damaged"));
  std::string later = whole;
  later.replace(later.find("words 1"), 7, "words 2");
  write_file(path, later);
  EXPECT_THAT(input_error_of([&] { check_model_file(path); }),
              HasSubstr("later version of Fathom"));
  later = whole;
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(later.data() + later.size() - notes - sizeof not_a_number, &not_a_number,
              sizeof not_a_number);
  write_file(path, later);
  EXPECT_THAT(input_error_of([&] { check_model_file(path); }), HasSubstr("damaged"));
  later = whole;
  later[4] = 13;
  write_file(path, later);
  EXPECT_THAT(input_error_of([&] { check_model_file(path); }), HasSubstr("of version 13"));
}

TEST(QualityModel, OfVersions11And12AreRead) {
  const TempDir dir;
  const std::string whole = small_model(dir), path = dir / "version.bin";
  ASSERT_EQ(whole[4], 12);
  for (const char version : {10, 11, 12, 13}) {
    std::string other = whole;
    other[4] = version;
    write_file(path, other);
    if (version == 11 || version == 12) {
      EXPECT_EQ(Classifier(path).score("a b"), Classifier(dir / "quality.bin").score("a b"));
    } else {
      EXPECT_EQ(input_error_of([&] { check_model_file(path); }),
                fmt::format("{}: is a fastText model of version {}; 11 and 12 are read", path,
                            int{version}));
    }
  }
}

TEST(QualityModel, NotesNameTheWantedLabelAndTheRuleOfWords) {
  const TempDir dir;
  small_model(dir);
  const ModelFile file = check_model_file(dir / "quality.bin");
  EXPECT_EQ(file.wanted, "good");
  EXPECT_EQ(file.words, word_rule);
  EXPECT_EQ(model_notes("hq"), fmt::format("fathom quality\nwords {}\nwanted hq\n", word_rule));
}

// Models of other tools that were made smaller: matrices as codes, and rows left out.
TEST(QualityModel, ReadsQuantizedModels) {
  const TempDir dir;
  TrainConfig config = quality_config(dir);
  config.buckets = 400;
  train_classifier(config);
  for (const bool norms : {false, true}) {
    for (const std::size_t cutoff : {0, 300}) {
      SCOPED_TRACE(fmt::format("norms {}, cutoff {}", norms, cutoff));
      fasttext::FastText theirs;
      theirs.loadModel(config.output);
      fasttext::Args arguments;
      arguments.qnorm = norms;
      arguments.cutoff = cutoff;
      arguments.dsub = 3;  // does not divide dim
      theirs.quantize(arguments);
      const std::string path = dir / "quantized.ftz";
      theirs.saveModel(path);
      const Classifier classifier(path, "good");
      for (int n = 0; n < 6; ++n) {
        std::istringstream line(wanted_text(n) + "\n");
        std::vector<std::pair<fasttext::real, std::string>> predictions;
        theirs.predictLine(line, predictions, 2, 0);
        for (const auto& [probability, name] : predictions) {
          if (name != "__label__good") continue;
          EXPECT_NEAR(classifier.score(wanted_text(n)), std::min(probability, 1.0f), 1e-4);
        }
      }
      const std::string whole = read_file(path);
      for (std::size_t size = whole.size() - 1; size > 100; size -= size / 10) {
        write_file(path, whole.substr(0, size));
        EXPECT_THAT(input_error_of([&] { check_model_file(path); }),
                    HasSubstr("damaged or cut short"));
      }
    }
  }
}

// Whatever byte is damaged, the model is refused or gives a score.
TEST(QualityModel, SurvivesDamagedModels) {
  const TempDir dir;
  const std::string whole = small_model(dir);
  const std::string path = dir / "damaged.bin";
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {0x01, 0xfe}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      write_file(path, damaged);
      try {
        const double score = Classifier(path).score("a c 书 书");
        EXPECT_TRUE(score >= 0 && score <= 1) << at << " " << score;
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::runtime) {
          EXPECT_THAT(error.what(), HasSubstr("give no probability"));
        }
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace fathom::quality
