#include "data/quality/classifier.h"

#include <fasttext/fasttext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>

#include "core/error.h"
#include "data/quality/model_file.h"
#include "data/quality/words.h"
#include "io/checksum.h"

namespace fathom::quality {
namespace {

constexpr std::string_view label_mark = "__label__";

std::string without_mark(std::string label) {
  if (label.starts_with(label_mark)) label.erase(0, label_mark.size());
  return label;
}

std::vector<std::string> labels_of(const fasttext::Dictionary& dictionary) {
  std::vector<std::string> labels;
  for (std::int32_t i = 0; i < dictionary.nlabels(); ++i) {
    labels.push_back(without_mark(dictionary.getLabel(i)));
  }
  return labels;
}

// The first of them, for a message.
std::string named(const std::vector<std::string>& labels) {
  constexpr std::size_t most = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(labels.size(), most); ++i) {
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ", labels[i]);
  }
  return labels.size() > most ? fmt::format("{} and {} more", text, labels.size() - most) : text;
}

}  // namespace

struct Classifier::Model {
  std::string path;
  fasttext::FastText fast_text;
  std::int32_t label = 0;
};

Classifier::Classifier(const std::string& path, const std::string& label)
    : model_(std::make_unique<Model>()) {
  const ModelFile file = check_model_file(path);
  model_->path = path;
  try {
    model_->fast_text.loadModel(path);
  } catch (const std::exception& error) {
    fail_input("{}: fastText cannot read this model: {}", path, error.what());
  }
  const std::vector<std::string> labels = labels_of(*model_->fast_text.getDictionary());
  label_ = label.empty() ? file.wanted : without_mark(label);
  const auto found = std::ranges::find(labels, label_);
  if (found == labels.end()) {
    fail_input("{}: {}; the model has {}", path,
               label_.empty() ? "name the label of wanted documents"
                              : fmt::format("has no label '{}'", label_),
               named(labels));
  }
  model_->label = static_cast<std::int32_t>(found - labels.begin());
  own_words_ = file.words > 0;
  checksum_ = checksum_of_file(path);
}

Classifier::~Classifier() = default;
Classifier::Classifier(Classifier&&) noexcept = default;

double Classifier::score(std::string_view text) const {
  return score_of_words(own_words_ ? words_of(text) : blank_separated(text));
}

double Classifier::score_of_words(const std::string& words) const {
  const fasttext::FastText& fast_text = model_->fast_text;
  // fastText ends a line with a word of its own, which it has learned with the others.
  std::istringstream line(words + "\n");
  std::vector<std::int32_t> ids, labels;
  fast_text.getDictionary()->getLine(line, ids, labels);
  fasttext::Predictions predictions;
  try {
    fast_text.predict(fast_text.getDictionary()->nlabels(), ids, predictions);
  } catch (const fasttext::DenseMatrix::EncounteredNaNError&) {
    fail_runtime("{}: the weights of this model give no probability", model_->path);
  }
  for (const auto& [log_probability, id] : predictions) {
    if (id != model_->label) continue;
    const double probability = std::exp(static_cast<double>(log_probability));
    require(std::isfinite(probability), "{}: the weights of this model give no probability",
            model_->path);
    // fastText adds 1e-5 before it takes the logarithm, too little to reach 4 decimals beyond 1.
    return std::round(probability * 1e4) / 1e4;
  }
  return 0;
}

}  // namespace fathom::quality
