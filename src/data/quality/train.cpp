#include "data/quality/train.h"

#include <fasttext/fasttext.h>

#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/clean/edits.h"
#include "data/document_chunks.h"
#include "data/parts.h"
#include "data/prepare_check.h"
#include "data/quality/classifier.h"
#include "data/quality/examples.h"
#include "data/quality/model_file.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/byte_reader.h"
#include "io/line_reader.h"

namespace fathom::quality {
namespace {

constexpr std::int64_t part_mb = 1 << 20;  // a class is read as a whole
constexpr double thresholds[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};

void check_range(const char* key, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) fail_input("{}: {} is not in [{}, {}]", key, value, low, high);
}

std::vector<std::string> labels_of(const TrainConfig& config) {
  std::vector<std::string> labels;
  for (const TextSourceConfig& source : config.classes) labels.push_back(source.name);
  return labels;
}

// Reads one class.
void add_documents(const TrainConfig& config, std::size_t number_of_class, Examples& examples,
                   DocumentCounts& counts) {
  const TextSourceConfig& source = config.classes[number_of_class];
  std::vector<std::string> files;
  std::uint64_t bytes = 0;
  for (const SourcePart& part : parts_of(source, part_mb)) {
    for (const PartFile& file : part.files) files.push_back(file.path);
    bytes += part.bytes();
  }
  struct Lines {
    std::vector<Examples::Line> lines;
    DocumentCounts counts;
  };
  Progress progress("reading " + source.name, bytes, Progress::Unit::bytes);
  const int threads = config.threads > 0 ? static_cast<int>(config.threads) : num_threads();
  for_each_chunk<Lines>(
      source, std::move(files), threads, progress,
      [&](DocumentChunk&& chunk) {
        Lines out{{}, chunk.counts};
        for (const Document& document : chunk.documents) {
          out.lines.push_back(examples.line_of(clean::normalised(document.text)));
        }
        return out;
      },
      [&](Lines&& chunk) {
        counts.add(chunk.counts);
        for (const Examples::Line& line : chunk.lines) examples.add(number_of_class, line);
      });
  progress.finish();
}

fasttext::Args arguments_of(const TrainConfig& config, const std::string& input) {
  fasttext::Args arguments;
  arguments.model = fasttext::model_name::sup;
  arguments.loss = fasttext::loss_name::softmax;
  arguments.input = input;
  arguments.lr = config.learning_rate;
  arguments.dim = static_cast<int>(config.dim);
  arguments.epoch = static_cast<int>(config.epochs);
  arguments.minCount = static_cast<int>(config.min_count);
  arguments.minCountLabel = 0;
  arguments.wordNgrams = static_cast<int>(config.word_ngrams);
  // Without sequences of words there is nothing to hash.
  arguments.bucket = config.word_ngrams > 1 ? static_cast<int>(config.buckets) : 0;
  arguments.minn = arguments.maxn = 0;
  arguments.thread = static_cast<int>(config.training_threads);
  arguments.seed = static_cast<int>(config.seed);
  arguments.verbose = 0;
  return arguments;
}

// `words`: of an epoch.
void train_fast_text(const TrainConfig& config, const std::string& input, std::int64_t words,
                     const std::string& output) {
  const auto total = static_cast<std::uint64_t>(words * config.epochs);
  Progress progress("training", total);
  std::uint64_t reported = 0;
  fasttext::FastText model;
  try {
    // Called on fastText's first thread alone.
    model.train(arguments_of(config, input), [&](float share, float, double, double, std::int64_t) {
      const auto done =
          static_cast<std::uint64_t>(static_cast<double>(share) * static_cast<double>(total));
      if (done <= reported || done > total) return;
      progress.advance(done - reported);
      reported = done;
    });
    progress.advance(total - reported);
    progress.finish();
    model.saveModel(output);
  } catch (const fasttext::DenseMatrix::EncounteredNaNError&) {
    fail_runtime("training diverged; lower learning_rate");
  } catch (const std::bad_alloc&) {
    fail_runtime("fastText has not enough memory for {} buckets of {} numbers", config.buckets,
                 config.dim);
  } catch (const std::exception& error) {
    fail_runtime("fastText failed: {}", error.what());
  }
}

// fastText does not look whether its file was written whole.
void write_model(const std::string& model, const std::string& output, const std::string& wanted) {
  try {
    check_model_file(model);
  } catch (const Error& error) {
    fail_runtime("{}; is the disk full?", error.what());
  }
  AtomicFile file(output);
  const auto bytes = open_file_bytes(model);
  std::vector<char> block(1 << 20);
  while (const std::size_t count = bytes->read(block)) {
    file.write(std::string_view(block.data(), count));
  }
  file.write(model_notes(wanted));
  file.commit();
}

Accuracy measure(const std::string& model, const std::string& held_out, std::int64_t documents) {
  const Classifier classifier(model);
  const std::string mark = "__label__" + classifier.label();
  std::vector<Judged> judged;
  LineReader reader(held_out);
  Progress progress("testing", static_cast<std::uint64_t>(documents));
  for (std::string line; reader.next(line); progress.advance(1)) {
    const std::size_t end = line.find(' ');
    judged.push_back(
        {classifier.score_of_words(line.substr(end + 1)), line.substr(0, end) == mark});
  }
  progress.finish();
  return accuracy_of(judged, thresholds);
}

void require_documents(const ExampleCounts& counts, const std::vector<std::string>& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (counts.training[i] > 0) continue;
    fail_input("classes: no document of '{}' is left to train on; it has {}", labels[i],
               counts.held_out[i]);
  }
}

}  // namespace

void check_config(const TrainConfig& config) {
  if (config.output.empty()) fail_input("output: missing; name the file of the model to make");
  if (config.classes.size() < 2) {
    fail_input("classes: {} given; add two [[classes]] tables or more, the wanted documents first",
               config.classes.size());
  }
  std::set<std::string> names;
  for (const TextSourceConfig& source : config.classes) check_source_name(source.name, names);
  if (!(config.held_out_fraction >= 0 && config.held_out_fraction <= 0.9)) {
    fail_input("held_out_fraction: {} is not in [0, 0.9]", config.held_out_fraction);
  }
  if (!(config.learning_rate > 0 && config.learning_rate <= 10)) {
    fail_input("learning_rate: {} is not in (0, 10]", config.learning_rate);
  }
  check_range("documents", config.documents, 0, std::int64_t{1} << 40);
  check_range("epochs", config.epochs, 1, 1000);
  check_range("dim", config.dim, 1, 4096);
  check_range("word_ngrams", config.word_ngrams, 1, 10);
  check_range("buckets", config.buckets, 1, 100'000'000);
  check_range("min_count", config.min_count, 1, 1'000'000);
  check_range("seed", config.seed, 0, INT32_MAX);
  check_range("threads", config.threads, 0, 4096);
  check_range("training_threads", config.training_threads, 1, 256);
}

TrainReport train_classifier(const TrainConfig& config) {
  check_config(config);
  require_writable_file(config.output);
  const std::vector<std::string> labels = labels_of(config);
  // Refuses an output, with its work, that lies where a class is read.
  for (const TextSourceConfig& source : config.classes) parts_of(source, part_mb, config.output);
  const AtomicDirectory work(config.output +
                             ".work");  // never committed, so it goes with its files
  Examples examples(work.temporary(), labels, static_cast<std::uint64_t>(config.seed));
  TrainReport report;
  for (std::size_t i = 0; i < labels.size(); ++i) add_documents(config, i, examples, report.read);
  const std::string training = work.file("training.txt"), held_out = work.file("held_out.txt");
  const ExampleCounts counts =
      examples.write(training, held_out, config.held_out_fraction, config.documents);
  require_documents(counts, labels);
  report.repeated = counts.repeated;
  std::int64_t to_test = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    report.classes.push_back({labels[i], counts.training[i], counts.held_out[i]});
    to_test += counts.held_out[i];
  }
  train_fast_text(config, training, counts.words, work.file("model.bin"));
  write_model(work.file("model.bin"), config.output, labels.front());
  report.accuracy = measure(config.output, held_out, to_test);
  return report;
}

std::string summary(const TrainReport& report) {
  std::string text = fmt::format("{:<24} {:>12} {:>12}\n", "class", "trained on", "held out");
  for (const TrainReport::Class& c : report.classes) {
    text += fmt::format("{:<24} {:>12} {:>12}\n", c.label, c.training, c.held_out);
  }
  if (report.repeated > 0) {
    text += fmt::format("{} documents repeat others of their class and are left out\n",
                        report.repeated);
  }
  for (const std::string& line : lines_about(report.read)) text += line + "\n";
  const Accuracy& accuracy = report.accuracy;
  if (accuracy.wanted == 0 || accuracy.others == 0) {
    return text + "no documents of both kinds are held out, so nothing was measured\n";
  }
  return text +
         fmt::format("\n'{}' on held-out documents: AUC {:.4f}\n", report.classes.front().label,
                     accuracy.auc) +
         table_of(accuracy);
}

}  // namespace fathom::quality
