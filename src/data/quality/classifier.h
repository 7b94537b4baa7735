// A quality classifier: a fastText model (Joulin et al., "Bag of Tricks for Efficient Text
// Classification", arXiv 1607.01759) that gives a document's probability of a label, such as the
// label of text to learn from (Li et al., DataComp-LM, arXiv 2406.11794, section 4.4).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::quality {

class Classifier {
 public:
  // `label`, with or without "__label__" before it, is the one whose probability is asked; empty:
  // the wanted one of a model that Fathom trained. Throws an input Error that names the file when
  // it is no model that can be read, or has no such label.
  explicit Classifier(const std::string& path, const std::string& label = "");
  ~Classifier();
  Classifier(Classifier&&) noexcept;

  // The label's probability in [0, 1] for a document, valid UTF-8, rounded to 4 decimals; 0 when
  // the model knows none of its words. Any thread may call it. Throws a runtime Error when the
  // model's weights give none.
  double score(std::string_view text) const;
  // The same for a line of words_of().
  double score_of_words(const std::string& words) const;

  const std::string& label() const { return label_; }   // without "__label__"
  std::uint64_t checksum() const { return checksum_; }  // of the file

 private:
  struct Model;
  std::unique_ptr<Model> model_;
  std::string label_;
  std::uint64_t checksum_ = 0;
  bool own_words_ = false;  // cut by words_of()
};

}  // namespace fathom::quality
