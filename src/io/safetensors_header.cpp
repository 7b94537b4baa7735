#include "io/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.h"

namespace fathom {

namespace {

using Json = nlohmann::json;

// Checks that the header has the only permitted shape:
//   {"__metadata__": {key: text}, name: {"dtype": text, "shape": [sizes],
//    "data_offsets": [begin, end]}}
// It handles the parser's events instead of a tree, so that duplicate names are noticed
// and deep nesting is refused where it begins.
class JsonHeaderReader : public nlohmann::json_sax<Json> {
 public:
  JsonHeaderReader(SafetensorsHeader& header, const std::string& source)
      : header_(header), source_(source) {}

  bool start_object(std::size_t) override {
    if (depth_ == 1 && in_metadata_ && saw_metadata_) fail("duplicate __metadata__");
    if (depth_ > 1 || array_) unexpected("an object");
    if (depth_ == 1) {
      (in_metadata_ ? saw_metadata_ : in_tensor_) = true;
      fields_ = 0;
    }
    ++depth_;
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 1) {
      in_metadata_ = name == "__metadata__";
      in_tensor_ = false;
      if (!in_metadata_) {
        if (!names_.insert(name).second) fail("two tensors are called '{}'", name);
        header_.tensors.emplace_back().name = name;
      }
    } else if (in_metadata_) {
      if (header_.metadata.contains(name)) fail("duplicate metadata key '{}'", name);
    } else {
      begin_field(name);
    }
    key_ = name;
    return true;
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 1 && in_tensor_ && fields_ != 7) {
      fail("tensor '{}' lacks {}", tensor().name,
           !(fields_ & 1)   ? "dtype"
           : !(fields_ & 2) ? "shape"
                            : "data_offsets");
    }
    return true;
  }

  bool string(std::string& text) override {
    if (depth_ == 2 && in_metadata_) {
      header_.metadata.emplace(key_, text);
    } else if (depth_ == 2 && !array_ && key_ == "dtype") {
      const auto type = stored_type_named(text);
      if (!type) fail("tensor '{}' has the unknown element type '{}'", tensor().name, text);
      tensor().type = *type;
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || array_ || key_ == "dtype") unexpected("a list");
    array_ = true;
    values_.clear();
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (!array_) unexpected("a number");
    if (value > INT64_MAX) fail("tensor '{}' has a {} of {}", tensor().name, key_, value);
    values_.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool end_array() override {
    array_ = false;
    if (key_ == "shape") {
      tensor().shape = values_;
    } else if (values_.size() != 2) {
      fail("tensor '{}' has {} data_offsets instead of 2", tensor().name, values_.size());
    } else {
      tensor().begin = static_cast<std::uint64_t>(values_[0]);
      tensor().end = static_cast<std::uint64_t>(values_[1]);
    }
    return true;
  }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("true or false"); }
  bool number_integer(std::int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    unexpected("a number that is no 64-bit size");
  }
  bool binary(Json::binary_t&) override { unexpected("binary"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail("not valid JSON at byte {} of the header", position);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_input("{}: not a safetensors file: {}", source_,
               fmt::format(format, std::forward<Args>(args)...));
  }
  [[noreturn]] void unexpected(const char* what) const {
    if (depth_ == 0) fail("the header is {} instead of an object", what);
    fail("the header holds {} under '{}', where the format has none", what, key_);
  }

  HeaderTensor& tensor() { return header_.tensors.back(); }

  void begin_field(const std::string& name) {
    const unsigned field = name == "dtype"          ? 1
                           : name == "shape"        ? 2
                           : name == "data_offsets" ? 4
                                                    : 0;
    if (field == 0) fail("tensor '{}' has the unknown key '{}'", tensor().name, name);
    if (fields_ & field) fail("tensor '{}' has two {}", tensor().name, name);
    fields_ |= field;
  }

  SafetensorsHeader& header_;
  const std::string& source_;
  std::unordered_set<std::string> names_;
  std::string key_;
  std::vector<std::int64_t> values_;
  int depth_ = 0;
  unsigned fields_ = 0;  // which of dtype, shape, data_offsets were seen
  bool in_metadata_ = false, saw_metadata_ = false, in_tensor_ = false, array_ = false;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& source) {
  SafetensorsHeader header;
  JsonHeaderReader reader(header, source);
  Json::sax_parse(json.begin(), json.end(), &reader);
  return header;
}

std::string write_safetensors_header(const std::vector<TensorSpec>& tensors,
                                     const SafetensorsMetadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const TensorSpec& tensor : tensors) {
    const std::uint64_t end = offset + tensor.bytes();
    header[tensor.name] = {
        {"dtype", name_of(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace fathom
