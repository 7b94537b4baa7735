#include "data/quality/model_file.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/error.h"
#include "data/quality/words.h"
#include "io/mapped_file.h"

namespace fathom::quality {
namespace {

constexpr std::int32_t magic = 793712314, newest_version = 12;
constexpr std::string_view notes_begin = "fathom quality\n";
// fastText builds trees of labels by their counts, and takes this for more than any of them.
constexpr std::int64_t max_count = 1'000'000'000'000'000;
constexpr std::int64_t centroids = 256;  // of a product quantizer, each

// Takes values from the front of a file.
class FileWalk {
 public:
  FileWalk(const std::string& path, std::string_view bytes) : path_(path), bytes_(bytes) {}

  template <class T>
  T take() {
    T value;
    std::memcpy(&value, bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }
  bool take_bool() {
    const auto value = take<std::uint8_t>();
    check(value <= 1);
    return value == 1;
  }
  void skip(std::int64_t count, std::int64_t size) {
    check(count >= 0 && size >= 0 && (size == 0 || count <= std::ssize(bytes_) / size));
    bytes(static_cast<std::size_t>(count * size));
  }
  // What stands before the next zero byte.
  void skip_text() {
    const std::size_t end = bytes_.find('\0');
    check(end != std::string_view::npos);
    bytes(end + 1);
  }
  std::string_view rest() const { return bytes_; }
  void check(bool holds) const {
    if (!holds) fail_input("{}: this fastText model is damaged or cut short", path_);
  }

 private:
  std::string_view bytes(std::size_t count) {
    check(count <= bytes_.size());
    const std::string_view front = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return front;
  }

  const std::string& path_;
  std::string_view bytes_;
};

struct ModelSizes {
  std::int32_t dim = 0, word_ngrams = 0, model = 0, bucket = 0, maxn = 0;
  std::int32_t words = 0, labels = 0;
  std::int64_t pruned = -1;  // rows of hashed n-grams that are left; −1: all
};

void walk_arguments(FileWalk& walk, std::int32_t version, ModelSizes& sizes) {
  std::int32_t values[12];
  for (std::int32_t& value : values) value = walk.take<std::int32_t>();
  walk.take<double>();
  sizes.dim = values[0];
  sizes.word_ngrams = values[5];
  sizes.model = values[7];
  sizes.bucket = values[8];
  constexpr std::int32_t supervised = 3;
  const bool without_subwords = version == 11 && sizes.model == supervised;
  sizes.maxn = without_subwords ? 0 : values[10];
  const std::int32_t loss = values[6];
  walk.check(sizes.dim >= 1 && sizes.dim <= 1 << 20 && sizes.word_ngrams >= 0 &&
             sizes.word_ngrams <= 100 && sizes.maxn <= 1000 && sizes.bucket >= 0 && loss >= 1 &&
             loss <= 4 && sizes.model >= 1 && sizes.model <= 3);
  // n-grams are hashed modulo the number of buckets.
  walk.check(sizes.bucket > 0 || (sizes.word_ngrams <= 1 && sizes.maxn <= 0));
}

void walk_dictionary(FileWalk& walk, ModelSizes& sizes) {
  const auto entries = walk.take<std::int32_t>();
  sizes.words = walk.take<std::int32_t>();
  sizes.labels = walk.take<std::int32_t>();
  walk.check(walk.take<std::int64_t>() >= 0);
  sizes.pruned = walk.take<std::int64_t>();
  walk.check(sizes.words >= 0 && sizes.labels >= 0 && entries > 0 &&
             std::int64_t{sizes.words} + sizes.labels == entries);
  for (std::int32_t i = 0; i < entries; ++i) {
    walk.skip_text();
    const auto count = walk.take<std::int64_t>();
    walk.check(count >= 0 && count < max_count);
    walk.check(walk.take<std::int8_t>() == (i < sizes.words ? 0 : 1));
  }
  walk.check(sizes.pruned >= -1);
  for (std::int64_t i = 0; i < sizes.pruned; ++i) {
    walk.take<std::int32_t>();
    const auto row = walk.take<std::int32_t>();
    walk.check(row >= 0 && row < sizes.pruned);
  }
}

// Returns the number of sub-vectors.
std::int64_t walk_quantizer(FileWalk& walk, std::int64_t dim) {
  const std::int64_t own_dim = walk.take<std::int32_t>(), parts = walk.take<std::int32_t>();
  const std::int64_t part = walk.take<std::int32_t>(), last = walk.take<std::int32_t>();
  walk.check(own_dim == dim && parts >= 1 && part >= 1 && last >= 1 &&
             (parts - 1) * part + last == dim);
  walk.skip(dim, centroids * std::int64_t{sizeof(float)});
  return parts;
}

void walk_matrix(FileWalk& walk, bool quantized, std::int64_t rows, std::int64_t dim) {
  const bool norms = quantized && walk.take_bool();
  walk.check(walk.take<std::int64_t>() == rows && walk.take<std::int64_t>() == dim);
  if (!quantized) {
    walk.check(rows >= 0 && rows <= std::ssize(walk.rest()) / (dim * std::int64_t{sizeof(float)}));
    for (std::int64_t i = 0; i < rows * dim; ++i) walk.check(std::isfinite(walk.take<float>()));
    return;
  }
  const std::int64_t codes = walk.take<std::int32_t>();
  walk.skip(codes, 1);
  walk.check(codes == rows * walk_quantizer(walk, dim));
  if (!norms) return;
  walk.skip(rows, 1);
  walk_quantizer(walk, 1);
}

void walk_matrices(FileWalk& walk, const ModelSizes& sizes) {
  const bool quantized = walk.take_bool();
  walk.check(quantized || sizes.pruned < 0);
  const std::int64_t hashed = sizes.pruned >= 0 ? sizes.pruned : sizes.bucket;
  walk_matrix(walk, quantized, sizes.words + hashed, sizes.dim);
  const bool quantized_output = walk.take_bool() && quantized;
  walk_matrix(walk, quantized_output, sizes.labels, sizes.dim);
}

// The rest of the line that begins with `key` and a space, which goes from `notes`.
std::string_view take_note(const FileWalk& walk, std::string_view& notes, std::string_view key) {
  walk.check(notes.starts_with(key));
  notes.remove_prefix(key.size());
  const std::size_t end = notes.find('\n');
  walk.check(end != std::string_view::npos && end > 0);
  const std::string_view value = notes.substr(0, end);
  notes.remove_prefix(end + 1);
  return value;
}

ModelFile read_notes(const std::string& path, const FileWalk& walk) {
  std::string_view notes = walk.rest();
  if (notes.empty()) return {};
  walk.check(notes.starts_with(notes_begin));
  notes.remove_prefix(notes_begin.size());
  ModelFile file;
  const std::string_view rule = take_note(walk, notes, "words ");
  const auto end = std::from_chars(rule.data(), rule.data() + rule.size(), file.words);
  walk.check(end.ec == std::errc{} && file.words >= 1);
  if (file.words > word_rule) {
    fail_input("{}: was made by a later version of Fathom, which cuts words by rule {}", path,
               file.words);
  }
  file.wanted = take_note(walk, notes, "wanted ");
  walk.check(notes.empty());
  return file;
}

}  // namespace

ModelFile check_model_file(const std::string& path) {
  const MappedFile mapped(path);
  FileWalk walk(path, mapped.text());
  if (mapped.size() < sizeof magic || walk.take<std::int32_t>() != magic) {
    fail_input("{}: is not a fastText model; `fathom data quality train` makes one", path);
  }
  const auto version = walk.take<std::int32_t>();
  if (version < 11 || version > newest_version) {
    fail_input("{}: is a fastText model of version {}; 11 and {} are read", path, version,
               newest_version);
  }
  ModelSizes sizes;
  walk_arguments(walk, version, sizes);
  if (sizes.model != 3) {
    fail_input("{}: is a fastText model of word vectors, which has no labels", path);
  }
  walk_dictionary(walk, sizes);
  walk.check(sizes.labels >= 1);
  walk_matrices(walk, sizes);
  return read_notes(path, walk);
}

std::string model_notes(const std::string& wanted) {
  return fmt::format("{}words {}\nwanted {}\n", notes_begin, word_rule, wanted);
}

}  // namespace fathom::quality
